"""The options of `rethink fit|validate|test|predict`: LightningCLI with ours added, and what it refuses."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal, get_args

import yaml
from jsonargparse.typing import PositiveFloat
from lightning.pytorch import Callback, Trainer
from lightning.pytorch.callbacks.timer import Interval
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI

import rethink.callbacks
from rethink.callbacks.best_test_accuracy import BestTestAccuracy
from rethink.callbacks.checkpoint import RunCheckpoint
from rethink.callbacks.convergence import Convergence
from rethink.callbacks.history import History
from rethink.callbacks.label_corruption import LabelCorruption
from rethink.callbacks.progress import ProgressDisplay
from rethink.callbacks.record import Record
from rethink.data import ImageDataModule
from rethink.discovery import subclasses
from rethink.errors import UserError
from rethink.models import Classifier
from rethink.running.messages import Parser, require_complete, root_cause
from rethink.running.refusals import refuse_trainer
from rethink.running.remembering import PLAIN
from rethink.running.trainer import callback, trainer_options
from rethink.training.refusals import refuse_unrecorded

Precision = Literal["auto", "32-true", "bf16-mixed", "bf16-true", "16-true", "64-true"]

_CALLBACKS: dict[str, type[Callback]] = {
    "convergence": Convergence,
    "best_test_accuracy": BestTestAccuracy,
    "label_corruption": LabelCorruption,
    "history": History,
    "record": Record,
    "progress": ProgressDisplay,
    "checkpoint": RunCheckpoint,
}
# The default of an option of Timer; jsonargparse writes configurations as plain YAML.
yaml.SafeDumper.add_representer(Interval, lambda dumper, value: dumper.represent_str(value.value))

_LINKED = {
    "--model.seed": "use --seed_everything",
    "--data.seed": "use --seed_everything, or --data.randomization.seed and --data.subset_seed",
    "--model.image_shape": "the data set sets it",
    "--model.num_classes": "the data set sets it",
}


class RunCLI(LightningCLI):
    """LightningCLI one step at a time: the options are parsed here, `build` makes trainer, model and data of them.

    So a plan can identify hundreds of runs and build none. A command has one parser, which all of them share, and which
    is no subcommand's: the stock CLI parses and checks these twice.

    Args:
        args: The arguments, from `fit`, `validate`, `test` or `predict` on.
    """

    _parsers: ClassVar[dict[str, tuple[LightningArgumentParser, list[str]]]] = {}
    """By command, its parser and the names of the options that are arguments of the trainer's method."""

    def __init__(self, args: Sequence[str]) -> None:
        self.command = args[0]
        subclasses(rethink.callbacks, Callback)  # imported, they can be named without their module
        super().__init__(
            Classifier,
            ImageDataModule,
            subclass_mode_model=True,
            subclass_mode_data=True,
            parser_class=Parser,
            save_config_callback=None,  # the run's folder is ours: see `rethink.running.fitting`
            seed_everything_default=0,
            auto_configure_optimizers=False,
            load_from_checkpoint_support=False,
            trainer_defaults={
                "logger": False,
                "enable_model_summary": False,
                "num_sanity_val_steps": 0,
                "use_distributed_sampler": False,  # batches are drawn by (seed, epoch) for any number of ranks
            },
            args=list(args[1:]),
            run=False,  # the commands are functions that take a RunCLI
        )

    # Parsing.

    def setup_parser(self, *args: Any, **kwargs: Any) -> None:
        """Makes the parser of this command, once in a process."""
        if self.command not in self._parsers:
            self._subcommand_method_arguments: dict[str, list[str]] = {}  # filled by the next line
            parser = self._prepare_subcommand_parser(Trainer, self.command, prog=f"rethink {self.command}")
            self._parsers[self.command] = parser, self._subcommand_method_arguments[self.command]
        self.parser, self._of_method = self._parsers[self.command]

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Adds the measuring callbacks, the switches, and the links from the data to the model."""
        parser.add_argument(
            "--runs", type=str | None, default=None, help="Folder of the runs. Default: $RETHINK_RUNS, or runs/."
        )
        parser.add_argument(
            "--force",
            action="store_true",
            help="Train anew, also where the run is finished or was begun. What is finished is kept in before/ of its "
            "folder until the new one has finished.",
        )
        parser.add_argument(
            "--precision",
            type=Precision,
            default="auto",
            help="auto is bf16 autocast with float32 master weights where that is faster than float32.",
        )
        parser.add_argument(
            "--timeout",
            type=PositiveFloat,
            default=120.0,
            help="Seconds after which a process of several that is not heard of is taken for lost, and the run ends.",
        )
        parser.add_argument(
            "--wandb",
            type=Literal["off", "offline", "online"] | None,
            default=None,
            help="Log to Weights & Biases, or not. Default: off, unless configs/logger/wandb.yaml is used.",
        )
        parser.add_argument("--group", type=str | None, default=None, help="W&B group, such as the experiment.")
        parser.add_argument("--tags", type=list[str], default=[], help="W&B tags.")
        for key, kind in _CALLBACKS.items():
            parser.add_lightning_class_args(kind, key)
        for key in ("model", "data"):
            parser.link_arguments("seed_everything", f"{key}.init_args.seed")
        for key in ("image_shape", "num_classes"):
            parser.link_arguments(f"data.{key}", f"model.init_args.{key}", apply_on="instantiate")

    def parse_arguments(self, parser: LightningArgumentParser, args: Any) -> None:
        """Parses without the stock warning that sys.argv is there too: calls in process are meant."""
        for option in (argument.partition("=")[0].replace(".init_args.", ".") for argument in args):
            if option in _LINKED:
                raise UserError(f"{option} is no option of its own: {_LINKED[option]}.")
        assert isinstance(parser, Parser)  # as `parser_class` asked for
        self.config = parser.parse_args(args)
        self.written = parser.written

    @property
    def options(self) -> Any:
        """The parsed options of the command."""
        return self.config

    def _parse_ckpt_path(self) -> None:
        """Takes no option from a checkpoint, which the stock method reads before anybody has verified it."""

    def before_instantiate_classes(self) -> None:
        """Refuses what the parser accepts and cannot work, and notes the whole resolved configuration."""
        model, data, trainer = self.options.model, self.options.data, self.options.trainer
        require_complete("model", model.class_path)
        require_complete("data", data.class_path)
        if data.init_args.get("randomization"):
            require_complete("data.randomization", data.init_args.randomization.class_path)
        for name in ("callbacks", "logger"):  # an option of a class that nobody chose makes one of the base
            for chosen in trainer[name] if isinstance(trainer[name], list) else [trainer[name]]:
                if hasattr(chosen, "class_path"):
                    require_complete(f"trainer.{name}", chosen.class_path)
        if str(trainer.precision) in ("16", "16-mixed"):
            raise UserError(
                f"--trainer.precision {trainer.precision}: float16 needs a scaled loss, which the steps here do not "
                f"have. Use --precision with one of {', '.join(get_args(Precision))}."
            )
        precisions = {self.options.precision, trainer.precision} - {"auto", None}
        if len(precisions) > 1:
            raise UserError(
                f"--precision {self.options.precision} and --trainer.precision {trainer.precision}: one of them is "
                "enough, and they say two things."
            )
        for name in ("barebones", "enable_checkpointing"):
            if trainer[name] is not None and trainer[name] == (name == "barebones"):
                raise UserError(
                    f"--trainer.{name} {str(trainer[name]).lower()}: a run keeps a record, and the checkpoint from "
                    "which it goes on after a kill. A Trainer of your own in Python has neither."
                )
        refuse_trainer(self.options, self.written)
        weights = self.options.get("ckpt_path")
        if weights and not Path(weights).is_file():
            raise UserError(f"--ckpt_path {weights}: there is no such file.")
        self._dump_config()

    def _dump_config(self) -> None:
        """Once more as plain values. What has just been parsed is not checked again, which takes as long as parsing."""
        chosen = {"skip_link_targets": False, "skip_none": False, "skip_validation": True}
        self.config_dump = self.parser.dump(self.config, format=PLAIN, **chosen)

    @property
    def settings(self) -> dict[str, Any]:
        """The whole resolved configuration, but not how it was asked for."""
        return {name: value for name, value in self.config_dump.items() if name not in ("config", "force")}

    def repeatable(self) -> str:
        """The options as YAML for another start of this run: neither anew nor from a chosen checkpoint."""
        options = self.options.clone()
        options.force, options.ckpt_path = False, None
        return str(self.parser.dump(options, skip_none=False))

    # Building.

    def instantiate_classes(self) -> None:
        """Nothing yet: see `build`."""

    def build(self, folder: Path) -> None:
        """Makes data, model and trainer in a run's folder; a value that one of them refuses is the user's to mend."""
        self._folder = folder
        try:
            super().instantiate_classes()
            if self.command == "fit" and not self.options.trainer.fast_dev_run:
                refuse_unrecorded(self.trainer)
        except (ValueError, ModuleNotFoundError) as error:
            raise UserError(root_cause(error)) from error

    def instantiate_trainer(self, **kwargs: Any) -> Any:
        """Makes the trainer with what it needs here."""
        chosen = self._get(self.config_init, "trainer")
        options = trainer_options(chosen, self.options.precision, self._folder)
        try:
            trainer = super().instantiate_trainer(**kwargs, **options)
        except TypeError as error:
            raise UserError(f"the trainer refuses this: {root_cause(error)}") from error
        if chosen["enable_progress_bar"] is False:
            callback(trainer, ProgressDisplay).disable()
        return trainer

    def method_arguments(self) -> dict[str, Any]:
        """What the trainer's method of this command is called with."""
        own = {name: self.config_init[name] for name in self._of_method}
        return {**own, "model": self.model, "datamodule": self.datamodule}
