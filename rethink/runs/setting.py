"""The setting of a run in the paper's terms: network, randomization, regularizers, seed.

It is what tables, figures and sweeps select and group by, read alike from a plan (no run yet) and from a record.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self


@dataclass(frozen=True)
class Setting:
    """One cell of the paper's grid, with its seed."""

    architecture: str
    """The class, told apart by size as the paper does: `MLP 1x512`, `MLP 3x512`, `WideResNet 28-1`."""
    randomization: str
    """Class of the randomization, as in YAML."""
    corruption: float | None
    """Probability of label corruption, the x of Figures 1b and 1c; 0 and 1 are true and random labels. None: pixels."""
    seed: int = 0
    weight_decay: float = 0.0
    augmentation: str = "none"
    dropout: float = 0.0
    batch_norm: bool = False
    decay: float = 0.95
    validation_size: int = 0
    train_size: int | None = None
    """Number of training images that was asked for; None: all."""
    leave_out: int | None = None
    """Position of the training example that is left out."""
    weights_from: str | None = None
    """The run from whose weights it starts."""
    dataset: str = "CIFAR10"
    """Class of the DataModule, as in YAML."""

    @classmethod
    def of(cls, parts: Mapping[str, Any]) -> Self:
        """From the parts `model`, `randomization`, `data` and `seed` of a plan, or of record.json."""
        arguments = parts["model"].get("init_args", {})
        data = _data_options(parts)
        return cls(
            _architecture(str(parts["model"]["class"]), arguments),
            str(parts["randomization"]["class"]),
            _corruption(parts["randomization"]),
            int(parts["seed"]),
            float(arguments.get("weight_decay", 0.0)),
            str(arguments.get("augmentation", "none")),
            float(arguments.get("dropout", 0.0)),
            bool(arguments.get("batch_norm", False)),
            float(arguments.get("decay", 0.95)),
            int(parts["data"].get("validation_size") or 0),
            data.get("train_size"),
            data.get("leave_out"),
            arguments.get("weights_from"),
            str(parts["data"]["class"]),
        )

    def matches(self, **wanted: Any) -> bool:
        """Whether the setting has these values. For `weight_decay` and `dropout`, True and False mean on and off."""
        return all(_same(getattr(self, name), value) for name, value in wanted.items())

    @property
    def label(self) -> str:
        """What sets it apart, in a line: `MLP 1x512, random labels, weight decay 0.0005, seed 1`."""
        partial = self.randomization == "PartiallyCorruptedLabels"
        words = [self.architecture, f"label corruption {self.corruption:g}" if partial else _words(self.randomization)]
        words += ["batch norm"] if self.batch_norm else []
        words += [f"weight decay {self.weight_decay:g}"] if self.weight_decay else []
        words += [self.augmentation.replace("_", " ")] if self.augmentation != "none" else []
        words += [f"dropout {self.dropout:g}"] if self.dropout else []
        words += [f"decay {self.decay:g}"] if self.decay != 0.95 else []
        words += [f"{self.validation_size} held out"] if self.validation_size else []
        words += [self.dataset] if self.dataset != "CIFAR10" else []
        words += [f"{self.train_size:,} images"] if self.train_size is not None else []
        words += [f"without example {self.leave_out}"] if self.leave_out is not None else []
        words += [f"from the weights of {self.weights_from}"] if self.weights_from else []
        return ", ".join([*words, f"seed {self.seed}"])


def _data_options(parts: Mapping[str, Any]) -> Mapping[str, Any]:
    """As asked for: a record has them in its configuration, and says beside it how many images there were."""
    if "config" not in parts:
        return dict(parts["data"])
    return (parts["config"].get("data") or {}).get("init_args") or {}


def _architecture(name: str, arguments: Mapping[str, Any]) -> str:
    if name == "MLP":
        sizes = arguments.get("hidden_sizes", [512])
        if len(set(sizes)) == 1:
            return f"MLP {len(sizes)}x{sizes[0]}"
        return "MLP " + "-".join(map(str, sizes))
    if name == "WideResNet":
        return f"WideResNet {arguments.get('depth', 28)}-{arguments.get('width', 1)}"
    return name


def _corruption(randomization: Mapping[str, Any]) -> float | None:
    ends = {"TrueLabels": 0.0, "RandomLabels": 1.0}
    if randomization["class"] in ends:
        return ends[randomization["class"]]
    probability = randomization.get("probability")
    return None if probability is None else float(probability)


def _same(value: Any, wanted: Any) -> bool:
    if isinstance(wanted, bool):
        return bool(value) == wanted
    if isinstance(wanted, float) and value is not None:
        return bool(abs(value - wanted) < 1e-9)
    return bool(value == wanted)


def _words(name: str) -> str:
    """RandomLabels as `random labels`."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower()
