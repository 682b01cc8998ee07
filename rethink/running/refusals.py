"""What the parser accepts and nothing else does: numbers that are none, options that do not go together."""

import inspect
import math
import os
import re
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
from lightning.fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from lightning.pytorch import Trainer

from rethink.discovery import resolve
from rethink.errors import UserError
from rethink.models import Classifier
from rethink.running.written import GROUP, WrittenOptions

_LARGEST_SEED = 2**32 - 1  # of NumPy, and so of Lightning's `seed_everything`
_GROUPS = ("trainer", "convergence", "checkpoint")  # of options, each of which a config may set
_LEAST = {"check_val_every_n_epoch": 1, "num_sanity_val_steps": -1, "log_every_n_steps": 0}


def refuse_values(options: Mapping[str, Any], written: WrittenOptions) -> None:
    """Refuses numbers that no option of any class takes, a user's own included.

    Raises:
        UserError: A number is not finite, or has more than 64 bits; a seed is below 0 or has more than 32.
    """
    for file, content in written.configs.items():
        for name in _GROUPS:
            if not isinstance(content.get(name, {}), dict):
                raise UserError(f"--{name} {content[name]} in {file}: {GROUP}")
    nulls = {option for option, spec in _classes(options) for option in _needed(option, spec)}
    for option, value in _leaves(options):
        if option in nulls and value is None and written.given(option)[0] in ("null", "None"):
            raise UserError(f"{written.shown(option, 'null')}: expected a value.")
        expected = ""
        if re.search(r"(^|[._])seed(_everything)?$", option):
            if not (value is None or (type(value) is int and 0 <= value <= _LARGEST_SEED)):
                expected = f"a whole number from 0 to {_LARGEST_SEED}"
        elif isinstance(value, float) and not math.isfinite(value):
            expected = "a finite number" if written.names(option) else ""  # a default may be infinite
        elif isinstance(value, int) and abs(value) >= 2**63:
            expected = "a whole number below 2^63"
        elif isinstance(value, str) and "\0" in value:
            expected = "a text without the character NUL"
        if expected:
            raise UserError(f"{written.shown(option, value)}: expected {expected}.")


def refuse_trainer(options: Any, written: WrittenOptions) -> None:
    """Refuses options of the trainer that it takes, and does something else with, or fails on late.

    Raises:
        UserError: One of them cannot mean what it says.
    """
    trainer = options.trainer

    def refuse(name: str, why: str) -> None:
        raise UserError(f"{written.shown(f'trainer.{name}', trainer[name])}: {why}")

    for name, least in _LEAST.items():
        if trainer[name] is not None and trainer[name] < least:
            refuse(name, f"expected a number, {least} or more.")
    if trainer.min_epochs is not None and (trainer.max_epochs or -1) < trainer.min_epochs and trainer.max_epochs != -1:
        refuse("min_epochs", f"this is more than {written.shown('trainer.max_epochs', trainer.max_epochs)}.")
    if trainer.num_nodes > 1 and not (
        TorchElasticEnvironment.detect() or SLURMEnvironment.detect() or "NODE_RANK" in os.environ
    ):
        refuse("num_nodes", "this is one machine, which would wait for the others. Start it with torchrun or by SLURM.")
    _refuse_devices(trainer.devices, refuse)


def _refuse_devices(devices: Any, refuse: Any) -> None:
    if isinstance(devices, str) and not re.fullmatch(r"auto|-1|\d+(, *\d+)*", devices):
        refuse("devices", "expected auto, a number, or a list such as [0, 2].")
    numbers = devices if isinstance(devices, list) else []
    count = int(devices) if str(devices).lstrip("-").isdigit() else len(numbers)
    if devices != "auto" and "," not in str(devices) and (count == 0 or count < -1 or len(set(numbers)) < len(numbers)):
        refuse("devices", "expected auto, -1 for all, a number from 1 up, or a list such as [0, 2].")
    most = max(16, 2 * (os.cpu_count() or 1))
    if not torch.cuda.is_available() and count > most:
        refuse(
            "devices",
            f"there is no GPU here, so these would be processes on {os.cpu_count()} cores. Use {most} at most.",
        )


def refuse_budget(options: Any, written: WrittenOptions) -> None:
    """Refuses to train without an end, or for less than what is to be kept.

    Raises:
        UserError: There is no budget, or no epoch of `--checkpoint.keep_epochs` is within it.
    """
    trainer, epochs = options.trainer, options.trainer.max_epochs
    ends = trainer.max_steps != -1 or trainer.max_time is not None or trainer.fast_dev_run
    shown = written.shown("trainer.max_epochs", "null" if epochs is None else epochs)
    if epochs is None and not ends:
        raise UserError(f"{shown}: how long to train is not said. Expected a whole number, or --trainer.max_steps.")
    if epochs == -1 and not ends and options.convergence.stop_after is None and not trainer.callbacks:
        raise UserError(f"{shown}: this would train without end. Expected a number, or --convergence.stop_after.")
    kept = options.checkpoint.keep_epochs
    if kept and epochs is not None and 0 <= epochs < min(kept):
        raise UserError(f"{written.shown('checkpoint.keep_epochs', kept)}: there are no such epochs. {shown}.")


def refuse_switches(trainer: Trainer, model: Classifier) -> None:
    """Refuses a switch of the model that does not go with the images, before anything is written.

    Raises:
        UserError: It names the switch.
    """
    for split in getattr(getattr(trainer, "datamodule", None), "splits", {}).values():
        split.pipeline.check(model.switches)


def _classes(value: Any, option: str = "") -> Iterator[tuple[str, Any]]:
    """(option, specification) of every class in parsed options."""
    if hasattr(value, "as_dict"):
        if isinstance(value.get("class_path"), str):
            yield option, value
        for name, part in vars(value).items():
            yield from _classes(part, option if name == "init_args" else f"{option}.{name}".lstrip("."))


def _needed(option: str, spec: Any) -> Iterator[str]:
    """The options of a class that have a type which null is not of."""
    for kind in resolve(spec.class_path, object).__mro__:
        if "__init__" not in vars(kind) or kind is object:
            continue
        for name, parameter in inspect.signature(vars(kind)["__init__"]).parameters.items():
            if isinstance(parameter.annotation, type) and parameter.default is not None:
                yield f"{option}.{name}"


def _leaves(value: Any, option: str = "") -> Iterator[tuple[str, Any]]:
    """(option, value) of everything in parsed options; options are named without `init_args`."""
    if isinstance(value, Mapping) or hasattr(value, "as_dict"):
        for name, part in vars(value).items() if hasattr(value, "as_dict") else value.items():
            here = option if name == "init_args" else f"{option}.{name}" if option else str(name)
            yield from _leaves(part, here)
    elif isinstance(value, list | tuple | set):
        for part in value:
            yield from _leaves(part, option)
    else:
        yield option, value
