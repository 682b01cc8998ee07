"""From a problem of Table 3 to its numbers: factor, solve for true and random labels, certify, test, take the norms."""

from dataclasses import dataclass
from typing import Any, Literal, NoReturn

import torch
from torch import Tensor

from rethink.analyses.analysis import Workplace
from rethink.errors import UserError
from rethink.kernels import conjugate_gradients, interpolation
from rethink.kernels.analyses.choices import Chosen, Validated, given_or_best
from rethink.kernels.analyses.examples import Examples
from rethink.kernels.analyses.problems import Problem
from rethink.kernels.analyses.state import KeptOnDisk, StateOnDisk
from rethink.kernels.cholesky import PANEL, Factor, SingularError, bytes_needed, factorize, only_first
from rethink.kernels.gram import BLOCK, Gram, PackedGram, Regularized, held

Precision = Literal["float32", "float64"]

_DTYPES = {"float32": torch.float32, "float64": torch.float64}
_HELD = 16_384  # images: 1.1 GB
_SOLVED = 1e-3  # a larger relative residual is no solution


@dataclass(frozen=True)
class Solver:
    """By a Cholesky factor in a precision, or by conjugate gradients in the memory of three times n x 2,000 numbers."""

    exact: bool
    dtype: torch.dtype

    @classmethod
    def of(cls, kind: Literal["exact", "iterative"], precision: Precision) -> "Solver":
        """As on the command line."""
        return cls(kind == "exact", _DTYPES[precision])

    def memory_needed(self, n: int, test: int, columns: int, validated_on: int) -> int:
        """Bytes at most, without the images: of the solution, or of the cross-validation before it."""
        vectors = (6 * n + 2 * test) * columns * 8 + 6 * BLOCK**2 * 8
        if self.exact:
            matrices = bytes_needed(n, self.dtype) + 4 * n * PANEL * torch.finfo(self.dtype).bits // 8
        else:
            matrices = conjugate_gradients.bytes_needed(n)
        matrices += bytes_needed(n, torch.float64) if self.holds(n) else 0
        return max(vectors + matrices, 5 * min(n, validated_on) ** 2 * 8)

    def holds(self, n: int) -> bool:
        """Whether K is held in float64 beside what solves with it, and not made anew for every residual."""
        return n <= _HELD


def numbers(
    problem: Problem,
    examples: Examples,
    sizes: list[int],
    l2: Chosen,
    solver: Solver,
    told: Validated,
    workplace: Workplace,
) -> dict[str, Any]:
    """The values of a row, with a solution for both kinds of labels and each size, which rises."""
    share = given_or_best(l2, told.l2s, "l2")
    gram = problem.gram
    if solver.holds(examples.n) and not isinstance(gram, PackedGram):
        gram = held(gram)
    gram = Regularized(gram, share * problem.unit) if share else gram

    columns = [(size, name) for size in sizes for name in examples.labels]
    targets = torch.cat([interpolation.one_hot(examples.labels[name], examples.classes) for _, name in columns], 1)
    points = torch.tensor([size for size, _ in columns]).repeat_interleave(examples.classes)
    targets = only_first(targets, points)
    if solver.exact:
        kept = KeptOnDisk(workplace.folder / (f"l2_{share:g}" if share else ""))
        factor = _factor(gram, problem, examples, solver, kept, workplace)
        solution = interpolation.solve(gram, factor, targets, points, workplace.progress)
        how = {"smallest_pivot": factor.smallest_pivot, "refinements": solution.steps}
    else:
        states, progress = StateOnDisk(workplace.folder), workplace.progress
        begun = states.get(gram.device)
        solution = conjugate_gradients.solve(gram, targets, state=begun, keep=states.put, progress=progress)
        how = {"iterations": solution.steps}

    alpha = solution.coefficients.cpu()
    fitted = targets - solution.residuals.cpu() - share * problem.unit * alpha
    predicted = problem.predict(solution.coefficients, workplace.progress).cpu()
    solutions = []
    for index, (size, name) in enumerate(columns):
        its = slice(index * examples.classes, (index + 1) * examples.classes)
        residual = solution.relative_residual(targets, its)
        _refuse_garbage(residual, size, problem, solver)
        solutions.append(
            {
                "labels": name,
                "n": size,
                "test_error": _error(predicted[:, its], examples.test_labels),
                "train_error": _error(fitted[:size, its], examples.labels[name][:size]),
                "residual": residual,
                "norms": interpolation.norms(alpha[:size, its], fitted[:size, its]),
            }
        )
    return {
        "n": examples.n,
        "test_images": len(examples.test),
        **problem.chosen,
        "l2": share,
        "validation": {"n": told.n, "folds": told.folds, **problem.validation, "l2": told.l2s},
        **how,
        "solutions": solutions,
    }


def _factor(
    gram: Gram, problem: Problem, examples: Examples, solver: Solver, kept: KeptOnDisk, workplace: Workplace
) -> Factor:
    try:
        return factorize(gram, solver.dtype, kept, workplace.progress)
    except SingularError as error:
        _refuse_singular(error.row, gram, problem, examples, solver)


def _refuse_singular(row: int, gram: Gram, problem: Problem, examples: Examples, solver: Solver) -> NoReturn:
    """Names the training image whose pivot was not positive, and the most alike of those before it."""
    image = int(examples.index[row])
    own = float(gram.block(slice(row, row + 1), slice(row, row + 1), torch.float64))
    if row == 0 or own == 0:
        raise UserError(
            f"training image {image} has only zero features under this kernel, so only 0 fits it and the kernel "
            f"matrix of {gram.n:,} images is singular. To mend it, {problem.remedy} Or try {problem.regularized}."
        )
    before = gram.block(slice(row, row + 1), slice(0, row), torch.float64)[0]
    nearest = int(before.argmax())
    its = float(gram.block(slice(nearest, nearest + 1), slice(nearest, nearest + 1), torch.float64))
    alike = float(before[nearest]) / (own * its) ** 0.5
    raise UserError(
        f"the kernel matrix of {gram.n:,} images is singular to {solver.dtype} at training image {image}: nearly a "
        f"combination of the {row:,} before it, the most alike being {int(examples.index[nearest])} "
        f"(kernel {alike:.6f}, where 1 is the same image). {_remedy(problem, solver)}"
    )


def _refuse_garbage(residual: dict[str, float], size: int, problem: Problem, solver: Solver) -> None:
    if not residual["frobenius"] <= _SOLVED:
        raise UserError(
            f"the solution for {size:,} images has a relative residual of {residual['frobenius']:.2g}, so it is none: "
            f"the kernel matrix is too near to a singular one. {_remedy(problem, solver)}"
        )


def _remedy(problem: Problem, solver: Solver) -> str:
    if not solver.exact:
        better = "--solver exact or "
    else:
        better = "" if solver.dtype == torch.float64 else "--precision float64 or "
    return f"To mend it, {problem.remedy} Or try {better}{problem.regularized}."


def _error(values: Tensor, labels: Tensor) -> float:
    """The share of rows whose largest value is not at their label."""
    return float(values.argmax(1).ne(labels).double().mean())
