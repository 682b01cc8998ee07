"""`rethink fit|validate|test|predict`: LightningCLI, with the run's folder, identity and resume around it."""

import csv
import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import torch
from filelock import FileLock, Timeout
from lightning.pytorch import Trainer
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI
from lightning.pytorch.loggers import WandbLogger

from rethink.callbacks.best_test_accuracy import BestTestAccuracy
from rethink.callbacks.checkpoint import AtomicCheckpointIO, RunCheckpoint, find_checkpoint
from rethink.callbacks.convergence import Convergence
from rethink.callbacks.history import History
from rethink.callbacks.label_corruption import LabelCorruption
from rethink.callbacks.progress import ProgressDisplay
from rethink.callbacks.record import Record
from rethink.cli.messages import Parser
from rethink.data import ImageDataModule
from rethink.errors import UserError
from rethink.models import Classifier
from rethink.precision import probe
from rethink.records.files import write_text
from rethink.records.identity import run_id
from rethink.records.run import Run

Precision = Literal["auto", "32-true", "bf16-mixed", "bf16-true", "64-true"]


def main(args: list[str]) -> None:
    """Runs `rethink ARGS` with ARGS from `fit`, `validate`, `test` or `predict` on."""
    _be_quiet()
    try:
        RethinkCLI(
            Classifier,
            ImageDataModule,
            subclass_mode_model=True,
            subclass_mode_data=True,
            parser_class=Parser,
            save_config_callback=None,  # the run's folder is ours: see `before_fit`
            seed_everything_default=0,
            auto_configure_optimizers=False,
            load_from_checkpoint_support=False,
            trainer_defaults={
                "logger": False,
                "enable_model_summary": False,
                "num_sanity_val_steps": 0,
                "use_distributed_sampler": False,  # batches are drawn by (seed, epoch) for any number of ranks
            },
            args=args,
        )
    except _Done as done:
        print(done)


class _Done(Exception):
    """There is nothing left to do."""


