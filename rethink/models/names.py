"""What the architectures are called: in records and sweeps, in sentences, in the paper. Needs no torch.

An architecture of one's own needs no entry: it is called by its class.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Architecture:
    """The names of an architecture of the paper.

    name: in records, sweeps and tables. label: in a sentence or a legend. paper: in the paper's tables; None where it
    is not in the paper. batch_norm: whether it has batch norm when nothing is said about it.
    """

    name: str
    label: str
    paper: str | None
    batch_norm: bool = False


# In the order of the paper's Figure 1b, then what came later, then the networks of ImageNet.
ARCHITECTURES: Mapping[str, Architecture] = {
    architecture.name: architecture
    for architecture in (
        Architecture("SmallInception", "small Inception", "Inception", batch_norm=True),
        Architecture("SmallAlexNet", "small AlexNet", "Alexnet"),
        Architecture("MLP 1x512", "MLP 1x512", "MLP 1x512"),
        Architecture("MLP 3x512", "MLP 3x512", "MLP 3x512"),
        Architecture("WideResNet 28-1", "WRN-28-1", None, batch_norm=True),
        Architecture("InceptionV3", "Inception V3", "InceptionV3", batch_norm=True),
        Architecture("ResNet50", "ResNet-50", None, batch_norm=True),
        Architecture("ViT", "ViT", None),
    )
}


def label(name: str) -> str:
    """How a sentence or a legend calls an architecture; one that is not in the paper by its name."""
    return ARCHITECTURES[name].label if name in ARCHITECTURES else name
