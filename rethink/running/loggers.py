"""Loggers that write into the run's folder, and a W&B run that is this run: mirrors of history.csv."""

import contextlib
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from jsonargparse import Namespace
from lightning.pytorch import Trainer
from lightning.pytorch.loggers import WandbLogger
from lightning.pytorch.utilities import rank_zero_only

from rethink.dashboard import description, mirror
from rethink.dashboard.local import LocalRun
from rethink.dashboard.pushed import Busy, MirrorState, mirror_lock

WANDB = "lightning.pytorch.loggers.WandbLogger"


class RunWandbLogger(WandbLogger):
    """Lightning's logger, with the rows of the history under the optimizer step.

    Lightning lets W&B number the rows, so that an epoch that is trained again after a restart is logged twice. Here
    such a row is left out, and `rethink wandb push` can tell which rows W&B has.
    """

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        if step is None or "seconds/train" not in metrics:  # not a row of the history, but a monitor of the user's
            super().log_metrics(metrics, step)
        elif step >= max(self.experiment.step, self.experiment.starting_step):
            self.experiment.log(description.entry(metrics, step), step=step, commit=True)


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
            defaults = _wandb(run_id, settings, command) if _is_wandb(spec) else {}
            if _is_wandb(spec) or "save_dir" in spec.init_args:
                defaults["save_dir"] = str(folder)
            for name, value in defaults.items():
                if spec.init_args.get(name) is None:
                    spec.init_args[name] = value
            if spec.class_path == WANDB:
                spec.class_path = f"{RunWandbLogger.__module__}.{RunWandbLogger.__name__}"
    options.trainer.logger = False if not specs else specs[0] if len(specs) == 1 else specs


def _is_wandb(spec: Any) -> bool:
    return isinstance(spec, Namespace) and str(spec.class_path).endswith("WandbLogger")


def _wandb(run_id: str, settings: dict[str, Any], command: str | None) -> dict[str, Any]:
    """Id and names of the W&B run."""
    return description.names(run_id, settings) | {
        "project": description.project(),
        "job_type": command,
        # Seconds until a run goes on without a server that does not answer, and ends without one.
        "settings": {"init_timeout": 30, "finish_timeout": 60},
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
    folder = Path(trainer.default_root_dir)
    running: list[Any] = []
    with contextlib.ExitStack() as stack:
        for logger in trainer.loggers:
            if isinstance(logger, WandbLogger):
                try:
                    if trainer.is_global_zero and not running:
                        stack.enter_context(mirror_lock(folder))
                    Path(logger.save_dir or ".").mkdir(parents=True, exist_ok=True)
                    logger.experiment.config.update(description.config(settings), allow_val_change=True)
                    running.append(logger.experiment)
                    _note(logger.experiment, folder)
                except Exception as error:  # whatever happens in W&B is no reason not to train
                    reason = "`rethink wandb push` is sending it" if isinstance(error, Busy) else str(error)
                    _say(f"it cannot start ({reason}); the run goes on without. `rethink wandb push` sends it later.")
                    trainer.loggers = [other for other in trainer.loggers if other is not logger]
        try:
            yield
            for experiment in running:
                with contextlib.suppress(Exception):  # see above
                    if trainer.is_global_zero and trainer.state.fn == "fit":
                        mirror.complete(experiment, LocalRun.read(folder))
        finally:
            for experiment in running:
                with contextlib.suppress(Exception):  # see above
                    experiment.finish()
            # WandbLogger sets it for an offline run, and the next run of this process may be online.
            if mode is None:
                os.environ.pop("WANDB_MODE", None)
            else:
                os.environ["WANDB_MODE"] = mode


def _note(experiment: Any, folder: Path) -> None:
    """Notes that W&B itself has rows of this run, to which an offline mirror could not be added."""
    settings, before = getattr(experiment, "settings", None), MirrorState.read(folder)  # other ranks have a dummy
    if settings is not None and settings.mode == "online" and (before is None or before.mode == "offline"):
        MirrorState("online", experiment.entity, experiment.project).write(folder)


def _say(text: str) -> None:
    print(f"W&B: {' '.join(text.split())}", file=sys.stderr)
