"""Section 5: closed forms of interpolants, where SGD and others converge, and the Hessian at every interpolant."""

import itertools
import math

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from rethink import randomness
from rethink.errors import UserError
from rethink.kernels import descent
from rethink.kernels.descent import adam, logarithmic, sgd
from rethink.kernels.least_squares import LOSSES, LeastSquares, SingularGram, hessian, spectrum


def gaussian(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=randomness.generator(randomness.key(seed, "test")), dtype=torch.float64)


def problem(seed: int = 0, n: int = 5, d: int = 12, k: int = 2) -> LeastSquares:
    return LeastSquares(gaussian(seed, n, d), gaussian(seed + 1, n, k))


def drawn(seed: int, n: int, more: int, k: int) -> LeastSquares:
    """Of n examples with n + more features, conditioned so well that rounding is far below the tolerances."""
    inputs = gaussian(seed, n, n + more)
    values = torch.linalg.svdvals(inputs)
    assume(values[-1] > 0.01 * values[0])
    return LeastSquares(inputs, gaussian(seed + 1, n, k))


def order(seed: int, steps: int, n: int) -> torch.Tensor:
    return torch.randint(n, (steps,), generator=torch.Generator().manual_seed(seed))


def end(path) -> torch.Tensor:
    (*_, (_, weights)) = path
    return weights


sizes = st.tuples(st.integers(1, 6), st.integers(0, 6), st.integers(1, 3), st.integers(0, 10**6))


# Closed forms.


def test_in_two_dimensions_the_interpolants_are_a_line():
    """3 w_1 + 4 w_2 = 5: the nearest point of the line to the origin is (3, 4) / 5, and likewise from elsewhere."""
    line = LeastSquares(torch.tensor([[3.0, 4.0]]), torch.tensor([[5.0]]))
    torch.testing.assert_close(line.minimum_norm(), torch.tensor([[0.6, 0.8]], dtype=torch.float64))
    start = torch.tensor([[4.0, 3.0]], dtype=torch.float64)  # 24 there, 19 too much, over |x|^2 = 25
    torch.testing.assert_close(line.nearest(start), start - 19 / 25 * torch.tensor([[3.0, 4.0]], dtype=torch.float64))
    # With D = diag(1, 0) only w_1 moves.
    torch.testing.assert_close(
        line.nearest(torch.zeros(1, 2, dtype=torch.float64), torch.tensor([1.0, 1e-12])),
        torch.tensor([[5 / 3, 0.0]], dtype=torch.float64),
        atol=1e-6,
        rtol=0,
    )
    assert line.largest_rate() == pytest.approx(2 / 25)
    assert line.residual(torch.zeros(1, 2, dtype=torch.float64)) == 1


@settings(max_examples=40, deadline=None)
@given(sizes)
def test_the_minimum_norm_interpolant_is_that_of_the_pseudoinverse(size):
    n, more, k, seed = size
    one = drawn(seed, n, more, k)
    torch.testing.assert_close(
        one.minimum_norm(), (torch.linalg.pinv(one.inputs) @ one.targets).T, atol=1e-6, rtol=1e-6
    )


@settings(max_examples=40, deadline=None)
@given(sizes)
def test_the_nearest_interpolant_is_reached_within_the_span_of_the_data(size):
    n, more, k, seed = size
    one, start = drawn(seed, n, more, k), gaussian(seed + 2, k, n + more)
    nearest = one.nearest(start)
    assert one.residual(nearest) < 1e-6
    assert one.unseen(nearest - start).norm() < 1e-6 * (1 + (nearest - start).norm())
    # Pythagoras: any other interpolant is farther away.
    other = one.nearest(gaussian(seed + 3, k, n + more))
    apart = (other - start).square().sum()
    assert apart == pytest.approx(float((nearest - start).square().sum() + (other - nearest).square().sum()), rel=1e-6)


@settings(max_examples=40, deadline=None)
@given(sizes)
def test_the_unseen_part_is_a_projection_that_no_example_sees(size):
    n, more, k, seed = size
    one, weights = drawn(seed, n, more, k), gaussian(seed + 2, k, n + more)
    unseen = one.unseen(weights)
    torch.testing.assert_close(one.unseen(unseen), unseen, atol=1e-12, rtol=0)
    assert (one.inputs @ unseen.T).abs().max() < 1e-10
    assert one.unseen(weights - unseen).norm() < 1e-10
    if more == 0:
        assert unseen.norm() < 1e-10


def test_the_preconditioned_limit_interpolates_and_has_the_least_norm_of_its_own():
    one, weaker = problem(), torch.linspace(0.1, 3, 12, dtype=torch.float64)
    zero = torch.zeros(2, 12, dtype=torch.float64)
    limit, least = one.nearest(zero, weaker), one.minimum_norm()
    assert one.residual(limit) < 1e-12
    assert (limit.square() / weaker).sum() < (least.square() / weaker).sum()
    assert least.norm() < limit.norm()


