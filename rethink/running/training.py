"""`rethink fit|validate|test|predict`: LightningCLI, with the run's folder, identity and resume around it."""

import csv
import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeVar, get_args

import torch
from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
from lightning.fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI
from torch.multiprocessing.spawn import ProcessExitedException

from rethink.callbacks.best_test_accuracy import BestTestAccuracy
from rethink.callbacks.checkpoint import AtomicCheckpointIO, RunCheckpoint, find_checkpoint
from rethink.callbacks.convergence import Convergence
from rethink.callbacks.history import History
from rethink.callbacks.label_corruption import LabelCorruption
from rethink.callbacks.progress import ProgressDisplay
from rethink.callbacks.record import Record
from rethink.cluster import preemption, slurm
from rethink.cluster.lease import Lease
from rethink.data import ImageDataModule
from rethink.errors import UserError
from rethink.files import write_text
from rethink.models import Classifier
from rethink.running import loggers
from rethink.running.messages import Parser, require_complete, root_cause
from rethink.runs.identity import parts, run_id
from rethink.runs.run import Run, runs_folder
from rethink.runs.weights import final_weights, lacks_weights
from rethink.training import lightning_internals
from rethink.training.allocator import keep_freed_memory
from rethink.training.precision import probe

_Callback = TypeVar("_Callback", bound=Callback)
Precision = Literal["auto", "32-true", "bf16-mixed", "bf16-true", "64-true"]

_LINKED = {
    "--model.seed": "use --seed_everything",
    "--data.seed": "use --seed_everything, or --data.randomization.seed and --data.subset_seed",
    "--model.image_shape": "the data set sets it",
    "--model.num_classes": "the data set sets it",
}


def main(args: list[str]) -> None:
    """Runs `rethink ARGS` with ARGS from `fit`, `validate`, `test` or `predict` on."""
    try:
        _run(RethinkCLI, args)
    except _Done as done:
        print(done)
    except MisconfigurationException as error:  # options of the trainer that do not go together, or not on this machine
        raise UserError(f"the trainer refuses this: {str(error).splitlines()[0]}") from error


def identify(args: list[str]) -> tuple[str, dict[str, Any]]:
    """The run_id of `rethink ARGS` and the parts of its setting, without training."""
    try:
        _run(_Identification, args)
    except _Identified as found:
        return found.run_id, found.parts
    raise AssertionError("an identification always ends so")


