"""The setting of a run: all that its run_id hashes, in the paper's terms, and the seed apart.

It is what tables, figures and sweeps select and group by. Two runs of one setting differ in the seed alone, by
construction: a new option of any class sets runs apart without a line here.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Protocol, Self, TypeVar

from rethink.errors import UserError
from rethink.models.names import architecture, sizes, usual_batch_norm
from rethink.runs import wording

# Options with a short name -> the dotted one, and what holds where nothing is said.
_SHORT: dict[str, tuple[str, Any]] = {
    "weight_decay": ("model.weight_decay", 0.0),
    "augmentation": ("model.augmentation", "none"),
    "dropout": ("model.dropout", 0.0),
    "batch_norm": ("model.batch_norm", False),
    "decay": ("model.decay", 0.95),
    "validation_size": ("data.validation_size", 0),
    "train_size": ("data.train_size", None),
    "leave_out": ("data.leave_out", None),
    "weights_from": ("model.weights_from", None),
}
_FIELDS = ("architecture", "randomization", "corruption", "seed", "dataset", "rest")


def _option(name: str, kind: Callable[[Any], Any] = lambda value: value) -> property:
    """An option by its short name."""
    return property(lambda setting: kind(setting.value(name)))


@dataclass(frozen=True)
class Setting:
    """A cell of the paper's grid, with its seed."""

    architecture: str
    """The class, told apart by size as the paper does: `MLP 1x512`, `MLP 3x512`, `WideResNet 28-1`."""
    randomization: str
    """Class of the randomization, as in YAML; with its module where it is not the package's own."""
    corruption: float | None
    """Probability of label corruption, the x of Figures 1b and 1c; 0 and 1 are true and random labels. None: pixels."""
    seed: int | None = 0
    """None stands for all seeds."""
    dataset: str = "CIFAR10"
    """Class of the DataModule, as in YAML; with its module where it is not the package's own."""
    written: tuple[tuple[str, str], ...] = ()
    """Every other option that is not at its default: dotted name, and value as JSON. Sorted by name."""
    resolved: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)
    """Options at their defaults too, by dotted name, as far as they are at hand: to answer `value`."""

    @classmethod
    def of(cls, identity: Mapping[str, Any], resolved: Mapping[str, Any] | None = None) -> Self:
        """From what the run_id hashes (`rethink.runs.identity`), be it of a plan or of a record."""
        parts = dict(identity)
        seed = parts.pop("seed")
        model, model_options = parts.pop("model")
        data, data_options = parts.pop("data")
        randomization, randomization_options = parts.pop("randomization")
        corruption = corruption_of(randomization, randomization_options)
        if randomization == "PartiallyCorruptedLabels" and isinstance(randomization_options.get("probability"), float):
            randomization_options = _without(randomization_options, "probability")  # the corruption holds it
        options: dict[str, Any] = {}
        for part, chosen in (
            ("model", _without(model_options, *sizes(model, model_options))),
            ("data", data_options),
            ("randomization", randomization_options),
            *((part, parts.pop(part, {})) for part in ("trainer", "convergence")),
        ):
            options |= {f"{part}.{name}": value for name, value in chosen.items()}
        name = architecture(model, model_options)
        return cls(name, randomization, corruption, seed, data, as_written(options | parts), resolved or {})

    @cached_property
    def options(self) -> dict[str, Any]:
        """Dotted name -> value of every option that is not at its default and that no field holds."""
        return {name: json.loads(value) for name, value in self.written}

    @property
    def rest(self) -> tuple[tuple[str, str], ...]:
        """Of `written`, what has no short name."""
        short = {option for option, _ in _SHORT.values()}
        return tuple((name, value) for name, value in self.written if name not in short)

    def value(self, name: str) -> Any:
        """Of a field, of an option by its short name such as `dropout`, or of any by its dotted one, `model.momentum`.

        Raises:
            UserError: There is no field of that name, and no such option with a short name.
        """
        if name in _FIELDS:
            return getattr(self, name)
        option, default = _SHORT.get(name, (name, None))
        for options in (self.options, self.resolved):
            if option in options:
                return options[option]
        if name not in _SHORT and "." not in name:
            raise UserError(f"a setting has no {name!r}. Write an option with its part, such as model.{name}.")
        return usual_batch_norm(self.architecture) if option == "model.batch_norm" else default

    weight_decay = _option("weight_decay", float)
    augmentation = _option("augmentation", str)
    dropout = _option("dropout", float)
    batch_norm = _option("batch_norm", bool)
    decay = _option("decay", float)
    validation_size = _option("validation_size", lambda value: int(value or 0))
    train_size = _option("train_size")
    """Number of training images that was asked for; None: all."""
    leave_out = _option("leave_out")
    """Position of the training example that is left out."""
    weights_from = _option("weights_from")
    """The run from whose weights it starts."""

    @property
    def without_seed(self) -> Self:
        """The same, of all seeds."""
        return replace(self, seed=None)

    @property
    def values(self) -> dict[str, Any]:
        """What `matches` takes to mean exactly this setting, of any seed."""
        return {name: self.value(name) for name in (*_FIELDS, *_SHORT) if name != "seed"}

    def matches(self, **wanted: Any) -> bool:
        """Whether the setting has these values, by the names that `value` takes. True and False mean on and off."""
        return all(same_value(self.value(name), value) for name, value in wanted.items())

    @property
    def label(self) -> str:
        """What sets it apart, in a line: `MLP 1x512, random labels, weight decay 0.0005, seed 1`.

        Different settings have different labels: an option without words of its own stands there by its name.
        """
        words = [self.architecture, wording.randomization(self.randomization, self.corruption)]
        words += wording.options(self.architecture, self.dataset, self.options)
        return ", ".join([*words, *([] if self.seed is None else [f"seed {self.seed}"])])