# Errors.


def test_fewer_features_than_examples_are_refused():
    with pytest.raises(UserError, match=r"5 examples with 4 features.*overdetermined"):
        problem(n=5, d=4)


def test_dependent_examples_are_named():
    inputs = gaussian(0, 4, 9)
    inputs[3] = inputs[1]
    with pytest.raises(SingularGram, match=r"singular.*examples 1 and 3 are the same"):
        LeastSquares(inputs, gaussian(1, 4, 1))
    inputs[3] = inputs[1] + inputs[2]
    with pytest.raises(SingularGram, match="singular") as refused:
        LeastSquares(inputs, gaussian(1, 4, 1))
    assert "same" not in str(refused.value)
    with pytest.raises(SingularGram):
        LeastSquares(torch.full((2, 3), math.nan), gaussian(1, 2, 1))


@pytest.mark.parametrize("factor", [0.0, -0.5, 1.0, 2.0, math.nan])
def test_a_learning_rate_that_diverges_is_refused(factor):
    one = problem()
    with pytest.raises(UserError, match=r"learning rate .* diverges"):
        end(sgd(one, order(0, 10, 5), one.minimum_norm(), [10], factor * one.largest_rate()))


def test_beyond_the_largest_rate_it_does_diverge():
    """The bound is sharp: with one example, twice the length of the step that ends at the solution."""
    one = problem(n=1, d=3, k=1)
    limit = one.minimum_norm()
    apart = [
        (w - limit).norm() for _, w in sgd(one, order(0, 40, 1), 0 * limit, [1, 20, 40], 0.99 * one.largest_rate())
    ]
    assert apart[0] > apart[1] > apart[2]
    weights = 0 * limit
    for _ in range(40):
        weights = weights - 1.01 * one.largest_rate() * (one.inputs @ weights.T - one.targets).T @ one.inputs
    assert (weights - limit).norm() > limit.norm()


# Where SGD and others converge.


def test_one_step_is_the_formula():
    """w - rate e x, with e = w^T x - y (Section 5)."""
    one, start = problem(k=1), gaussian(7, 1, 12)
    x, y = one.inputs[3], one.targets[3]
    ((step, weights),) = sgd(one, torch.tensor([3]), start, [1], 0.01)
    assert step == 1
    torch.testing.assert_close(weights, start - 0.01 * (start @ x - y) * x)


def test_from_zero_it_converges_to_the_minimum_norm_and_stays_in_the_span():
    one = problem(n=8, d=40)
    least = one.minimum_norm()
    path = dict(sgd(one, order(0, 4000, 8), 0 * least, [1, 100, 4000], one.largest_rate() / 2))
    assert list(path) == [1, 100, 4000]
    assert all(one.unseen(weights).norm() < 1e-13 * least.norm() for weights in path.values())
    assert (path[100] - least).norm() > 1e-3 * least.norm()
    torch.testing.assert_close(path[4000], least, atol=1e-10, rtol=0)


def test_from_elsewhere_it_converges_to_the_nearest_and_keeps_what_no_example_sees():
    one, start = problem(n=8, d=40), gaussian(9, 2, 40)
    path = dict(sgd(one, order(0, 4000, 8), start, [10, 4000], one.largest_rate() / 2))
    for weights in path.values():
        torch.testing.assert_close(one.unseen(weights), one.unseen(start), atol=1e-12, rtol=0)
    torch.testing.assert_close(path[4000], one.nearest(start), atol=1e-10, rtol=0)
    assert (path[4000] - one.minimum_norm()).norm() > 1


def test_kaczmarz_projects_onto_the_hyperplane_of_the_example():
    """With rate 1 / |x_i|^2 an example is right after its step."""
    one, start = problem(), gaussian(9, 2, 12)
    ((_, weights),) = sgd(one, torch.tensor([2]), start, [1], 1 / one.squares())
    torch.testing.assert_close(weights @ one.inputs[2], one.targets[2])
    torch.testing.assert_close(
        end(sgd(one, order(0, 3000, 5), start, [3000], 1 / one.squares())), one.nearest(start), atol=1e-10, rtol=0
    )


def test_preconditioned_it_interpolates_elsewhere():
    one = problem(n=8, d=40)
    weaker = torch.logspace(-1, 1, 40, dtype=torch.float64)
    least = one.minimum_norm()
    weights = end(sgd(one, order(0, 8000, 8), 0 * least, [8000], one.largest_rate(weaker) / 2, weaker))
    torch.testing.assert_close(weights, one.nearest(0 * least, weaker), atol=1e-9, rtol=0)
    assert one.residual(weights) < 1e-8
    assert (weights - least).norm() > 0.1 * least.norm()


