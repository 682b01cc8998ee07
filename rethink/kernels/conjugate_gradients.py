"""K alpha = y where no factor of K fits into memory: conjugate gradients with a Nyström preconditioner.

K is made anew block by block in each iteration, so memory is that of the preconditioner: n x rank numbers, and three
times that while it is made. What makes kernel matrices hard for gradient methods is their few large eigenvalues; as in
EigenPro (Ma & Belkin 2017) those of a sample of the points are flattened, here by the preconditioner of Frangella,
Tropp & Udell (2023). Where the factor fits it is several times faster.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from rethink.kernels.gram import BLOCK, Gram, Progress, apply, blocks, silent
from rethink.kernels.interpolation import Solution

RANK = 2_000  # points of the sample, of which there are fewer where n is small
TOLERANCE = 1e-6  # relative residual of each column
ITERATIONS = 1_000


@dataclass(frozen=True)
class Preconditioner:
    """An approximate inverse of K, up to a factor: `vectors` (n, rank) orthonormal, with K's largest eigenvalues."""

    vectors: Tensor
    values: Tensor

    @classmethod
    def of(cls, gram: Gram, rank: int) -> "Preconditioner":
        """From the columns of the first points, which are to be in random order."""
        part = slice(0, min(rank, gram.n))
        head = gram.block(part, part, torch.float64)
        shift = 1e-10 * float(head.diagonal().mean()) * part.stop**0.5  # the sample alone may be singular
        half = torch.linalg.cholesky(head + shift * torch.eye(part.stop, dtype=head.dtype, device=head.device))
        columns = head.new_empty(gram.n, part.stop)
        behind = [slice(part.stop + some.start, part.stop + some.stop) for some in blocks(gram.n - part.stop, BLOCK)]
        for rows in (part, *behind):  # piece by piece, for memory is that of the columns, their copy and the vectors
            block = head if rows == part else gram.block(rows, part, torch.float64)
            columns[rows] = torch.linalg.solve_triangular(half.T, block, upper=True, left=False)
        vectors, roots, _ = torch.linalg.svd(columns, full_matrices=False)
        return cls(vectors, (roots.square() - shift).clamp_min(shift))

    def __call__(self, residuals: Tensor) -> Tensor:
        """(n, c) -> (n, c): the large eigenvalues flattened to the least of them."""
        within = self.vectors.T @ residuals
        return residuals + self.vectors @ ((self.values[-1] / self.values - 1)[:, None] * within)


def bytes_needed(n: int, rank: int = RANK) -> int:
    """Of the preconditioner while it is made: columns, their copy and the vectors, and what is rank x rank."""
    rank = min(rank, n)
    return (3 * n + 14 * rank) * rank * 8


@dataclass
class State:
    """Where the iteration is, enough to go on from: tensors (n, c) and, per column, the residual's energy."""

    alpha: Tensor
    residuals: Tensor
    direction: Tensor
    energy: Tensor
    done: int

    @classmethod
    def begin(cls, targets: Tensor, precondition: Preconditioner) -> "State":
        """At alpha = 0."""
        towards = precondition(targets)
        return cls(torch.zeros_like(targets), targets.clone(), towards, (targets * towards).sum(0), 0)


def solve(
    gram: Gram,
    targets: Tensor,
    rank: int = RANK,
    tolerance: float = TOLERANCE,
    iterations: int = ITERATIONS,
    state: State | None = None,
    keep: Callable[[State], None] = lambda state: None,
    progress: Progress = silent,
) -> Solution:
    """alpha for targets (n, c), each column by its own conjugate gradients, all with the same products with K.

    Ends at the tolerance or after so many iterations; the solution's residuals, computed anew, say how near it is.

    Args:
        gram: K.
        targets: A column per equation.
        rank: Points of the preconditioner's sample.
        tolerance: Relative residual of each column at which it ends.
        iterations: At most.
        state: An interrupted iteration to go on with.
        keep: Told of the state after each iteration.
        progress: Told of the iterations.
    """
    targets = targets.double().to(gram.device)
    goal = tolerance * targets.norm(dim=0)
    precondition = Preconditioner.of(gram, rank)
    at = state or State.begin(targets, precondition)
    while at.done < iterations and bool((at.residuals.norm(dim=0) > goal).any()):
        product = apply(gram, at.direction)
        step = at.energy / (at.direction * product).sum(0).clamp_min(1e-300)
        at.alpha += step * at.direction
        at.residuals -= step * product
        towards = precondition(at.residuals)
        before, at.energy = at.energy, (at.residuals * towards).sum(0)
        at.direction = towards + (at.energy / before.clamp_min(1e-300)) * at.direction
        at.done += 1
        keep(at)
        progress("conjugate gradients, iterations", at.done, iterations)
    return Solution(at.alpha, targets - apply(gram, at.alpha), at.done)
