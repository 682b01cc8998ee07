"""Section 5: least squares with more features than examples, the interpolants among its solutions, and their Hessian.

min over w of (1/n) sum of loss(w^T x_i, y_i) with d >= n: every w with X w = y is a global minimum, and so is w + v for
every v that no example sees. Here with K targets for each example, one column w per target: weights are (K, d), as
those of a linear layer, and norms are Frobenius norms. All in float64.
"""

from collections.abc import Callable
from functools import cached_property

import torch
from torch import Tensor

from rethink.errors import UserError
from rethink.kernels.gram import duplicates

Loss = Callable[[Tensor, Tensor], Tensor]

LOSSES: dict[str, Loss] = {
    "squared": lambda z, y: (z - y).square() / 2,
    "log-cosh": lambda z, y: (z - y).cosh().log(),  # its second derivative is 1 at z = y only
}
"""loss(z, y), each element for itself, with its minimum at z = y."""


class SingularGram(UserError):
    """X X^T cannot be inverted: some example is a combination of others."""


class LeastSquares:
    """The problem min over w of (1/n) sum of (w^T x_i - y_i)^2 / 2 with d >= n, whose minimum is 0.

    Args:
        inputs: X, (n, d).
        targets: y, (n, K).

    Raises:
        UserError: If d < n.
        SingularGram: If the examples are linearly dependent, up to rounding.
    """

    def __init__(self, inputs: Tensor, targets: Tensor) -> None:
        self.inputs = inputs.double()
        self.targets = targets.double()
        n, d = self.inputs.shape
        if d < n:
            raise UserError(
                f"{n:,} examples with {d:,} features: with fewer features than examples the system X w = y is "
                "overdetermined, and in general no w interpolates. Take at least as many features."
            )
        self.gram = self.inputs @ self.inputs.T
        self.eigenvalues = torch.linalg.eigvalsh(self.gram)
        """Of X X^T, (n,), rising."""
        if not self.eigenvalues[0] > n * torch.finfo(torch.float64).eps * self.eigenvalues[-1]:
            pair = duplicates(self.inputs)
            alike = f"; examples {pair[0]} and {pair[1]} are the same" if pair else ""
            raise SingularGram(
                f"X X^T of {n:,} examples is singular: its eigenvalues are {self.eigenvalues[0]:.2g} to "
                f"{self.eigenvalues[-1]:.2g}{alike}. Leave examples out, or take more features."
            )

    def minimum_norm(self) -> Tensor:
        """The interpolant of least l2 norm, w = X^T alpha with X X^T alpha = y, (K, d)."""
        return self.nearest(self.inputs.new_zeros(self.targets.shape[1], self.inputs.shape[1]))

    def nearest(self, start: Tensor, preconditioner: Tensor | None = None) -> Tensor:
        """The interpolant nearest to a start w0, w0 + X^T alpha with X X^T alpha = y - X w0, (K, d).

        With a preconditioner D, (d,), it is w0 + D X^T alpha with X D X^T alpha = y - X w0, which is the nearest in
        the norm sqrt(w^T D^-1 w).
        """
        missing = self.targets - self.inputs @ start.T
        if preconditioner is None:
            return start + torch.cholesky_solve(missing, self._factor).T @ self.inputs
        directions = self.inputs * preconditioner
        factor = torch.linalg.cholesky(directions @ self.inputs.T)
        return start + torch.cholesky_solve(missing, factor).T @ directions

    def unseen(self, weights: Tensor) -> Tensor:
        """The part of w that no example sees, its projection on the null space of X: 0 within the span of the data."""
        return weights - (weights @ self._span) @ self._span.T

    def residual(self, weights: Tensor) -> float:
        """|X w - y| / |y|."""
        return float((self.inputs @ weights.T - self.targets).norm() / self.targets.norm())

    def largest_rate(self, preconditioner: Tensor | None = None) -> float:
        """2 / max |x_i|^2: a constant learning rate below it never takes SGD away from an interpolant.

        For a single step w - rate e_i x_i changes |w - w*|^2 by -rate (2 - rate |x_i|^2) e_i^2. With a
        preconditioner D it is 2 / max x_i^T D x_i, and the norm that of `nearest`.
        """
        return 2 / float(self.squares(preconditioner).max())

    def squares(self, preconditioner: Tensor | None = None) -> Tensor:
        """|x_i|^2, or x_i^T D x_i, (n,)."""
        directions = self.inputs if preconditioner is None else self.inputs * preconditioner
        return (directions * self.inputs).sum(1)

    @cached_property
    def _factor(self) -> Tensor:
        factor: Tensor = torch.linalg.cholesky(self.gram)
        return factor

    @cached_property
    def _span(self) -> Tensor:
        """An orthonormal basis of the span of the examples, (d, n)."""
        basis: Tensor = torch.linalg.qr(self.inputs.T).Q
        return basis


def hessian(inputs: Tensor, targets: Tensor, weights: Tensor, loss: Loss) -> Tensor:
    """The Hessian of (1/n) sum of loss(w^T x_i, y_i), (1/n) X^T diag(beta) X, (d, d).

    beta_i is the second derivative of the loss in z at z = w^T x_i. Where w interpolates, that is z = y_i: the same
    beta at every such w, so the same Hessian, of rank n at most. Curvature cannot tell one from another.

    Args:
        inputs: X, (n, d).
        targets: y, (n,), of one output: the Hessian has a block of this kind for each.
        weights: w, (d,).
        loss: One of `LOSSES`, or any other that is twice differentiable.
    """
    z = (inputs @ weights).detach().requires_grad_()
    (slope,) = torch.autograd.grad(loss(z, targets).sum(), z, create_graph=True)
    (beta,) = torch.autograd.grad(slope.sum(), z)
    return inputs.T @ (beta[:, None] * inputs) / len(inputs)


def spectrum(matrix: Tensor) -> tuple[int, Tensor]:
    """Rank and eigenvalues (d,), rising, of a symmetric matrix. What is 0 up to rounding does not count."""
    values = torch.linalg.eigvalsh(matrix)
    negligible = len(matrix) * torch.finfo(matrix.dtype).eps * values.abs().max()
    return int((values.abs() > negligible).sum()), values
