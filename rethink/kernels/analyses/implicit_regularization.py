"""SGD is an implicit regularizer (Section 5): which of all interpolating solutions it converges to, and others do."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
import torch.nn.functional as F
from jsonargparse.typing import PositiveFloat, PositiveInt
from torch import Tensor

from rethink import data, randomness
from rethink.analyses.analysis import Analysis, Context, Result
from rethink.data import ImageDataModule
from rethink.data.split import Split
from rethink.errors import UserError
from rethink.kernels.analyses.examples import Dataset, Labels
from rethink.kernels.descent import adam, logarithmic, sgd
from rethink.kernels.least_squares import LOSSES, LeastSquares, Loss, hessian, spectrum
from rethink.randomization import RandomLabels, TrueLabels
from rethink.training import memory

MINIMUM_NORM = "minimum norm"
FROM_ZERO = "SGD from zero"
FROM_ELSEWHERE = "SGD from elsewhere"
PRECONDITIONED = "preconditioned SGD"
ADAM = "Adam"
FAR = "minimum norm + 10 v"
ALGORITHMS = (FROM_ZERO, FROM_ELSEWHERE, PRECONDITIONED, ADAM)

_POINTS = 60  # of each curve
_CHUNK = 1000  # images whose features are in memory at a time
_DAMPING = 0.01  # of a feature's mean square, in units of its mean over the features: some features are always 0
_LARGEST_IMAGE = 3 * 28 * 28

Path = Iterator[tuple[int, Tensor]]


class ImplicitRegularization(Analysis):
    """Which interpolating solution of an underdetermined least-squares problem SGD and others converge to (Section 5).

    The problem: d random ReLU features of n images, so a network of one hidden layer whose first layer stays as
    drawn, with one-hot targets and squared loss, d >= n. SGD from zero, from elsewhere and with a diagonal
    preconditioner, and Adam: the distance to the minimum-norm interpolant along the way, the errors of where each
    ends, and the Hessian there.

    Args:
        dataset: Which images.
        n: Number of training images.
        d: Number of random features, at least n.
        labels: Given labels.
        steps: Steps of SGD, of one example each.
        rate: Learning rate of SGD. Default: 1 / max |x_i|^2, half of that from which it may diverge.
        adam_steps: Steps of Adam, of one example each; one costs as much as five of SGD.
        adam_rate: Learning rate of Adam at the beginning. It falls to 0 along a half cosine.
        seed: Seed of everything that is drawn: images, random labels, features, start and order.
    """

    def __init__(
        self,
        dataset: Dataset = "MNIST",
        n: PositiveInt = 200,
        d: PositiveInt = 2000,
        labels: Labels = "true labels",
        steps: PositiveInt = 100_000,
        rate: PositiveFloat | None = None,
        adam_steps: PositiveInt = 30_000,
        adam_rate: PositiveFloat = 0.003,
        seed: int = 0,
    ) -> None:
        super().__init__(seed)
        if d < n:
            raise UserError(
                f"--d {d} is less than --n {n}: with fewer features than examples the system X w = y is "
                f"overdetermined, and nothing interpolates. Choose --d {n} or more."
            )
        what = f"The Hessian of --d {d} features and --n {n} images"
        memory.require(
            lambda features: _bytes(n, features), d, what, "A smaller --n takes less, too.", option="d", least=n
        )
        self.dataset = dataset
        self.n = n
        self.d = d
        self.labels = labels
        self.steps = steps
        self.rate = rate
        self.adam_steps = adam_steps
        self.adam_rate = adam_rate

    def analyse(self, context: Context) -> Result:
        """Trains by each algorithm, and compares where they end."""
        train, test, classes = self._data()
        layer = _RandomLayer.drawn(self.d, train, self.seed)
        problem = LeastSquares(layer.features(train), F.one_hot(train.labels, classes))
        measure = _Measure(problem, problem.minimum_norm(), train.labels)
        curves, solutions = {}, {MINIMUM_NORM: measure.least}
        for name, (path, limit) in self._algorithms(problem, measure.least).items():
            steps = self.adam_steps if name == ADAM else self.steps
            with _one_thread():
                curves[name], solutions[name] = measure.followed(_shown(path, name, steps, context), limit)
        unseen = problem.unseen(self._start(measure.least))
        solutions[FAR] = measure.least + 10 * measure.least.norm() / unseen.norm() * unseen
        context.progress("test errors and Hessians", 0, 1)
        test_errors = _test_errors(layer, test, solutions)
        described = {
            name: measure.of(weights) | {"test_error": test_errors[name]} for name, weights in solutions.items()
        }
        values = {
            **{f"distance, {name}": described[name]["distance"] for name in ALGORITHMS},  # what the terminal shows
            "rate": self.rate or problem.largest_rate() / 2,
            "eigenvalues": [float(problem.eigenvalues[0]), float(problem.eigenvalues[-1])],
            "curves": curves,
            "solutions": described,
            "hessian": {name: _curvature(problem, solutions, loss) for name, loss in LOSSES.items()},
        }
        return Result(values)

    def _data(self) -> tuple[Split, Split, int]:
        """Training set, test set and number of classes."""
        kind: type[ImageDataModule] = getattr(data, self.dataset)
        randomization = TrueLabels() if self.labels == "true labels" else RandomLabels(self.seed)
        module = kind(randomization=randomization, train_size=self.n, subset_seed=self.seed)
        try:
            module.setup()
        except UserError as error:
            raise UserError(str(error).replace("--data.train_size", "--n")) from None
        return module.splits["train"], module.splits["test_randomized"], module.num_classes

    def _algorithms(self, problem: LeastSquares, least: Tensor) -> dict[str, tuple[Path, Tensor | None]]:
        """Each algorithm's weights along the way, and the interpolant that it converges to, as far as it is known."""
        zero, start = torch.zeros_like(least), self._start(least)
        squares = problem.inputs.square().mean(0)
        weaker = 1 / (squares + _DAMPING * squares.mean())
        rate, weaker_rate = self.rate or problem.largest_rate() / 2, problem.largest_rate(weaker) / 2
        order, at = self._order(self.steps), logarithmic(self.steps, _POINTS)
        few, few_at = self._order(self.adam_steps), logarithmic(self.adam_steps, _POINTS)
        return {
            FROM_ZERO: (sgd(problem, order, zero, at, rate), least),
            FROM_ELSEWHERE: (sgd(problem, order, start, at, rate), problem.nearest(start)),
            PRECONDITIONED: (sgd(problem, order, zero, at, weaker_rate, weaker), problem.nearest(zero, weaker)),
            ADAM: (adam(problem, few, zero, few_at, self.adam_rate), None),
        }

    def _start(self, least: Tensor) -> Tensor:
        """Elsewhere: Gaussian weights (K, d) of the same norm as the minimum-norm interpolant."""
        drawn = randomness.normal(randomness.key(self.seed, "start"), np.arange(len(least)), self.d)
        start = randomness.tensor(drawn).double()
        return start.mul_(least.norm() / start.norm())

    def _order(self, steps: int) -> Tensor:
        """The example of each step, drawn with replacement; a longer order begins as a shorter one."""
        return randomness.tensor(randomness.integers(randomness.key(self.seed, "example"), np.arange(steps), self.n))


