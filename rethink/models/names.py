"""What the architectures are called: in records and sweeps, in sentences, in the paper. Needs no torch.

This is the one place: words, legends, colours and the paper's tables follow from it. An architecture of one's own
needs no entry: it is called by its class.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Architecture:
    """The names of an architecture of the paper.

    name: in records, sweeps and tables. label: in a sentence or a legend. paper: in the paper's tables; None where it
    is not in the paper. batch_norm: whether it has batch norm when nothing is said about it. epochs: its usual budget.
    """

    name: str
    label: str
    paper: str | None
    batch_norm: bool = False
    epochs: int = 100


# In the order of the paper's Figure 1b, then what came later, then the networks of ImageNet. A figure's colours are in
# this order too: append only.
ARCHITECTURES: Mapping[str, Architecture] = {
    architecture.name: architecture
    for architecture in (
        Architecture("SmallInception", "small Inception", "Inception", batch_norm=True, epochs=64),
        Architecture("SmallAlexNet", "small AlexNet", "Alexnet"),
        Architecture("MLP 1x512", "MLP 1x512", "MLP 1x512"),
        Architecture("MLP 3x512", "MLP 3x512", "MLP 3x512"),
        Architecture("WideResNet 28-1", "WRN-28-1", None, batch_norm=True),
        Architecture("InceptionV3", "Inception V3", "InceptionV3", batch_norm=True),
        Architecture("ResNet50", "ResNet-50", None, batch_norm=True),
        Architecture("ViT", "ViT", None),
    )
}
_BATCH_NORM = {name.split()[0]: entry.batch_norm for name, entry in ARCHITECTURES.items()}  # by class


def architecture(kind: str, options: Mapping[str, Any]) -> str:
    """The name of an architecture, told apart by size as the paper does: `MLP 1x512`, `WideResNet 28-1`.

    Args:
        kind: Name of the class, or the path of a class of one's own.
        options: Its `init_args`, as a configuration or a record has them; what is not there is at its default.
    """
    if kind == "MLP" and (layers := _layers(options)):
        alike = len(set(layers)) == 1
        return f"MLP {len(layers)}x{layers[0]}" if alike else "MLP " + "-".join(map(str, layers))
    if kind == "WideResNet":
        return f"WideResNet {_integer(options, 'depth', 28)}-{_integer(options, 'width', 1)}"
    return kind


def sizes(kind: str, options: Mapping[str, Any]) -> list[str]:
    """Those of a network's options that its name holds."""
    if kind == "MLP":
        return ["hidden_sizes"] if _layers(options) else []
    return [size for size in ("depth", "width") if kind == "WideResNet" and type(options.get(size)) is int]


def label(name: str) -> str:
    """How a sentence or a legend calls an architecture; one that is not in the paper by its name."""
    return ARCHITECTURES[name].label if name in ARCHITECTURES else name


def usual_batch_norm(name: str) -> bool:
    """Whether an architecture, or any of its class, has batch norm when nothing is said about it."""
    return _BATCH_NORM.get(name.split()[0], False)


def usual_epochs(name: str) -> int:
    """The budget of an architecture in the experiments."""
    return ARCHITECTURES[name].epochs if name in ARCHITECTURES else 100


def of_the_package(name: str) -> bool:
    """Whether an architecture is of a class above, of whatever size."""
    return name.split()[0] in _BATCH_NORM


def _layers(options: Mapping[str, Any]) -> list[int]:
    layers = options.get("hidden_sizes", [512])
    return layers if isinstance(layers, list) and all(type(size) is int for size in layers) else []


def _integer(options: Mapping[str, Any], name: str, default: int) -> int:
    value = options.get(name)
    return value if type(value) is int else default
