"""Table 3: kernel machines that fit the training set exactly, with the least norm."""

from typing import Literal

from jsonargparse.typing import NonNegativeFloat, PositiveFloat, PositiveInt

from rethink.analyses import memory
from rethink.analyses.analysis import Analysis, Findings, Workplace
from rethink.errors import UserError
from rethink.kernels.analyses import random_conv as kernel_network
from rethink.kernels.analyses.choices import Chosen, Validation
from rethink.kernels.analyses.examples import Dataset, Examples
from rethink.kernels.analyses.problems import (
    LARGEST_BANK,
    Problem,
    device,
    gabor,
    gaussian,
    linear,
    pixels,
    refuse_low_rank,
)
from rethink.kernels.analyses.random_conv import random_conv
from rethink.kernels.analyses.solution import Precision, Solver, numbers

_LESS = "Fewer --sizes and a smaller --validation_size may take less, too."


class KernelInterpolation(Analysis):
    """A row of Table 3: the kernel machine that fits the training set exactly, with the least norm.

    Solves K alpha = y for one-hot targets, with true and with random labels, and reports test error, the residual
    with K computed anew in float64, and the norms of the solution. The paper does not say its bandwidths: what is not
    given is chosen by cross-validation on training images.

    Args:
        dataset: Which images.
        features: raw (pixels / 255) or gabor (wavelets).
        kernel: gaussian, exp(-gamma |x - y|^2), or linear.
        gamma: Of the Gaussian kernel; a number, or cross_validated.
        l2: Added to the diagonal of K, in units of the mean of the diagonal; a number, or cross_validated.
        n: Number of training images. Default: all.
        sizes: Also solved on the first so many of them, with the same factor.
        validation_size: Number of training images for the cross-validation.
        folds: Of the cross-validation.
        solver: exact, by a Cholesky factor, or iterative, by conjugate gradients, where the factor does not fit.
        precision: Of the factor; residuals are float64 in any case.
        seed: Seed of subset and order of the images, and of the random labels.
    """

    def __init__(
        self,
        dataset: Dataset = "MNIST",
        features: Literal["raw", "gabor"] = "raw",
        kernel: Literal["gaussian", "linear"] = "gaussian",
        gamma: PositiveFloat | Literal["cross_validated"] = "cross_validated",
        l2: NonNegativeFloat | Literal["cross_validated"] = 0.0,
        n: PositiveInt | None = None,
        sizes: list[PositiveInt] | None = None,
        validation_size: PositiveInt = 5_000,
        folds: PositiveInt = 5,
        solver: Literal["exact", "iterative"] = "exact",
        precision: Precision = "float32",
        seed: int = 0,
    ) -> None:
        super().__init__(seed)
        self.dataset = dataset
        self.features = features
        self.kernel = kernel
        self.gamma = gamma
        self.l2 = l2
        self.n = n
        self.sizes = sizes or []
        self.validation_size = validation_size
        self.folds = folds
        self.solver = Solver.of(solver, precision)
        if sizes and solver == "iterative":
            raise UserError("--sizes needs the factor of --solver exact. Leave it out, or give smaller --n.")
        if features == "gabor" and kernel == "linear":
            raise UserError("--features gabor goes with --kernel gaussian: the wavelets are fewer than the images.")
        _check_folds(folds, validation_size)

    def analyse(self, workplace: Workplace) -> Findings:
        """Chooses what is open, factors K, solves for both kinds of labels and all sizes, and tests."""
        examples = Examples.load(self.dataset, self.n, self.seed)
        sizes = _rising(self.sizes, examples.n)
        validation = Validation.of(examples, self.validation_size, self.folds, workplace.progress)
        columns = 2 * len(sizes) * examples.classes

        def needed(n: int) -> int:
            points = 4 * (n + len(examples.test)) * max(examples.train[0].numel(), LARGEST_BANK)
            return points + self.solver.memory_needed(n, len(examples.test), columns, validation.n)

        what = f"The kernel machine of {examples.n:,} images"
        less = f"--solver iterative needs no factor. {_LESS}" if self.solver.exact else ""
        memory.require(needed, examples.n, what, less, device())
        problem = self._problem(examples, validation)
        told = validation.l2s(problem.gram)
        return Findings(numbers(problem, examples, sizes, self.l2, self.solver, told, workplace))

    def _problem(self, examples: Examples, validation: Validation) -> Problem:
        if self.features == "gabor":
            return gabor(examples.train, examples.test, self.gamma, validation)
        train, test = pixels(examples.train), pixels(examples.test)
        if self.kernel == "linear":
            if self.l2 == 0:
                refuse_low_rank(len(train), train.shape[1], "Use --kernel gaussian")
            return linear(train, test)
        return gaussian(train, test, self.gamma, validation.gammas(train))


