"""Labels moved to the next class: the randomization that docs/extending.md names."""

from jsonargparse.typing import ClosedUnitInterval
from torch import Tensor

from rethink import randomness
from rethink.randomization.randomization import Part, Randomization


class NeighbouringLabels(Randomization):
    """Independently with probability p, a label moves to the next class: noise with a structure.

    Args:
        probability: Probability p with which a label moves.
        seed: Seed of the randomization, apart from the seed of the training.
    """

    def __init__(self, probability: ClosedUnitInterval = 0.5, seed: int = 0) -> None:
        super().__init__(seed)
        self.probability = float(ClosedUnitInterval(probability))

    def labels(self, labels: Tensor, index: Tensor, num_classes: int, part: Part) -> tuple[Tensor, Tensor]:
        chance = randomness.uniform(randomness.key(self.seed, "neighbour", part), index.numpy())[:, 0]
        moved = randomness.tensor(chance < self.probability)
        return ((labels + 1) % num_classes).where(moved, labels), moved