def as_written(options: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """Options by dotted name as `Setting.written` has them."""
    return tuple((name, json.dumps(value, sort_keys=True)) for name, value in sorted(options.items()))


class HasSetting(Protocol):
    """A planned run, or a finished one."""

    @property
    def setting(self) -> Setting:
        """Its setting."""


_Run = TypeVar("_Run", bound=HasSetting)


def by_setting(runs: Iterable[_Run]) -> dict[Setting, list[_Run]]:
    """The runs of each setting, whatever their seeds, in their order: only such runs may be averaged."""
    groups: dict[Setting, list[_Run]] = {}
    for run in runs:
        groups.setdefault(run.setting.without_seed, []).append(run)
    return groups


def of_one_setting(runs: Sequence[_Run]) -> Sequence[_Run]:
    """The same runs.

    Raises:
        UserError: They differ in more than the seed, so that a mean would hide it. It names the difference.
    """
    settings = list(by_setting(runs))
    if len(settings) > 1:
        raise UserError(
            f"{len(settings)} settings cannot be averaged as one. They differ in {', '.join(differences(settings))}: "
            f"{'; '.join(setting.label for setting in settings[:3])}."
        )
    return runs


def differences(settings: Sequence[Setting]) -> list[str]:
    """The fields and options in which settings differ, the seed included."""
    names = [*_FIELDS[:-1], *dict.fromkeys(name for setting in settings for name, _ in setting.written)]
    return [name for name in names if len({json.dumps(_written(setting, name)) for setting in settings}) > 1]


def _written(setting: Setting, name: str) -> Any:
    return getattr(setting, name) if name in _FIELDS else dict(setting.written).get(name)


def corruption_of(randomization: str, options: Mapping[str, Any]) -> float | None:
    """Probability of label corruption; None where pixels are altered, and where the randomization has none."""
    ends = {"TrueLabels": 0.0, "RandomLabels": 1.0}
    if randomization in ends:
        return ends[randomization]
    probability = options.get("probability")
    return None if probability is None else float(probability)


def _without(options: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in options.items() if name not in names}


def same_value(value: Any, wanted: Any) -> bool:
    """Whether a value of an option is the one that is wanted. True and False mean on and off."""
    if isinstance(wanted, bool):
        return bool(value) == wanted
    if isinstance(wanted, float) and isinstance(value, int | float):
        return abs(value - wanted) < 1e-9
    return bool(value == wanted)
