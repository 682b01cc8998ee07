"""The words of a setting: networks and labels as the paper calls them, and options in a line.

Different options never have the same words. So what has none of its own, or an unusual value, stands by its name.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from rethink.models.names import of_the_package, usual_batch_norm, usual_epochs

_AUGMENTATIONS = ("random_crop", "flip_rotate", "random_crop_flip_rotate")

# The words of an option, in their order: the type that its value has to have for them, and the text.
_WORDS: dict[str, tuple[type, str]] = {
    "model.weight_decay": (float, "weight decay {}"),
    "model.augmentation": (str, "{}"),
    "model.dropout": (float, "dropout {}"),
    "model.decay": (float, "decay {}"),
    "data.validation_size": (int, "{} held out"),
    "dataset": (str, "{}"),
    "data.train_size": (int, "{:,} images"),
    "data.leave_out": (int, "without example {}"),
    "model.weights_from": (str, "from the weights of {}"),
    "model.momentum": (float, "momentum {}"),
    "model.learning_rate": (float, "learning rate {}"),
    "model.decay_steps": (int, "decay steps {}"),
    "model.weight_decay_on": (str, "weight decay on {}"),
    "data.batch_size": (int, "batch size {}"),
    "data.test_size": (int, "{:,} test images"),
    "data.subset_seed": (int, "subset seed {}"),
    "randomization.seed": (int, "randomization seed {}"),
    "randomization.scope": (str, "scope {}"),
    "randomization.statistics": (str, "statistics {}"),
    "randomization.region": (str, "region {}"),
    "trainer.max_epochs": (int, "{} epochs"),
    "trainer.max_steps": (int, "{} steps"),
    "trainer.precision": (str, "precision {}"),
    "trainer.check_val_every_n_epoch": (int, "evaluated every {} epochs"),
    "convergence.stop_rule": (str, "stop rule {}"),
    "convergence.stop_after": (int, "stop after {}"),
}
# A network's own option whose name begins like one of these words stands by its dotted name.
_TAKEN = {text.split()[0] for _, text in _WORDS.values()} | {"batch", "random", "flip", "label", "no", "seed"}
_PLAIN = re.compile(r"[\w.:/<>=%+-]+", re.ASCII)
_CONSTANTS = ("true", "false", "null", "nan", "infinity")


def randomization(name: str, corruption: float | None) -> str:
    """`RandomLabels` as `random labels`, and the level of a corruption. A class of somebody's own keeps its name."""
    if name == "PartiallyCorruptedLabels" and corruption is not None:
        return f"label corruption {_number(corruption)}"
    return name if "." in name else re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower()


def options(architecture: str, dataset: str, chosen: Mapping[str, Any]) -> Iterator[str]:
    """The words of the options that are not at their defaults, of batch norm, and of an unusual budget."""
    left = dict(chosen) | ({} if dataset == "CIFAR10" else {"dataset": dataset})
    if of_the_package(architecture) and isinstance(left.get("model.batch_norm", True), bool):
        yield from ["batch norm"] if left.pop("model.batch_norm", usual_batch_norm(architecture)) else []
    epochs = left.setdefault("trainer.max_epochs", None)
    if type(epochs) is int and epochs == usual_epochs(architecture):
        del left["trainer.max_epochs"]
    for name, (kind, text) in _WORDS.items():
        if name in left and _fits(name, left[name], kind):
            value = left.pop(name)
            words = text.format(_number(value) if kind is float else value)
            words = re.sub(r"\b1 (\w+)s$", r"1 \1", words)  # 1 epoch
            yield words.replace("_", " ") if name == "model.augmentation" else words
    if left.get("trainer.max_epochs", ...) is None:
        del left["trainer.max_epochs"]
        yield "no limit of epochs"
    yield from (f"{_named(name)} {_value(value)}" for name, value in sorted(left.items()))


def _fits(name: str, value: Any, kind: type) -> bool:
    if name == "model.augmentation":
        return value in _AUGMENTATIONS
    return type(value) is kind and (not isinstance(value, str) or _PLAIN.fullmatch(value) is not None)


def _named(option: str) -> str:
    part, _, name = option.partition(".")
    if not name:
        return f"{option}:"
    plain = part == "model" and re.fullmatch(r"[a-z0-9]+(_[a-z0-9]+)*", name) and name.split("_")[0] not in _TAKEN
    return name.replace("_", " ") if plain else option


def _value(value: Any) -> str:
    """Text as it is where it cannot be taken for something else, a class as `Adam(lr=0.1)`, all else as JSON."""
    if isinstance(value, str) and _PLAIN.fullmatch(value) and value[0].isalpha() and value.lower() not in _CONSTANTS:
        return value
    if isinstance(value, dict) and value.keys() == {"class", "options"} and isinstance(value["options"], dict):
        return f"{value['class']}({', '.join(f'{k}={_value(v)}' for k, v in value['options'].items())})"
    return json.dumps(value, sort_keys=True)


def _number(value: float) -> str:
    short = f"{value:g}"
    return short if float(short) == value else repr(value)
