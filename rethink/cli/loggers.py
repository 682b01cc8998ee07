"""Loggers that write into the run's folder, and a W&B run that is this run: mirrors of history.csv."""

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jsonargparse import Namespace
from lightning.pytorch import Trainer
from lightning.pytorch.loggers import WandbLogger

WANDB = "lightning.pytorch.loggers.WandbLogger"


def complete(options: Namespace, folder: Path, run_id: str, settings: dict[str, Any], command: str | None) -> None:
    """Adds the logger that `--wandb` asks for, and fills in what only the run knows and the user left open.

    Args:
        options: Of the command; the loggers of its trainer are changed.
        folder: Of the run.
        run_id: Of the run.
        settings: The whole resolved configuration.
        command: `fit`, `validate`, `test` or `predict`.
    """
    chosen = options.trainer.logger
    specs: list[Any] = list(chosen) if isinstance(chosen, list) else [chosen] if chosen else []
    if options.wandb in ("offline", "online"):
        if not any(map(_is_wandb, specs)):
            specs = [spec for spec in specs if spec is not True]
            specs.append(Namespace({"class_path": WANDB, "init_args": Namespace()}))  # type: ignore[no-untyped-call]
        for spec in filter(_is_wandb, specs):
            spec.init_args.offline, spec.init_args.mode = options.wandb == "offline", options.wandb
    elif options.wandb == "off":
        specs = [spec for spec in specs if not _is_wandb(spec)]
    for spec in specs:
        if isinstance(spec, Namespace):
            known = _wandb(options, run_id, settings, command) if _is_wandb(spec) else {}
            if _is_wandb(spec) or "save_dir" in spec.init_args:
                known["save_dir"] = str(folder)
            for name, value in known.items():
                if spec.init_args.get(name) is None:
                    spec.init_args[name] = value
    options.trainer.logger = False if not specs else specs[0] if len(specs) == 1 else specs


def _is_wandb(spec: Any) -> bool:
    return isinstance(spec, Namespace) and str(spec.class_path).endswith("WandbLogger")


def _wandb(options: Namespace, run_id: str, settings: dict[str, Any], command: str | None) -> dict[str, Any]:
    """Id and names of the W&B run."""
    model, data = settings["model"], settings["data"]
    randomization = data["init_args"].get("randomization") or {"class_path": "TrueLabels"}
    names = [spec["class_path"].rpartition(".")[2] for spec in (model, data, randomization)]
    return {
        "id": run_id,
        "name": f"{' '.join(names)} {run_id}",
        "project": os.environ.get("WANDB_PROJECT", "rethink"),
        "group": options.group or names[0],
        "job_type": command,
        "tags": [*options.tags, *names],
        "resume": "allow",
        "settings": {"init_timeout": 30},  # seconds until a run goes on without a server that does not answer
    }


@contextlib.contextmanager
def session(trainer: Trainer, settings: dict[str, Any]) -> Iterator[None]:
    """W&B from here to the end. Where it cannot start, the run says so in one line and goes on without it.

    Args:
        trainer: With its loggers.
        settings: The whole resolved configuration. (The parser would instantiate the classes in an argument
            of the logger.)
    """
    mode = os.environ.get("WANDB_MODE")
    running = []
    for logger in trainer.loggers:
        if isinstance(logger, WandbLogger):
            Path(logger.save_dir or ".").mkdir(parents=True, exist_ok=True)
            try:
                logger.experiment.config.update(settings, allow_val_change=True)
                running.append(logger.experiment)
            except Exception as error:  # whatever happens in W&B is no reason not to train
                _say(f"it cannot start ({error}); the run goes on without. history.csv has everything.")
                trainer.loggers = [other for other in trainer.loggers if other is not logger]
    try:
        yield
    finally:
        for experiment in running:
            with contextlib.suppress(Exception):  # see above
                experiment.finish()
        # WandbLogger sets it for an offline run, and the next run of this process may be online.
        if mode is None:
            os.environ.pop("WANDB_MODE", None)
        else:
            os.environ["WANDB_MODE"] = mode


def _say(text: str) -> None:
    print(f"W&B: {' '.join(text.split())}", file=sys.stderr)
