"""Random signs as labels (Section 2.2): fitting them estimates the empirical Rademacher complexity of a network."""

import torch
from torch import Tensor

from rethink import randomness
from rethink.randomization.randomization import Part, Randomization


class RandomSigns(Randomization):
    """Every label is replaced by a uniformly random sign: class 1 is the sign +1, class 0 the sign -1.

    The network keeps all its outputs, and its prediction counts as +1 where it is class 1, as -1 where it is class 0,
    and as 0 elsewhere.

    Args:
        seed: Seed of the randomization, apart from the seed of the training.
    """

    def labels(self, labels: Tensor, index: Tensor, num_classes: int, part: Part) -> tuple[Tensor, Tensor]:
        signs = randomness.integers(randomness.key(self.seed, "signs", part), index.numpy(), 2)
        return randomness.tensor(signs), torch.ones_like(labels).bool()
