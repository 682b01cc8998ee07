"""From a problem of Table 3 to its numbers: factor, solve for true and random labels, certify, test, take the norms."""

from dataclasses import dataclass
from typing import Any, Literal, NoReturn

import torch
from torch import Tensor

from rethink.analyses.analysis import Context
from rethink.errors import UserError
from rethink.kernels import interpolation
from rethink.kernels.analyses.examples import Examples
from rethink.kernels.analyses.problems import Problem
from rethink.kernels.analyses.state import PanelsOnDisk
from rethink.kernels.cholesky import PANEL, SingularError, bytes_needed, factorize, only_first
from rethink.kernels.gram import BLOCK, Gram, PackedGram, held

Precision = Literal["float32", "float64"]

DTYPES = {"float32": torch.float32, "float64": torch.float64}
_HELD = 16_384  # images up to which K is held in float64 beside its factor, in 1.1 GB, and not made anew
_SOLVED = 1e-3  # a larger relative residual is no solution
_ADVISED = {torch.float32: "0.0001", torch.float64: "0.000001"}  # an l2 that lifts every pivot above the rounding


def memory_needed(n: int, test: int, columns: int, validated_on: int, dtype: torch.dtype) -> int:
    """Bytes at most, without the images: of the solution with a factor in dtype, or of the cross-validation before."""
    vectors = (6 * n + 2 * test) * columns * 8 + 6 * BLOCK**2 * 8
    matrices = bytes_needed(n, dtype) + 4 * n * PANEL * torch.finfo(dtype).bits // 8
    matrices += bytes_needed(n, torch.float64) if n <= _HELD else 0
    return max(vectors + matrices, 5 * min(n, validated_on) ** 2 * 8)


@dataclass(frozen=True)
class Solver:
    """Solves problems on the same examples, for both kinds of labels and the first of the images.

    sizes: How many of the first, rising; the last is all. dtype: Of the factor.
    """

    examples: Examples
    sizes: list[int]
    dtype: torch.dtype
    context: Context

    def values(self, problem: Problem, l2: float) -> dict[str, Any]:
        """What a record says of the solutions with so much l2, in units of the mean of K's diagonal."""
        examples, gram = self.examples, problem.gram
        if examples.n <= _HELD and not isinstance(gram, PackedGram):
            gram = held(gram)
        added = l2 * problem.unit
        columns = [(size, name) for size in self.sizes for name in examples.labels]
        targets = torch.cat([interpolation.one_hot(examples.labels[name], examples.classes) for _, name in columns], 1)
        points = torch.tensor([size for size, _ in columns]).repeat_interleave(examples.classes)
        targets = only_first(targets, points)
        kept = PanelsOnDisk(self.context.folder / (f"l2_{l2:g}" if l2 else ""))
        try:
            factor = factorize(gram, self.dtype, kept, self.context.progress, l2=added)
        except SingularError as error:
            self._refuse_singular(error.row, gram, problem)
        solution = interpolation.solve(gram, factor, targets, points, self.context.progress, added)
        alpha = solution.coefficients.cpu()
        fitted = targets - solution.residuals.cpu() - added * alpha
        predicted = problem.predict(solution.coefficients, self.context.progress).cpu()
        solutions = []
        for index, (size, name) in enumerate(columns):
            part = slice(index * examples.classes, (index + 1) * examples.classes)
            residual = solution.relative_residual(targets, part)
            if not residual["frobenius"] <= _SOLVED:
                raise UserError(
                    f"the solution for {size:,} images has a relative residual of {residual['frobenius']:.2g}, so it "
                    f"is none: the kernel matrix is too near to a singular one. {self._remedy(problem)}"
                )
            solutions.append(
                {
                    "labels": name,
                    "n": size,
                    "test_error": _error(predicted[:, part], examples.test_labels),
                    "train_error": _error(fitted[:size, part], examples.labels[name][:size]),
                    "residual": residual,
                    "norms": interpolation.norms(alpha[:size, part], fitted[:size, part]),
                }
            )
        return {
            "n": examples.n,
            "test_images": len(examples.test),
            **problem.chosen,
            "l2": l2,
            "smallest_pivot": factor.smallest_pivot,
            "refinements": solution.refinements,
            "solutions": solutions,
        }

    def _refuse_singular(self, row: int, gram: Gram, problem: Problem) -> NoReturn:
        """Names the training image whose pivot was not positive, and the most alike of those before it."""

        def entry(i: int) -> float:
            return float(gram.block(slice(i, i + 1), slice(i, i + 1), torch.float64))

        image = int(self.examples.index[row])
        if row == 0 or entry(row) == 0:
            raise UserError(
                f"training image {image} has only zero features under this kernel, so only 0 fits it and the kernel "
                f"matrix of {gram.n:,} images is singular. {self._remedy(problem, finer=False)}"
            )
        before = gram.block(slice(row, row + 1), slice(0, row), torch.float64)[0]
        nearest = int(before.argmax())
        alike = float(before[nearest]) / (entry(row) * entry(nearest)) ** 0.5
        raise UserError(
            f"the kernel matrix of {gram.n:,} images is singular to {self.dtype} at training image {image}: nearly a "
            f"combination of the {row:,} before it, the most alike being {int(self.examples.index[nearest])} "
            f"(kernel {alike:.6f}, where 1 is the same image). {self._remedy(problem)}"
        )

    def _remedy(self, problem: Problem, *, finer: bool = True) -> str:
        precision = "--precision float64 or " if finer and self.dtype != torch.float64 else ""
        return f"To mend it, {problem.remedy} Or try {precision}{problem.option.format(_ADVISED[self.dtype])}."


def _error(outputs: Tensor, labels: Tensor) -> float:
    """The share of rows whose largest value is not at their label."""
    return float(outputs.argmax(1).ne(labels).double().mean())
