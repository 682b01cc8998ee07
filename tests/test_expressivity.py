"""Theorem 1 and Corollary 1: the networks represent any targets, with the weights and the width that are claimed."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import solve_triangular

from rethink.errors import UserError
from rethink.theorem1 import sample as line
from rethink.theorem1.networks import (
    DeepReLU,
    TwoLayerReLU,
    sum_of_relus,
    two_layer_weights,
    weights_bound,
    weights_of,
    width_bound,
)
from rethink.theorem1.sample import Sample, project

EPS = np.finfo(np.float64).eps


def deep_weights(n: int, d: int, depth: int) -> int:
    """Weights of `DeepReLU`, exactly: 2n + d for depth 2, else 2n + d + 4k - 5.

    Of each of the k - 2 hidden layers that are not the last, the neuron that ends the piece has two; each of the k - 2
    that are not the first is passed the coordinate and passes on the sum, one weight each; the coordinate has one
    threshold, and the sum's offset comes in and goes out.
    """
    return two_layer_weights(n, d) + (4 * (depth - 2) + 3 if depth > 2 else 0)


def drawn(n, d, classes=0, seed=0):
    """Standard normal points, and targets: real values, or so many classes."""
    generator = torch.Generator().manual_seed(seed)
    points = torch.randn(n, d, generator=generator)
    values = torch.randn(n, generator=generator, dtype=torch.float64)
    return points, torch.randint(0, classes, (n,), generator=generator) if classes else values


def tolerance(sample):
    """A bound on the rounding errors of a sum of n terms, each at most |w_j| (x_n - b_1); weights are rounded too."""
    terms = np.abs(sample.weights).sum() * (sample.x[-1] - sample.thresholds[0])
    return (2 * sample.size + 8) * EPS * (terms + np.abs(sample.y).max())


samples = st.tuples(
    st.integers(1, 120), st.integers(1, 30), st.sampled_from([0, 2, 10]), st.integers(0, 2**20), st.integers(2, 9)
)


@settings(deadline=None, max_examples=150)
@given(samples)
def test_any_targets_are_represented_with_the_weights_and_the_width_claimed(setting):
    n, d, classes, seed, depth = setting
    points, targets = drawn(n, d, classes, seed)
    sample = Sample.of(points, targets, seed)
    two, deep = TwoLayerReLU(sample), DeepReLU(sample, depth)
    for network in (two, deep):
        outputs = network(points)
        assert outputs.shape == (n,)
        assert outputs.dtype == torch.float64
        assert (outputs - targets).abs().max() <= tolerance(sample)
        if classes:
            assert torch.equal(outputs.round(), targets.double())
    assert weights_of(two) == two_layer_weights(n, d) == 2 * n + d
    assert weights_of(deep) == deep_weights(n, d, depth) <= weights_bound(n, d, depth)
    assert two.width == n
    assert deep.width <= width_bound(n, depth)
    assert len(deep.thresholds) == depth - 1  # hidden layers


@pytest.mark.parametrize(
    ("n", "d", "k", "weights"), [(50_000, 2352, 2, 102_352), (50_000, 2352, 3, 102_359), (10, 3, 5, 38)]
)
def test_the_count_of_weights_in_numbers(n, d, k, weights):
    assert deep_weights(n, d, k) == weights


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.integers(-1000, 1000), min_size=1, max_size=60, unique=True),
    st.lists(st.floats(-1e6, 1e6), min_size=60, max_size=60),
    st.integers(2, 80),
)
def test_points_on_a_line_and_targets_of_any_size(values, targets, depth):
    """In one dimension the gaps are those of the points, and there may be more layers than points."""
    points, y = torch.tensor(values)[:, None], torch.tensor(targets[: len(values)], dtype=torch.float64)
    sample = Sample.of(points, y)
    for network in (TwoLayerReLU(sample), DeepReLU(sample, depth)):
        assert (network(points) - y).abs().max() <= tolerance(sample)
    assert weights_of(DeepReLU(sample, depth)) == deep_weights(len(values), 1, depth)


@settings(deadline=None, max_examples=30)
@given(samples)
def test_the_order_of_the_rows_does_not_matter(setting):
    n, d, classes, seed, depth = setting
    points, targets = drawn(n, d, classes, seed)
    order = torch.randperm(n, generator=torch.Generator().manual_seed(seed))
    one, other = Sample.of(points, targets, seed), Sample.of(points[order], targets[order], seed)
    for field in ("direction", "x", "y", "thresholds", "weights"):
        assert np.array_equal(getattr(one, field), getattr(other, field))
    outputs, permuted = (DeepReLU(sample, depth)(points) for sample in (one, other))
    assert torch.equal(outputs, permuted)


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 60), st.integers(1, 8), st.integers(0, 2**20))
def test_the_weights_solve_the_triangular_system_of_the_proof(n, d, seed):
    sample = Sample.of(*drawn(n, d, seed=seed), seed)
    matrix = np.maximum(sample.x[:, None] - sample.thresholds, 0)
    assert np.array_equal(matrix, np.tril(matrix))
    assert np.array_equal(np.diag(matrix), sample.eigenvalues)
    assert sample.smallest_eigenvalue == np.diag(matrix).min() > 0  # Lemma 1
    solution = solve_triangular(matrix, sample.y, lower=True)
    # Both are backward stable: they agree as far as the matrix lets anybody know the solution.
    uncertain = n * EPS * np.abs(solution).max() * matrix.max() / sample.smallest_eigenvalue
    assert np.abs(sample.weights - solution).max() <= 8 * uncertain + EPS


def test_thresholds_lie_between_the_points():
    sample = Sample.of(*drawn(100, 5))
    assert (np.diff(sample.x) > 0).all()
    assert (sample.thresholds < sample.x).all()
    assert (sample.thresholds[1:] >= sample.x[:-1]).all()
    assert sample.smallest_gap == np.diff(sample.x).min()


@pytest.mark.parametrize("depth", [2, 3, 4, 7, 30, 60])
def test_every_depth_is_the_same_function_and_not_only_on_the_points(depth):
    points, targets = drawn(40, 6)
    elsewhere = 3 * torch.randn(500, 6, generator=torch.Generator().manual_seed(1))
    sample = Sample.of(points, targets)
    two, deep = (network(elsewhere) for network in (TwoLayerReLU(sample), DeepReLU(sample, depth)))
    assert torch.allclose(two, deep, rtol=1e-9, atol=tolerance(sample))
    if depth == 2:
        assert torch.equal(two, deep)


def test_a_layer_is_what_its_definition_says():
    """More points and neurons than in a block, against the whole matrix of activations."""
    generator = torch.Generator().manual_seed(0)
    x, b, w = (torch.randn(size, generator=generator, dtype=torch.float64) for size in (1100, 150, 150))
    assert torch.allclose(sum_of_relus(x, b, w), (x[:, None] - b).relu() @ w)


@pytest.mark.parametrize(("start", "coordinate"), [(0.5, [0.7, -1.0]), (0.5, [-0.7, -1.0]), (5.0, [-0.7, 1.0])])
def test_the_deep_network_is_evaluated_layer_by_layer(start, coordinate):
    """The same as ReLU layers written out as matrices, also with weights with which each ReLU cuts something off."""
    points, targets = drawn(11, 4)
    deep = DeepReLU(Sample.of(points, targets), 4)

    def written_out():
        (b1, b2, b3), (w1, w2, w3) = deep.thresholds, deep.outputs
        (c2, c3), (s3, s4) = deep.coordinate, deep.so_far
        x = points.double() @ deep.direction[:, None]
        first = torch.cat([x - deep.start, x - b1], 1).relu()
        t = first[:, :1]
        second = torch.cat([c2 * t, deep.offset[0] + first[:, 1:] @ w1[:, None], c2 * t - b2], 1).relu()
        t, so_far = second[:, :1], second[:, 1:2]
        third = torch.cat([s3 * so_far + second[:, 2:] @ w2[:, None], c3 * t - b3], 1).relu()
        assert deep.width == max(layer.shape[1] for layer in (first, second, third))
        return s4 * third[:, 0] + third[:, 1:] @ w3 + deep.offset[1]

    assert torch.allclose(deep(points), targets, atol=1e-9)
    assert torch.allclose(written_out(), targets, atol=1e-9)
    deep.offset[0] = 0.0
    deep.start += start
    deep.coordinate[:] = torch.tensor(coordinate)
    deep.so_far[:] = torch.tensor([1.3, 0.6])
    assert torch.allclose(deep(points), written_out(), atol=1e-9)
    assert not torch.allclose(deep(points), targets, atol=1e-2)


def test_a_point_is_projected_alike_wherever_it_stands():
    points, _ = drawn(200, 2352)
    direction = torch.randn(2352, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    alone = torch.cat([project(point[None], direction) for point in points])
    assert torch.equal(project(points, direction), alone)
    assert torch.allclose(alone, points.double() @ direction)


def test_images_are_points_too():
    points, targets = drawn(20, 48, classes=10)
    network = TwoLayerReLU(Sample.of(points, targets))
    assert torch.equal(network(points.view(20, 3, 4, 4)), network(points))


@pytest.mark.parametrize("n", [3000, 20_000])
def test_numerics_at_size(n):
    """The error is about what is expected of it, and under that of a plain matrix product."""
    points, labels = drawn(n, 5, classes=10)
    sample = Sample.of(points, labels)
    outputs = TwoLayerReLU(sample)(points)
    error = (outputs - labels).abs().max()
    assert torch.equal(outputs.round(), labels.double())
    assert sample.rounding / 50 < error < 10 * sample.rounding
    x = project(points, torch.from_numpy(sample.direction))
    some = torch.arange(0, n, n // 1000)
    b, w = torch.from_numpy(sample.thresholds), torch.from_numpy(sample.weights)
    plain = ((x[some, None] - b).relu() @ w - labels[some]).abs().max()
    assert error < plain


def test_the_best_of_several_directions_is_taken(monkeypatch):
    points, targets = drawn(2000, 5)
    best = Sample.of(points, targets)
    monkeypatch.setattr(line, "DIRECTIONS", 1)
    first = Sample.of(points, targets)
    assert not np.array_equal(best.direction, first.direction)
    assert best.smallest_gap > 2 * first.smallest_gap
    assert math.isclose(np.linalg.norm(best.direction), 1)


def test_another_seed_is_another_direction():
    points, targets = drawn(50, 5)
    one, other = Sample.of(points, targets, 0), Sample.of(points, targets, 1)
    assert not np.array_equal(one.direction, other.direction)


def test_one_point():
    for depth in (2, 3, 6):
        network = DeepReLU(Sample.of(torch.tensor([[3.0, -1.0]]), torch.tensor([-7])), depth)
        assert network(torch.tensor([[3.0, -1.0]])).tolist() == pytest.approx([-7])
    assert weights_of(TwoLayerReLU(Sample.of(torch.ones(1, 2), torch.ones(1)))) == 4
    assert Sample.of(torch.ones(1, 2), torch.ones(1)).smallest_gap is None


# What cannot be represented, and what can in spite of appearances.


def test_the_same_point_with_two_targets_is_refused_by_name():
    points, targets = drawn(500, 3)
    points[411] = points[17]
    with pytest.raises(
        UserError, match=r"rows 17 and 411 are the same point, with the targets .* no function has both"
    ):
        Sample.of(points, targets)


def test_the_same_point_with_the_same_target_counts_once():
    points, targets = drawn(100, 3, classes=10)
    points[[40, 90]], targets[[40, 90]] = points[7].clone(), targets[7].clone()
    sample = Sample.of(points, targets)
    network = TwoLayerReLU(sample)
    assert sample.size == 98
    assert weights_of(network) == 2 * 98 + 3
    assert torch.equal(network(points).round(), targets.double())


def test_minus_zero_is_zero():
    points = torch.tensor([[0.0, 1.0], [-0.0, 1.0]])
    assert Sample.of(points, torch.ones(2)).size == 1
    with pytest.raises(UserError, match="rows 0 and 1 are the same"):
        Sample.of(points, torch.arange(2))


def test_points_that_are_equal_on_one_direction_are_told_apart_on_another(monkeypatch):
    """The first direction is along the first axis, where all points are the same."""
    usual = line._directions

    def directions(seed, points):
        chosen = usual(seed, points)
        chosen[0] = torch.tensor([1.0, 0.0])
        return chosen

    monkeypatch.setattr(line, "_directions", directions)
    points = torch.tensor([[1.0, 5.0], [1.0, 2.0], [1.0, 3.0], [1.0, 5.0]])
    targets = torch.tensor([1.0, 2.0, 3.0, 1.0])
    sample = Sample.of(points, targets)
    assert sample.size == 3
    assert sample.direction[0] != 1
    assert torch.allclose(TwoLayerReLU(sample)(points), targets.double())


def test_points_too_close_for_every_direction():
    points = torch.tensor([[1e9, 1.0], [1e9, 1.0 + 1.5e-14], [3.0, 4.0]], dtype=torch.float64)
    with pytest.raises(UserError, match=r"rows 0 and 1 differ by 1.5\de-14 only, .* 8 random directions"):
        Sample.of(points, torch.arange(3))


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_refused_with_its_row(bad):
    points, targets = drawn(3000, 3)
    targets[2500] = bad
    with pytest.raises(UserError, match="the target in row 2500 is not finite"):
        Sample.of(points, targets)
    points[1002, 1] = bad
    with pytest.raises(UserError, match="the point in row 1002 is not finite"):
        Sample.of(points, targets)


@pytest.mark.parametrize(
    ("points", "targets", "message"),
    [
        (torch.ones(0, 3), torch.ones(0), "nothing to represent"),
        (torch.ones(3, 0), torch.ones(3), "nothing to represent"),
        (torch.ones(3), torch.ones(3), r"shapes \(3,\) and \(3,\)"),
        (torch.ones(3, 2), torch.ones(2), r"shapes \(3, 2\) and \(2,\)"),
        (torch.ones(3, 2), torch.ones(3, 1), r"Expected \(n, d\) and \(n,\)"),
        (1.7e308 * drawn(50, 100)[0].double().sign(), torch.ones(50), "projections overflow"),
        (torch.tensor([[0.0], [1e-9]]), 1e300 * torch.arange(2).double(), "slopes between them overflow"),
    ],
)
def test_bad_samples(points, targets, message):
    with pytest.raises(UserError, match=message):
        Sample.of(points, targets)


@pytest.mark.parametrize("depth", [1, 0, -3])
def test_depth_one_is_refused(depth):
    with pytest.raises(UserError, match=f"depth {depth}: Corollary 1 is about depths of 2 and more"):
        DeepReLU(Sample.of(*drawn(5, 2)), depth)
