"""Randomizations of the labels (Section 2.1): true, partially corrupted, random."""

from typing import Any

from jsonargparse.typing import ClosedUnitInterval
from torch import Tensor

from rethink import randomness
from rethink.randomization.randomization import Part, Randomization


class TrueLabels(Randomization):
    """The original data, without modification."""

    @classmethod
    def canonical(cls, init_args: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        return cls.__name__, {}  # nothing is drawn, so the seed does not matter


class PartiallyCorruptedLabels(Randomization):
    """Independently with probability p, the label of an example becomes a uniformly random class.

    The random class may be the old one, so a share of p (1 - 1/K) of the labels really changes. For one seed the
    corrupted sets are nested: what is corrupted at p stays so, with the same label, at every larger p.

    Args:
        probability: Probability p with which a label is corrupted: 0 is TrueLabels, 1 is RandomLabels.
        seed: Seed of the randomization, apart from the seed of the training.
    """

    def __init__(self, probability: ClosedUnitInterval, seed: int = 0) -> None:
        super().__init__(seed)
        self.probability = float(ClosedUnitInterval(probability))

    def labels(self, labels: Tensor, index: Tensor, num_classes: int, part: Part) -> tuple[Tensor, Tensor]:
        i = index.numpy()
        chance = randomness.uniform(randomness.key(self.seed, "corrupt", part), i)[:, 0]
        classes = randomness.integers(randomness.key(self.seed, "labels", part), i, num_classes)
        corrupted = randomness.tensor(chance < self.probability)
        return randomness.tensor(classes).where(corrupted, labels), corrupted

    @classmethod
    def canonical(cls, init_args: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        match init_args:
            case {"probability": 0}:
                return TrueLabels.canonical(init_args)
            case {"probability": 1, **rest}:
                return RandomLabels.canonical(rest)
        return cls.__name__, init_args


class RandomLabels(PartiallyCorruptedLabels):
    """Every label is replaced by a uniformly random class: PartiallyCorruptedLabels with probability 1.

    Args:
        seed: Seed of the randomization, apart from the seed of the training.
    """

    def __init__(self, seed: int = 0) -> None:
        super().__init__(1.0, seed)

    @classmethod
    def canonical(cls, init_args: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        return cls.__name__, init_args