def test_adam_interpolates_elsewhere():
    one = problem(n=8, d=40)
    least = one.minimum_norm()
    weights = end(adam(one, order(0, 4000, 8), 0 * least, [4000], 0.02))
    assert one.residual(weights) < 1e-3
    assert (weights - least).norm() > 0.05 * least.norm()
    assert one.unseen(weights).norm() > 0.05 * least.norm()


def test_adam_is_that_of_torch():
    one, steps = problem(), 50
    examples = order(3, steps, 5)
    weights = torch.nn.Parameter(torch.zeros(2, 12, dtype=torch.float64))
    optimizer = torch.optim.Adam([weights], lr=0.1)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for i in examples.tolist():
        optimizer.zero_grad()
        ((weights @ one.inputs[i] - one.targets[i]).square().sum() / 2).backward()
        optimizer.step()
        schedule.step()
    ours = end(adam(one, examples, torch.zeros(2, 12), [steps], 0.1))
    torch.testing.assert_close(ours, weights.detach(), atol=1e-9, rtol=1e-9)


@settings(max_examples=40, deadline=None)
@given(sizes, st.floats(0.05, 0.95))
def test_no_step_leads_away_from_any_interpolant(size, share):
    n, more, k, seed = size
    one, start = drawn(seed, n, more, k), gaussian(seed + 2, k, n + more)
    target = one.nearest(gaussian(seed + 3, k, n + more))
    rate = share * one.largest_rate()
    apart = [
        (start - target).norm(),
        *((w - target).norm() for _, w in sgd(one, order(seed, 9, n), start, range(1, 10), rate)),
    ]
    rounding = 1e-12 * apart[0]
    assert all(after <= before * (1 + 1e-9) + rounding for before, after in itertools.pairwise(apart))


def test_a_start_is_left_as_it_was():
    one, start = problem(), gaussian(9, 2, 12)
    before = start.clone()
    end(sgd(one, order(0, 9, 5), start, [9], 0.01))
    end(adam(one, order(0, 9, 5), start, [9], 0.01))
    assert torch.equal(start, before)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 10**6), st.integers(2, 100))
def test_steps_to_look_at_rise_from_the_first_to_the_last(steps, points):
    at = logarithmic(steps, points)
    assert (at[0], at[-1]) == (1, steps)
    assert len(at) <= points
    assert at == sorted(set(at))


# The Hessian.


def risk(one: LeastSquares, loss, weights: torch.Tensor) -> torch.Tensor:
    return loss(one.inputs @ weights, one.targets[:, 0]).mean()


@pytest.mark.parametrize("loss", LOSSES)
def test_the_hessian_is_the_second_derivative_of_the_empirical_risk(loss):
    one, weights = problem(), gaussian(5, 12)
    expected = torch.autograd.functional.hessian(lambda w: risk(one, LOSSES[loss], w), weights)
    torch.testing.assert_close(hessian(one.inputs, one.targets[:, 0], weights, LOSSES[loss]), expected)


@pytest.mark.parametrize("loss", LOSSES)
@settings(max_examples=25, deadline=None)
@given(st.integers(1, 6), st.integers(1, 8), st.integers(0, 10**6))
def test_it_is_the_same_and_degenerate_at_every_interpolant(loss, n, more, seed):
    one = drawn(seed, n, more, 1)
    least = one.minimum_norm()[0]
    far = one.nearest(10 * gaussian(seed + 2, 1, n + more))[0]
    here, there = (hessian(one.inputs, one.targets[:, 0], w, LOSSES[loss]) for w in (least, far))
    assert (least - far).norm() > 1e-3
    torch.testing.assert_close(here, there, atol=1e-9, rtol=1e-9)
    rank, values = spectrum(here)
    assert rank == n
    # The n eigenvalues are those of (1/n) X X^T, for beta = 1 in both losses.
    torch.testing.assert_close(values[-n:], one.eigenvalues / n, atol=1e-9 * float(values[-1]), rtol=1e-6)
    assert values[:-n].abs().max() < 1e-12 * values[-1]


def test_away_from_the_interpolants_the_hessian_of_a_loss_that_is_not_squared_differs():
    one = problem(k=1)
    least = one.minimum_norm()[0]
    here, away = (hessian(one.inputs, one.targets[:, 0], w, LOSSES["log-cosh"]) for w in (least, 0 * least))
    assert (here - away).abs().max() > 0.1 * here.abs().max()


def test_rank_does_not_count_what_is_rounding():
    rank, values = spectrum(torch.diag(torch.tensor([2.0, 1e-3, 1e-18], dtype=torch.float64)))
    assert rank == 2
    assert values.tolist() == pytest.approx([1e-18, 1e-3, 2.0])


def test_descent_has_the_constants_of_the_article():
    assert (descent._DECAY, descent._SQUARE_DECAY, descent._EPSILON) == (0.9, 0.999, 1e-8)