@dataclass(frozen=True)
class _RandomLayer:
    """relu(v^T x) for standard normal v, scaled so that the features of an image have length 1 on average.

    weights: (size of an image, d).
    """

    weights: Tensor

    @classmethod
    def drawn(cls, d: int, split: Split, seed: int) -> Self:
        """For the images of a split."""
        size = split.prepare(torch.arange(1)).numel()
        drawn = randomness.normal(randomness.key(seed, "random features"), np.arange(d), size)
        # A standardized image has |x|^2 = size, and a ReLU keeps half of the square.
        return cls(randomness.tensor(drawn).T * math.sqrt(2 / (size * d)))

    def features(self, split: Split, positions: slice = slice(None)) -> Tensor:
        """Of some images of a split as a network sees them, (n, d) float64."""
        images = split.prepare(torch.arange(len(split))[positions]).flatten(1)
        return (images @ self.weights).relu_().double()


def _bytes(n: int, d: int) -> int:
    """Most of it for the Hessian of d x d numbers."""
    return 8 * (3 * d * d + 4 * n * d + 3 * n * n) + 64 * _LARGEST_IMAGE * d


@contextmanager
def _one_thread() -> Iterator[None]:
    """A step works on some 10,000 numbers: on more threads they wait for each other longer than they work."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _shown(path: Path, name: str, steps: int, context: Context) -> Path:
    """The same, with its progress."""
    for step, weights in path:
        context.progress(f"{name}, step", step, steps)
        yield step, weights


@dataclass(frozen=True)
class _Measure:
    """What is said about weights: lengths are in units of the norm of the minimum-norm interpolant, `least`."""

    problem: LeastSquares
    least: Tensor
    labels: Tensor

    def followed(self, path: Path, limit: Tensor | None) -> tuple[dict[str, list[float]], Tensor]:
        """A list of each quantity along the way, and the weights at the end."""
        points: list[dict[str, float]] = []
        weights = self.least
        for step, weights in path:
            more = {} if limit is None else {"to_limit": float((weights - limit).norm() / self.least.norm())}
            points.append({"step": step, **self.of(weights), **more})
        return {name: [point[name] for point in points] for name in points[0]}, weights

    def of(self, weights: Tensor) -> dict[str, float]:
        """Norm, relative distance, part outside the span of the data, residual |X w - y| / |y|, training error."""
        unit = self.least.norm()
        return {
            "norm": float(weights.norm()),
            "distance": float((weights - self.least).norm() / unit),
            "unseen": float(self.problem.unseen(weights).norm() / unit),
            "residual": self.problem.residual(weights),
            "train_error": _mistakes(self.problem.inputs, weights, self.labels) / len(self.labels),
        }


def _test_errors(layer: _RandomLayer, test: Split, solutions: dict[str, Tensor]) -> dict[str, float]:
    """Share of the test images whose true label is not the class of the largest output."""
    wrong = dict.fromkeys(solutions, 0)
    for first in range(0, len(test), _CHUNK):
        chunk = slice(first, first + _CHUNK)
        features = layer.features(test, chunk)
        for name, weights in solutions.items():
            wrong[name] += _mistakes(features, weights, test.true_labels[chunk])
    return {name: count / len(test) for name, count in wrong.items()}


def _mistakes(features: Tensor, weights: Tensor, labels: Tensor) -> int:
    return int(((features @ weights.T).argmax(1) != labels).sum())


def _curvature(problem: LeastSquares, solutions: dict[str, Tensor], loss: Loss) -> dict[str, Any]:
    """The Hessian for the first class at the minimum-norm interpolant, and how much it differs at the others.

    Differences are of the largest entry, relative; `at zero` is that of weights 0, which do not interpolate.
    """
    inputs, targets = problem.inputs, problem.targets[:, 0]
    here = hessian(inputs, targets, solutions[MINIMUM_NORM][0], loss)
    rank, values = spectrum(here)
    others = {name: weights for name, weights in solutions.items() if name != MINIMUM_NORM}
    others["at zero"] = torch.zeros_like(solutions[MINIMUM_NORM])
    return {
        "rank": rank,
        "smallest_nonzero": float(values[-rank]),
        "largest": float(values[-1]),
        "differences": {
            name: float((hessian(inputs, targets, weights[0], loss) - here).abs().max() / here.abs().max())
            for name, weights in others.items()
        },
    }
