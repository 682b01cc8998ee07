"""Table 3: kernel machines that fit the training set exactly, with the least norm."""

from collections.abc import Sequence
from typing import Any, Literal

from jsonargparse.typing import NonNegativeFloat, PositiveFloat, PositiveInt

from rethink.analyses.analysis import Analysis, Context, Result
from rethink.errors import UserError
from rethink.kernels.analyses import random_conv
from rethink.kernels.analyses.choices import Chosen, Validation, given_or_best
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
from rethink.kernels.analyses.solution import DTYPES, Precision, Solver, memory_needed
from rethink.training import memory


class _Interpolation(Analysis):
    """What the rows of Table 3 have in common: the images, and one kernel matrix for all that is solved.

    Args:
        dataset: Which images.
        precision: Of the factor; residuals are float64 in any case.
        n: Number of training images. Default: all.
        sizes: Also solved on the first so many of them, with the same factor.
        validation_size: Number of training images for the cross-validation.
        folds: Of the cross-validation.
        seed: Seed of subset and order of the images, of the random labels, and of random filters.
    """

    def __init__(
        self,
        dataset: Dataset,
        precision: Precision,
        n: PositiveInt | None = None,
        sizes: list[PositiveInt] | None = None,
        validation_size: PositiveInt = 5_000,
        folds: PositiveInt = 5,
        seed: int = 0,
    ) -> None:
        super().__init__(seed)
        if not 2 <= folds <= validation_size:
            raise UserError(
                f"--folds {folds}: cross-validation on {validation_size} images needs from 2 to {validation_size} "
                "folds."
            )
        self.dataset = dataset
        self.n = n
        self.sizes = sizes or []
        self.validation_size = validation_size
        self.folds = folds
        self.dtype = DTYPES[precision]

    def _solve(self, l2s: Sequence[Chosen], context: Context) -> list[dict[str, Any]]:
        """Chooses what is open, factors K, solves for both kinds of labels and all sizes with each l2, and tests."""
        examples = Examples.load(self.dataset, self.n, self.seed)
        if beyond := [size for size in self.sizes if size > examples.n]:
            raise UserError(f"--sizes {beyond}: there are {examples.n} training images (--n). Choose smaller ones.")
        sizes = sorted({*self.sizes, examples.n})
        labels = examples.labels["true labels"][: self.validation_size]
        validation = Validation(labels, examples.classes, self.folds, context.progress)

        def needed(n: int) -> int:
            columns = 2 * len(sizes) * examples.classes
            solving = memory_needed(n, len(examples.test), columns, validation.n, self.dtype)
            return self._memory_needed(n, examples, solving)

        what, less = f"The kernel machine of {examples.n:,} images", "Fewer --sizes and a smaller --validation_size"
        memory.require(needed, examples.n, what, f"{less} may take less, too.", device())
        problem = self._problem(examples, validation, context)
        rows = validation.l2s(problem.gram)
        described = {"n": validation.n, "folds": validation.folds, **problem.validation, "l2": rows}
        solver = Solver(examples, sizes, self.dtype, context)
        return [solver.values(problem, given_or_best(l2, rows, "l2")) | {"validation": described} for l2 in l2s]

    def _problem(self, examples: Examples, validation: Validation, context: Context) -> Problem:
        """The kernel matrix, and what it predicts."""
        raise NotImplementedError

    def _memory_needed(self, n: int, examples: Examples, solving: int) -> int:
        """Bytes for n training images, of which solving alone needs so many."""
        raise NotImplementedError


class KernelInterpolation(_Interpolation):
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
        precision: Of the factor; residuals are float64 in any case.
        **options: Sizes, cross-validation and seed.
    """

    def __init__(
        self,
        dataset: Dataset = "MNIST",
        features: Literal["raw", "gabor"] = "raw",
        kernel: Literal["gaussian", "linear"] = "gaussian",
        gamma: PositiveFloat | Literal["cross_validated"] = "cross_validated",
        l2: NonNegativeFloat | Literal["cross_validated"] = 0.0,
        precision: Precision = "float32",
        **options: Any,
    ) -> None:
        super().__init__(dataset, precision, **options)
        self.features = features
        self.kernel = kernel
        self.gamma = gamma
        self.l2 = l2
        if features == "gabor" and kernel == "linear":
            raise UserError("--features gabor goes with --kernel gaussian: the wavelets are fewer than the images.")

    def analyse(self, context: Context) -> Result:
        """Chooses what is open, factors K, solves for both kinds of labels and all sizes, and tests."""
        (values,) = self._solve([self.l2], context)
        return Result(values)

    def _memory_needed(self, n: int, examples: Examples, solving: int) -> int:
        return 4 * (n + len(examples.test)) * max(examples.train[0].numel(), LARGEST_BANK) + solving

    def _problem(self, examples: Examples, validation: Validation, context: Context) -> Problem:
        if self.features == "gabor":
            return gabor(examples.train, examples.test, self.gamma, validation)
        train, test = pixels(examples.train), pixels(examples.test)
        if self.kernel == "gaussian":
            return gaussian(train, test, self.gamma, validation.gammas(train))
        if self.l2 == 0:
            refuse_low_rank(len(train), train.shape[1], "Use --kernel gaussian")
        return linear(train, test)


class RandomConvInterpolation(_Interpolation):
    """A row of Table 3: the least-norm fit on the features of a random convolutional network (Coates & Ng).

    The network's filters are random patches of training images. As KernelInterpolation with the linear kernel of these
    features, solved in the dual: K = X X' is summed up over the filters, and X never held.

    Args:
        dataset: Which images.
        filters: How many; the paper has 32,000.
        l2: Added to the diagonal of K, in units of the mean of the diagonal; numbers, or cross_validated. The same K
            is solved with each.
        precision: Of the factor; K and residuals are float64 in any case.
        **options: Sizes, cross-validation and seed.
    """

    def __init__(
        self,
        dataset: Literal["CIFAR10", "Synthetic"] = "CIFAR10",
        filters: PositiveInt = 32_000,
        l2: list[NonNegativeFloat | Literal["cross_validated"]] | None = None,
        precision: Precision = "float64",
        **options: Any,
    ) -> None:
        super().__init__(dataset, precision, **options)
        self.filters = filters
        self.l2: list[Chosen] = [*l2] if l2 else [0.0]

    def analyse(self, context: Context) -> Result:
        """Sums up K, factors it, solves for both kinds of labels and all sizes, and tests."""
        rows = self._solve(self.l2, context)
        return Result({"filters": self.filters, "n": rows[0]["n"], "rows": rows})

    def _memory_needed(self, n: int, examples: Examples, solving: int) -> int:
        return random_conv.memory_needed(n, len(examples.test), solving)

    def _problem(self, examples: Examples, validation: Validation, context: Context) -> Problem:
        if 0 in self.l2:
            refuse_low_rank(examples.n, 2 * random_conv.WINDOWS * self.filters, "Use more --filters")
        return random_conv.random_conv(examples, self.filters, context.folder, self.seed, context.progress)