class RethinkCLI(LightningCLI):
    """LightningCLI with a folder per run, named by what the run is."""

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Adds the measuring callbacks, the switches, and the links from the data to the model."""
        parser.add_argument(
            "--runs",
            type=str | None,
            default=None,
            help="Folder of the runs. Default: $RETHINK_RUNS, or runs/.",
        )
        parser.add_argument(
            "--force", action="store_true", help="Train anew, also where the run is finished or was begun."
        )
        parser.add_argument(
            "--precision",
            type=Precision,
            default="auto",
            help="auto is bf16 autocast with float32 master weights where that is faster than float32.",
        )
        parser.add_argument(
            "--wandb",
            type=Literal["off", "offline", "online"],
            default="off",
            help="Log to Weights & Biases (with configs/logger/wandb.yaml for more).",
        )
        parser.add_argument("--group", type=str | None, default=None, help="W&B group, such as the experiment.")
        parser.add_argument("--tags", type=list[str], default=[], help="W&B tags.")
        for callback, key in (
            (Convergence, "convergence"),
            (BestTestAccuracy, "best_test_accuracy"),
            (LabelCorruption, "label_corruption"),
            (History, "history"),
            (Record, "record"),
            (ProgressDisplay, "progress"),
            (RunCheckpoint, "checkpoint"),
        ):
            parser.add_lightning_class_args(callback, key)
        for key in ("model", "data"):
            parser.link_arguments("seed_everything", f"{key}.init_args.seed")
        for key in ("image_shape", "num_classes"):
            parser.link_arguments(f"data.{key}", f"model.init_args.{key}", apply_on="instantiate")

    def parse_arguments(self, parser: LightningArgumentParser, args: Any) -> None:
        """Parses without the stock warning that sys.argv is there too: calls in process are meant."""
        self.config = parser.parse_args(args)

    # The run's folder.

    @property
    def options(self) -> Any:
        """The parsed options of the subcommand."""
        return self.config[self.subcommand]

    def before_instantiate_classes(self) -> None:
        """Finds the run that these options describe, before anything heavy is built."""
        self._dump_config()
        self.settings: dict[str, Any] = {k: v for k, v in self.config_dump.items() if k not in ("config", "force")}
        self.run_id = run_id(self._identified(self.settings))
        self.folder = Path(self.options.runs or os.environ.get("RETHINK_RUNS", "runs")) / self.run_id
        if self.subcommand == "fit" and not self.options.trainer.fast_dev_run:
            self._check_whether_done()

    @staticmethod
    def _identified(settings: dict[str, Any]) -> dict[str, Any]:
        """The precision is an option of its own here, and a part of the trainer's for the identity."""
        precision = settings["precision"]
        trainer = dict(settings["trainer"])
        if precision != "auto":
            trainer["precision"] = precision
        return settings | {"trainer": trainer}

    def _check_whether_done(self) -> None:
        if (self.folder / "record.json").exists() and not self.options.force:
            outcome = Run.open(self.folder).outcome
            raise _Done(
                f"{self.folder} is finished ({outcome}). See it with `rethink show {self.run_id}`, "
                "train it anew with --force."
            )

    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        """Builds the trainer in the run's folder, with the precision that pays and a writer that survives a kill."""
        chosen = self._get(self.config_init, "trainer")
        options: dict[str, Any] = {"default_root_dir": str(self.folder)}
        if chosen["plugins"] is None:
            options["plugins"] = [AtomicCheckpointIO()]
        if self.options.wandb != "off" and not chosen["fast_dev_run"]:
            options["logger"] = self._wandb_logger()
        if chosen["precision"] is None:
            gpu = chosen["accelerator"] in ("auto", "gpu", "cuda") and torch.cuda.is_available()
            wanted = self.options.precision
            options["precision"] = probe(torch.device("cuda" if gpu else "cpu")) if wanted == "auto" else wanted
        return super().instantiate_trainer(**kwargs, **options)

    def _wandb_logger(self) -> WandbLogger:
        """A W&B run that is this run: its id, its whole configuration, and its folder."""
        model, data = self.settings["model"], self.settings["data"]
        randomization = (data["init_args"].get("randomization") or {"class_path": "TrueLabels"})["class_path"]
        names = [spec.rpartition(".")[2] for spec in (model["class_path"], data["class_path"], randomization)]
        self.folder.mkdir(parents=True, exist_ok=True)
        logger = WandbLogger(
            project=os.environ.get("WANDB_PROJECT", "rethink"),
            name=f"{' '.join(names)} {self.run_id}",
            id=self.run_id,
            offline=self.options.wandb == "offline",
            save_dir=str(self.folder),
            group=self.options.group or names[0],
            job_type=self.subcommand,
            tags=[*self.options.tags, *names],
            config=self.settings,
            resume="allow",
        )
        return logger

    # The commands.

    def fit(self, **kwargs: Any) -> None:
        """Trains, from the last checkpoint where there is one."""
        if self.options.trainer.fast_dev_run:
            self._without_record()
            self.trainer.fit(**kwargs)
            return
        with self._run_is_ours():
            checkpoint = kwargs.pop("ckpt_path", None)
            if self.options.force:
                self._start_anew()
            checkpoint = checkpoint or find_checkpoint(self.folder)
            record = next(c for c in self.trainer.callbacks if isinstance(c, Record))  # type: ignore[attr-defined]
            record.run_id, record.config = self.run_id, self.settings
            if self.trainer.is_global_zero:
                write_text(self.folder / "config.yaml", self._parser("fit").dump(self.options, skip_none=False))
                print(f"run {self.run_id} in {self.folder}" + (f", from {checkpoint}" if checkpoint else ""))
            self.trainer.fit(**kwargs, ckpt_path=checkpoint)

    def validate(self, **kwargs: Any) -> None:
        """Evaluates the run's final weights."""
        self.trainer.validate(**self._with_weights(kwargs))

    def test(self, **kwargs: Any) -> None:
        """Evaluates the run's final weights."""
        self.trainer.test(**self._with_weights(kwargs))

    def predict(self, **kwargs: Any) -> None:
        """Writes `predictions.csv` into the run's folder: index, true label, prediction and its probability."""
        kwargs = self._with_weights(kwargs)
        kwargs["return_predictions"] = True
        batches = self.trainer.predict(**kwargs)
        path = self.folder / "predictions.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(batches[0])
            for batch in batches:
                writer.writerows(zip(*(column.tolist() for column in batch.values()), strict=True))
        print(f"{path}: {sum(len(batch['index']) for batch in batches)} predictions")

    def _with_weights(self, kwargs: dict[str, Any]) -> dict[str, Any]:
        """The final weights of the run that the options describe, unless a checkpoint is given."""
        self._without_record()
        weights = kwargs.get("ckpt_path") or self.folder / "checkpoints" / "final.ckpt"
        if not Path(weights).is_file():
            raise UserError(
                f"there are no weights at {weights}. Train the run first (`rethink fit` with the same options), or "
                "name a file with --ckpt_path."
            )
        return kwargs | {"ckpt_path": weights}

    def _without_record(self) -> None:
        measuring = (Record, History, RunCheckpoint)
        callbacks: list[Any] = self.trainer.callbacks  # type: ignore[attr-defined]
        callbacks[:] = [c for c in callbacks if not isinstance(c, measuring)]

    @contextmanager
    def _run_is_ours(self) -> Iterator[None]:
        """Holds the run's lock, in the first process of a run, so that no other one trains it at the same time."""
        if not self.trainer.is_global_zero:
            yield
            return
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            lock = FileLock(self.folder / ".lock", timeout=0)
            with lock:
                yield
        except Timeout:
            raise UserError(f"{self.folder} is being trained by another process. Wait for it, or stop it.") from None
        except PermissionError as error:
            raise UserError(
                f"cannot write to {error.filename}. Give permission, or choose another folder with --runs."
            ) from None

    def _start_anew(self) -> None:
        if self.trainer.is_global_zero:
            for path in [self.folder / "record.json", *self.folder.glob("checkpoints/*.ckpt")]:
                path.unlink(missing_ok=True)
        self.trainer.strategy.barrier("force")


def _be_quiet() -> None:
    """Keeps the notes of Lightning that say nothing here out of the way."""
    for name in ("lightning.pytorch.utilities.rank_zero", "lightning.fabric.utilities.seed"):
        logging.getLogger(name).setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", message=".*does not have many workers.*")
    warnings.filterwarnings("ignore", message=".*smaller than the logging interval.*")
    warnings.filterwarnings("ignore", message=".*your dataloader is not resumable.*")
    warnings.filterwarnings("ignore", message=".*treespec.*LeafSpec.*")