class RandomConvInterpolation(Analysis):
    """A row of Table 3: the least-norm fit on the features of a random convolutional network (Coates & Ng).

    The network's filters are random patches of training images. As KernelInterpolation with the linear kernel of these
    features, solved in the dual: K = X X' is summed up over the filters, and X never held.

    Args:
        dataset: Which images.
        filters: How many; the paper has 32,000.
        l2: Added to the diagonal of K, in units of the mean of the diagonal; numbers, or cross_validated. The same K
            is solved with each.
        n: Number of training images. Default: all.
        sizes: Also solved on the first so many of them, with the same factor.
        validation_size: Number of training images for the cross-validation.
        folds: Of the cross-validation.
        precision: Of the factor; K and residuals are float64 in any case.
        seed: Seed of the filters, of subset and order of the images, and of the random labels.
    """

    def __init__(
        self,
        dataset: Literal["CIFAR10", "Synthetic"] = "CIFAR10",
        filters: PositiveInt = 32_000,
        l2: list[NonNegativeFloat | Literal["cross_validated"]] | None = None,
        n: PositiveInt | None = None,
        sizes: list[PositiveInt] | None = None,
        validation_size: PositiveInt = 5_000,
        folds: PositiveInt = 5,
        precision: Precision = "float64",
        seed: int = 0,
    ) -> None:
        super().__init__(seed)
        self.dataset = dataset
        self.filters = filters
        self.l2: list[Chosen] = [*l2] if l2 else [0.0]
        self.n = n
        self.sizes = sizes or []
        self.validation_size = validation_size
        self.folds = folds
        self.solver = Solver.of("exact", precision)
        _check_folds(folds, validation_size)

    def analyse(self, workplace: Workplace) -> Findings:
        """Sums up K, factors it, solves for both kinds of labels and all sizes, and tests."""
        examples = Examples.load(self.dataset, self.n, self.seed)
        sizes = _rising(self.sizes, examples.n)
        validation = Validation.of(examples, self.validation_size, self.folds, workplace.progress)
        columns = 2 * len(sizes) * examples.classes

        def needed(n: int) -> int:
            factoring = self.solver.memory_needed(n, len(examples.test), columns, validation.n)
            return kernel_network.memory_needed(n, len(examples.test), factoring)

        what = f"The kernel machine of {examples.n:,} images"
        memory.require(needed, examples.n, what, _LESS, device())
        if 0 in self.l2:
            refuse_low_rank(examples.n, 2 * kernel_network.WINDOWS * self.filters, "Use more --filters")
        problem = random_conv(examples, self.filters, workplace.folder, self.seed, workplace.progress)
        told = validation.l2s(problem.gram)
        rows = [numbers(problem, examples, sizes, l2, self.solver, told, workplace) for l2 in self.l2]
        return Findings({"filters": self.filters, "n": examples.n, "rows": rows})


def _rising(sizes: list[int], n: int) -> list[int]:
    """The sizes and n itself; a UserError for one that is larger."""
    if beyond := [size for size in sizes if size > n]:
        raise UserError(f"--sizes {beyond}: there are {n} training images (--n). Choose smaller ones.")
    return sorted({*sizes, n})


def _check_folds(folds: int, validation_size: int) -> None:
    """Refuses a cross-validation that cannot be."""
    if not 2 <= folds <= validation_size:
        raise UserError(
            f"--folds {folds}: cross-validation on {validation_size} images needs from 2 to {validation_size} folds."
        )