def _run(cli: type["RethinkCLI"], args: list[str]) -> None:
    _be_quiet()
    keep_freed_memory()
    cli(
        Classifier,
        ImageDataModule,
        subclass_mode_model=True,
        subclass_mode_data=True,
        parser_class=Parser,
        save_config_callback=None,  # the run's folder is ours: see `fit`
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


class _Done(Exception):
    """There is nothing left to do."""


class _Identified(Exception):
    """It is known which run this is."""

    def __init__(self, run_id: str, parts: dict[str, Any]) -> None:
        self.run_id, self.parts = run_id, parts


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
            type=Literal["off", "offline", "online"] | None,
            default=None,
            help="Log to Weights & Biases, or not. Default: off, unless configs/logger/wandb.yaml is used.",
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
        for option in (argument.partition("=")[0].replace(".init_args.", ".") for argument in args):
            if option in _LINKED:
                raise UserError(f"{option} is no option of its own: {_LINKED[option]}.")
        self.config = parser.parse_args(args)

    # The run's folder.

    @property
    def options(self) -> Any:
        """The parsed options of the subcommand."""
        return self.config[self.subcommand]

    def before_instantiate_classes(self) -> None:
        """Finds the run that these options describe, before anything heavy is built."""
        self._check()
        if slurm.restarted() and self.options.force:
            print("A requeued job goes on: --force was its first start's.")
            self.options.force = False
        self._dump_config()
        self.settings: dict[str, Any] = {k: v for k, v in self.config_dump.items() if k not in ("config", "force")}
        self.run_id = run_id(self._identified(self.settings))
        self.folder = runs_folder(self.options.runs) / self.run_id
        self.saved = self._parser(self.subcommand).dump(self._repeatable(), skip_none=False)
        if self.subcommand == "fit" and not self.options.trainer.fast_dev_run:
            self._check_whether_done()
        loggers.complete(self.options, self.folder, self.run_id, self.settings, self.subcommand)

    def _check(self) -> None:
        """Refuses what the parser accepts and cannot work."""
        model, data = self.options.model, self.options.data
        require_complete("model", model.class_path)
        require_complete("data", data.class_path)
        if data.init_args.get("randomization"):
            require_complete("data.randomization", data.init_args.randomization.class_path)
        if str(self.options.trainer.precision) in ("16", "16-mixed"):
            raise UserError(
                f"--trainer.precision {self.options.trainer.precision}: float16 needs a scaled loss, which "
                f"the steps here do not have. Use --precision with one of {', '.join(get_args(Precision))}."
            )
        trainer = self.options.trainer
        if trainer.limit_train_batches or trainer.overfit_batches or trainer.val_check_interval:
            data.init_args.steps_per_call = 1  # Lightning counts calls: so that these count steps
        weights = self.options.get("ckpt_path")
        if weights and not Path(weights).is_file():
            raise UserError(f"--ckpt_path {weights}: there is no such file.")

    def _repeatable(self) -> Any:
        """The options that are saved with the run: the same run, neither anew nor from a checkpoint."""
        options = self.options.clone()
        options.force, options.ckpt_path = False, None
        return options

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
            run = Run.open(self.folder)
            if run.changed_code:
                raise UserError(
                    f"{self.folder} is finished ({run.outcome}), but the code that it was computed by has changed "
                    f"since: {', '.join(run.changed_code)}. Train it anew with --force, or change the code back."
                )
            wanted = self.options.checkpoint.keep_epochs
            epochs = lacks_weights(self.folder, wanted, run.last_epoch)
            if epochs or not final_weights(self.folder).is_file():
                lacking = f"the weights of epochs {epochs}" if epochs else "its weights"
                print(f"{self.folder} is finished, without {lacking}: it is trained once more.")
                self.options.force = True
                return
            raise _Done(
                f"{self.folder} is finished ({run.outcome}). See it with `rethink show {self.run_id}`, "
                "train it anew with --force."
            )

    def instantiate_classes(self) -> None:
        """Builds data, model and trainer; a value that one of them refuses is the user's to mend."""
        try:
            super().instantiate_classes()
        except (ValueError, ModuleNotFoundError) as error:
            raise UserError(root_cause(error)) from error

    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        """Builds the trainer in the run's folder, with the precision that pays and whole checkpoints."""
        chosen = self._get(self.config_init, "trainer")
        options: dict[str, Any] = {"default_root_dir": str(self.folder)}
        if chosen["accelerator"] == "auto" and torch.backends.mps.is_available():
            options["accelerator"] = "cpu"  # Apple's GPU has no float64, in which the metrics are summed
        if chosen["plugins"] is None:
            options["plugins"] = [AtomicCheckpointIO(), *_cluster()]
        if chosen["precision"] is None:
            gpu = chosen["accelerator"] in ("auto", "gpu", "cuda") and torch.cuda.is_available()
            wanted = self.options.precision
            options["precision"] = probe(torch.device("cuda" if gpu else "cpu")) if wanted == "auto" else wanted
        return super().instantiate_trainer(**kwargs, **options)

    # The commands.

    def fit(self, **kwargs: Any) -> None:
        """Trains, from the last checkpoint where there is one."""
        if self.options.trainer.fast_dev_run:
            self._without_record()
            self.trainer.fit(**kwargs)
            return
        lightning_internals.leave_signals_alone(self.trainer)
        with self._run_is_ours() as lease:
            if self.options.force:
                self._start_anew()
            checkpoint = self._checkpoint(kwargs.pop("ckpt_path", None))
            record, saving = self._callback(Record), self._callback(RunCheckpoint)
            record.run_id, record.config = self.run_id, self.settings
            saving.lease = lease
            began = _Began(
                self.folder / "config.yaml",
                self.saved,
                f"run {self.run_id} in {self.folder}" + (f", from {checkpoint}" if checkpoint else ""),
            )
            self.trainer.callbacks.insert(0, began)  # type: ignore[attr-defined]
            with loggers.session(self.trainer, self.settings), self._preemptible():
                self.trainer.fit(**kwargs, ckpt_path=checkpoint)
        record.require_whole(self.folder)

    def _checkpoint(self, chosen: str | None) -> Path | str | None:
        """From which to go on. A requeued job has gone on from the chosen one already."""
        return find_checkpoint(self.folder) or chosen if slurm.restarted() else chosen or find_checkpoint(self.folder)

    def _callback(self, kind: type[_Callback]) -> _Callback:
        return next(c for c in self.trainer.callbacks if isinstance(c, kind))  # type: ignore[attr-defined]

    @contextmanager
    def _preemptible(self) -> Iterator[None]:
        """Passes signals on to forked processes, and their end back; says what --force would do once more."""
        if (kill := lightning_internals.signal_forks(self.trainer)) is not None:
            preemption.pass_on(kill)
        try:
            yield
        except ProcessExitedException as error:
            if error.exit_code != preemption.EXIT_CODE:
                raise
            raise preemption.Preempted("preempted; the same command goes on from where it was saved") from None
        except preemption.Preempted as preempted:
            if preempted.message and self.options.force:
                preempted.message += ", without --force"
            raise

    def validate(self, **kwargs: Any) -> None:
        """Evaluates the run's final weights."""
        self._evaluate(self.trainer.validate, kwargs)

    def test(self, **kwargs: Any) -> None:
        """Evaluates the run's final weights."""
        self._evaluate(self.trainer.test, kwargs)

    def _evaluate(self, evaluate: Callable[..., Any], kwargs: dict[str, Any]) -> None:
        kwargs = self._with_weights(kwargs) | {"verbose": False}  # Lightning's table cuts our names off
        with loggers.session(self.trainer, self.settings):
            evaluate(**kwargs)
        if self.trainer.is_global_zero:
            for name, value in self.model.epoch_metrics.items():
                print(f"{name:<26}{value:.6g}")

    def predict(self, **kwargs: Any) -> None:
        """Writes `predictions.csv` into the run's folder: index, true label, prediction, its probability."""
        kwargs = self._with_weights(kwargs)
        if self.trainer.world_size > 1:
            raise UserError(f"predict runs in one process, not in {self.trainer.world_size}. Add --trainer.devices 1.")
        kwargs["return_predictions"] = True
        batches: Any = self.trainer.predict(**kwargs)
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
        weights = kwargs.get("ckpt_path") or final_weights(self.folder)
        if not Path(weights).is_file():
            raise UserError(
                f"there are no weights at {weights}. Train the run first (`rethink fit` with the same "
                "options), or name a file with --ckpt_path."
            )
        return kwargs | {"ckpt_path": weights}

    def _without_record(self) -> None:
        measuring = (Record, History, RunCheckpoint)
        callbacks: list[Any] = self.trainer.callbacks  # type: ignore[attr-defined]
        callbacks[:] = [c for c in callbacks if not isinstance(c, measuring)]

    @contextmanager
    def _run_is_ours(self) -> Iterator[Lease | None]:
        """Has the run's lease, in the first process of a run. One that was refused before it began leaves no folder."""
        if not self.trainer.is_global_zero:
            yield None
            return
        try:
            with Lease(self.folder).held() as lease:
                yield lease
        except PermissionError as error:
            raise UserError(
                f"cannot write to {error.filename}. Give permission, or choose another folder with --runs."
            ) from None
        finally:
            with suppress(OSError):
                self.folder.rmdir()  # if it is empty

    def _start_anew(self) -> None:
        if self.trainer.is_global_zero:
            for path in [self.folder / "record.json", *self.folder.glob("checkpoints/*.ckpt")]:
                path.unlink(missing_ok=True)
        self.trainer.strategy.barrier("force")


def _cluster() -> list[SLURMEnvironment]:
    """SLURM where Lightning would find it, without its requeueing: see `rethink.cluster.preemption`."""
    if TorchElasticEnvironment.detect() or not SLURMEnvironment.detect():  # torchrun may run within a job
        return []
    try:
        return [SLURMEnvironment(auto_requeue=False)]
    except RuntimeError as error:
        raise UserError(f"this SLURM job does not fit: {error}") from error


class _Began(Callback):
    """Says which run this is and writes its configuration, once data and model have been set up."""

    def __init__(self, path: Path, config: str, line: str) -> None:
        self.path, self.config, self.line = path, config, line

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.is_global_zero:
            write_text(self.path, self.config)
            print(self.line)


class _Identification(RethinkCLI):
    """Stops when the run's identity is known. A plan has many runs: they share one parser, of `fit` alone."""

    _parsers: ClassVar[tuple[Any, Any] | None] = None

    @staticmethod
    def subcommands() -> dict[str, set[str]]:
        return {"fit": LightningCLI.subcommands()["fit"]}

    def setup_parser(self, *args: Any, **kwargs: Any) -> None:
        if _Identification._parsers is None:
            super().setup_parser(*args, **kwargs)
            _Identification._parsers = self.parser, self._subcommand_parsers
        self.parser, self._subcommand_parsers = _Identification._parsers

    def before_instantiate_classes(self) -> None:
        self._check()
        self._dump_config()
        found = self._identified(self.config_dump)
        raise _Identified(run_id(found), parts(found))


def _be_quiet() -> None:
    """Keeps the notes of Lightning that say nothing here out of the way."""
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", message=".*does not have many workers.*")
    warnings.filterwarnings("ignore", message=".*smaller than the logging interval.*")
    warnings.filterwarnings("ignore", message=".*your dataloader is not resumable.*")
    warnings.filterwarnings("ignore", message=".*when logging on epoch level in distributed setting.*")  # exact already
    warnings.filterwarnings("ignore", message=".*logger=True.* but have no logger configured.*")
    warnings.filterwarnings("ignore", message=".*`srun` command is available.*")  # one process needs none
    warnings.filterwarnings("ignore", message=".*treespec.*LeafSpec.*")
