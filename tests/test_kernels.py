"""Kernels, their exact solution, its norms, and the features of Table 3, against explicit matrices and closed forms."""

import itertools
import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from rethink.analyses.analysis import Context
from rethink.errors import UserError
from rethink.kernels import interpolation
from rethink.kernels.analyses import problems as kernel_problems
from rethink.kernels.analyses import random_conv as kernel_network
from rethink.kernels.analyses import solution as kernel_solution
from rethink.kernels.analyses.examples import Examples
from rethink.kernels.cholesky import PANEL, PanelStore, SingularError, bytes_needed, factorize, only_first
from rethink.kernels.gabor import GaborBank
from rethink.kernels.gram import (
    Gaussian,
    GramOfPoints,
    PackedGram,
    apply,
    blocks,
    duplicates,
    held,
    inner_products,
    predict,
    squared_distances,
)
from rethink.kernels.random_features import RandomConvNet, random_patches, whitened
from rethink.training import memory

DOUBLE = torch.float64


def points(n: int, d: int = 5, seed: int = 0) -> torch.Tensor:
    return torch.rand(n, d, generator=torch.Generator().manual_seed(seed))


def explicit(gram, dtype=DOUBLE) -> torch.Tensor:
    """All of K."""
    return gram.block(slice(0, gram.n), slice(0, gram.n), dtype)


# Kernels.


@given(st.integers(1, 20), st.integers(1, 20), st.integers(1, 30), st.integers(0, 99))
@settings(max_examples=25, deadline=None)
def test_squared_distances_are_those_of_scipy(n, m, d, seed):
    x, y = points(n, d, seed).double(), points(m, d, seed + 1).double()
    np.testing.assert_allclose(squared_distances(x, y), cdist(x, y, "sqeuclidean"), atol=1e-12)


def test_in_float32_distances_of_images_are_good_to_a_ten_thousandth_and_never_negative():
    x = points(50, 784)
    found = squared_distances(x, x)
    assert (found >= 0).all()
    torch.testing.assert_close(found.double(), squared_distances(x.double(), x.double()), atol=1e-3, rtol=0)


@pytest.mark.parametrize("dtype", [torch.float32, DOUBLE])
def test_the_diagonal_of_a_gaussian_kernel_is_exactly_one(dtype):
    gram = GramOfPoints(Gaussian(0.3), points(40, 100))
    assert (explicit(gram, dtype).diagonal() == 1).all()
    assert gram.block(slice(7, 20), slice(3, 9), dtype).diagonal(4).tolist() == [1.0, 1.0]  # K[7, 7], K[8, 8]


def test_l2_is_added_to_the_diagonal_in_every_block():
    gram = GramOfPoints(inner_products, points(30))
    regularized = explicit(gram) + 0.5 * torch.eye(30, dtype=DOUBLE)
    factor = factorize(gram, DOUBLE, width=7, l2=0.5)
    targets = torch.randn(30, 2, dtype=DOUBLE)
    solution = interpolation.solve(gram, factor, targets, l2=0.5)
    torch.testing.assert_close(solution.coefficients, torch.linalg.solve(regularized, targets))
    torch.testing.assert_close(solution.residuals, targets - regularized @ solution.coefficients, atol=1e-12, rtol=0)


def test_applied_and_predicted_in_blocks_as_with_the_whole_matrix(monkeypatch):
    monkeypatch.setattr("rethink.kernels.gram.BLOCK", 16)
    x, z, vectors = points(50), points(23, seed=1), torch.randn(50, 3, dtype=DOUBLE)
    kernel = Gaussian(2.0)
    gram = GramOfPoints(kernel, x)
    torch.testing.assert_close(apply(gram, vectors), explicit(gram) @ vectors)
    for each in (held(gram, width=7), held(gram, width=64)):
        torch.testing.assert_close(explicit(each), explicit(gram))
        torch.testing.assert_close(apply(each, vectors), explicit(gram) @ vectors)
    torch.testing.assert_close(predict(kernel, z, x, vectors), kernel(z.double(), x.double()) @ vectors)


@given(st.integers(1, 40), st.integers(1, 45), st.data())
@settings(max_examples=60, deadline=None)
def test_a_packed_matrix_gives_the_blocks_of_the_whole(n, width, data):
    whole = explicit(GramOfPoints(inner_products, points(n, 60)))
    packed = PackedGram([whole[its.start :, its].clone() for its in blocks(n, width)])
    start = data.draw(st.integers(0, n - 1))
    stop = data.draw(st.integers(start + 1, n))
    square = slice(start, stop)
    tall = slice(start, n)
    torch.testing.assert_close(packed.block(square, square, DOUBLE), whole[square, square])
    torch.testing.assert_close(packed.block(tall, square, DOUBLE), whole[tall, square])
    if stop < n:
        torch.testing.assert_close(packed.block(slice(stop, n), square, DOUBLE), whole[stop:, square])


def test_duplicates_are_named_by_the_first_pair():
    images = torch.randint(256, (2_100, 4, 4, 1), dtype=torch.uint8)
    assert duplicates(images) is None
    images[2_090] = images[17]
    assert duplicates(images) == (17, 2_090)


# The factor.


@given(st.integers(1, 70), st.integers(1, 80), st.integers(1, 30), st.integers(0, 9))
@settings(max_examples=60, deadline=None)
def test_the_blocked_factor_is_the_cholesky_factor_for_any_blocks(n, width, inner, seed):
    gram = GramOfPoints(Gaussian(3.0), points(n, seed=seed))
    factor = factorize(gram, DOUBLE, width=width, inner=inner)
    expected = torch.linalg.cholesky(explicit(gram))
    for its, panel in zip(blocks(n, width), factor.panels, strict=True):
        torch.testing.assert_close(panel.tril(), expected[its.start :, its], atol=1e-10, rtol=0)
    assert factor.smallest_pivot == pytest.approx(float(expected.diagonal().min()) ** 2, rel=1e-6)


@given(st.integers(1, 60), st.integers(1, 70), st.integers(1, 60))
@settings(max_examples=40, deadline=None)
def test_a_factor_solves_for_all_points_and_for_the_first_of_them(n, width, first):
    first = min(first, n)
    gram = GramOfPoints(Gaussian(3.0), points(n))
    targets = torch.randn(n, 2, dtype=DOUBLE)
    found = factorize(gram, DOUBLE, width=width, inner=4).solve(targets, torch.tensor([n, first]))
    whole = explicit(gram)
    torch.testing.assert_close(whole @ found[:, 0], targets[:, 0], atol=1e-8, rtol=0)
    torch.testing.assert_close(whole[:first, :first] @ found[:first, 1], targets[:first, 1], atol=1e-8, rtol=0)
    assert not found[first:, 1].any()


def test_a_factor_takes_half_the_memory_of_the_matrix():
    assert bytes_needed(60_000, torch.float32) == pytest.approx(60_000**2 * 4 / 2, rel=0.02)
    gram = GramOfPoints(Gaussian(3.0), points(300))
    factor = factorize(gram, torch.float32, width=20)
    assert sum(panel.numel() for panel in factor.panels) == 20 * sum(range(20, 301, 20))


@pytest.mark.parametrize("width", [7, 64])
def test_a_singular_matrix_is_named_by_its_row(width):
    x = points(40)
    x[31] = x[12]
    with pytest.raises(SingularError) as raised:
        factorize(GramOfPoints(Gaussian(3.0), x), DOUBLE, width=width, inner=5)
    assert raised.value.row == 31
    with pytest.raises(SingularError) as raised:
        factorize(GramOfPoints(inner_products, (points(40, 8) * 16).round()), DOUBLE, width=width, inner=5)
    assert raised.value.row == 8  # its rank, exactly


@pytest.mark.parametrize(("roundings", "singular"), [(-4, True), (0, True), (4, True), (64, False)])
def test_a_pivot_of_the_size_of_its_rounding_is_none(roundings, singular):
    eps = torch.finfo(DOUBLE).eps
    gram = PackedGram([torch.tensor([[1.0, 1.0], [1.0, 1.0 + roundings * eps]], dtype=DOUBLE)])
    if singular:
        with pytest.raises(SingularError) as raised:
            factorize(gram, DOUBLE)
        assert raised.value.row == 1
    else:
        assert factorize(gram, DOUBLE).smallest_pivot == pytest.approx(roundings * eps)


class Killed(Exception):
    pass


class KeptUntilKilled(PanelStore):
    """Keeps panels, and raises after so many in a life."""

    def __init__(self, lives_for: int) -> None:
        self.panels: dict[int, torch.Tensor] = {}
        self.left = lives_for

    def get(self, index):
        return self.panels.get(index)

    def put(self, index, panel):
        self.panels[index] = panel.clone()
        self.left -= 1
        if self.left == 0:
            raise Killed


def test_an_interrupted_factor_goes_on_behind_what_was_kept_and_is_the_same():
    gram = GramOfPoints(Gaussian(3.0), points(100))
    expected = factorize(gram, torch.float32, width=16)
    kept = KeptUntilKilled(3)
    with pytest.raises(Killed):
        factorize(gram, torch.float32, kept, width=16)
    assert sorted(kept.panels) == [0, 1, 2]
    made = []

    class Watched(GramOfPoints):
        def block(self, rows, columns, dtype):
            made.append(columns.start)
            return super().block(rows, columns, dtype)

    found = factorize(Watched(gram.kernel, gram.points), torch.float32, kept, width=16)
    assert made == [48, 64, 80, 96]
    assert all(torch.equal(a, b) for a, b in zip(found.panels, expected.panels, strict=True))


# The solution and its norms.


def problem(n: int = 120):
    gram = GramOfPoints(Gaussian(20.0), points(n, 3))
    labels = torch.randint(4, (n,), generator=torch.Generator().manual_seed(0))
    return gram, labels, interpolation.one_hot(labels, 4)


def test_a_float32_factor_is_refined_to_a_float64_solution():
    gram, _, targets = problem()
    solution = interpolation.solve(gram, factorize(gram, torch.float32, width=32), targets)
    exact = torch.linalg.solve(explicit(gram), targets)
    unrefined = factorize(gram, torch.float32, width=32).solve(targets.float()).double()
    assert solution.refinements > 0
    assert (solution.coefficients - exact).norm() < 1e-3 * (unrefined - exact).norm()
    torch.testing.assert_close(solution.residuals, targets - explicit(gram) @ solution.coefficients)
    residual = solution.relative_residual(targets, slice(1, 3))
    assert residual["frobenius"] == pytest.approx(float(solution.residuals[:, 1:3].norm() / targets[:, 1:3].norm()))
    assert residual["largest"] == pytest.approx(float(solution.residuals[:, 1:3].abs().max()))
    assert residual["frobenius"] < 1e-6


def test_refinement_of_the_first_points_alone():
    gram, _, targets = problem()
    count = torch.tensor([120, 50, 50, 7])
    solution = interpolation.solve(gram, factorize(gram, torch.float32, width=32), targets, count)
    whole = explicit(gram)
    for column, first in enumerate(count.tolist()):
        exact = torch.linalg.solve(whole[:first, :first], targets[:first, column])
        torch.testing.assert_close(
            solution.coefficients[:first, column], exact, atol=1e-4 * float(exact.norm()), rtol=0
        )
        assert not solution.coefficients[first:, column].any()
        assert not solution.residuals[first:, column].any()


def test_norms_are_those_of_each_kind_of_targets_solved_for():
    gram, labels, targets = problem()
    inverse = torch.linalg.inv(explicit(gram))
    found = interpolation.norms(inverse @ targets, targets)
    kinds = {
        "one-hot": targets,
        "±1": torch.where(targets == 1, 1.0, -1.0).double(),
        "centred": targets - 0.25,
        "class number": labels.double()[:, None],
    }
    for name, values in kinds.items():
        by_class = (values * (inverse @ values)).sum(0).sqrt()
        assert found[f"RKHS, {name}"] == pytest.approx(float(by_class.norm()), rel=1e-6)
        assert found[f"coefficients, {name}"] == pytest.approx(float((inverse @ values).norm()), rel=1e-6)
        if name != "class number":
            assert found[f"RKHS, {name}, mean of a class"] == pytest.approx(float(by_class.mean()), rel=1e-6)
            assert found[f"RKHS, {name}, largest of a class"] == pytest.approx(float(by_class.max()), rel=1e-6)


def test_the_norm_of_a_linear_kernel_is_that_of_its_weights():
    x = points(20, 50).double()
    targets = interpolation.one_hot(torch.arange(20) % 4, 4)
    weights = torch.linalg.lstsq(x, targets, driver="gelsd").solution  # of least norm
    alpha = torch.linalg.solve(x @ x.T, targets)
    assert interpolation.norms(alpha, targets)["RKHS, one-hot"] == pytest.approx(float(weights.norm()), rel=1e-8)


def test_of_a_regularized_solution_the_norm_is_that_of_the_function():
    x = points(20, 50).double()
    targets = interpolation.one_hot(torch.arange(20) % 4, 4)
    gram = x @ x.T
    alpha = torch.linalg.solve(gram + 3 * torch.eye(20, dtype=DOUBLE), targets)
    found = interpolation.norms(alpha, targets - 3 * alpha)
    assert found["RKHS, one-hot"] == pytest.approx(float((x.T @ alpha).norm()), rel=1e-8)


def test_only_first():
    vectors = torch.ones(4, 3)
    assert only_first(vectors, torch.tensor([4, 0, 2])).tolist() == [[1, 0, 1], [1, 0, 1], [1, 0, 0], [1, 0, 0]]


# What is refused, and how it is mended.


def solve(problem: kernel_problems.Problem, n: int, tmp_path, dtype=torch.float32, l2=0.0) -> dict:
    labels = torch.arange(n) % 2
    examples = Examples(torch.zeros(n, 1), {"true labels": labels}, torch.arange(100, 100 + n), torch.zeros(3, 1),
                        labels[:3], 2)  # fmt: skip
    return kernel_solution.Solver(examples, [n], dtype, Context(tmp_path)).values(problem, l2)


@pytest.mark.parametrize("row", [0, 7])
def test_an_image_with_only_zero_features_is_named(row, tmp_path):
    x = points(20, 50)
    x[row] = 0
    message = (
        rf"training image {100 + row} has only zero features under this kernel.*choose --kernel gaussian\. Or try --"
    )
    with pytest.raises(UserError, match=message):
        solve(kernel_problems.linear(x, x[:3]), 20, tmp_path)


def test_a_singular_matrix_is_named_with_the_image_that_is_most_alike(tmp_path):
    x = points(20, 50)
    x[7] = 0.5 * x[3]
    with pytest.raises(UserError, match=r"singular to torch\.float64 at training image 107: nearly .* 1\.000000, .*"):
        solve(kernel_problems.linear(x, x[:3]), 20, tmp_path, dtype=DOUBLE)


def test_each_remedy_is_an_option_that_the_command_takes(tmp_path, monkeypatch):
    monkeypatch.setattr(kernel_solution, "_SOLVED", -1.0)
    x = points(20, 50)
    gaussian = kernel_problems.gaussian(x, x[:3], 0.5, [])
    mend = r"To mend it, choose a larger --gamma, for gamma 0\.5 is too small for so many images\. Or try "
    with pytest.raises(UserError, match=mend + r"--precision float64 or --l2 0\.0001\.$"):
        solve(gaussian, 20, tmp_path)
    with pytest.raises(UserError, match=mend + r"--l2 0\.000001\.$"):
        solve(gaussian, 20, tmp_path, dtype=DOUBLE)
    monkeypatch.setattr("rethink.kernels.random_features.PATCHES", 500)
    images = torch.randint(256, (20, 32, 32, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    examples = Examples(images, {"true labels": torch.arange(20) % 2}, torch.arange(20), images[:3], torch.arange(3), 2)
    random = kernel_network.random_conv(examples, 8, tmp_path, 0, lambda *_: None)
    with pytest.raises(UserError, match=r"choose more --filters\. Or try --l2 '\[0\.000001\]'\.$"):
        solve(random, 20, tmp_path, dtype=DOUBLE)


@pytest.mark.parametrize("dtype", [torch.float32, DOUBLE])
def test_the_advised_l2_is_above_the_rounding_and_solves(dtype, tmp_path):
    x = points(400, 50)
    x[100:] = x[:100].repeat(3, 1)  # as singular as can be
    problem = kernel_problems.gaussian(x, x[:3], 0.5, [])
    with pytest.raises(UserError, match="singular") as refused:
        solve(problem, 400, tmp_path / "without", dtype)
    advised = float(str(refused.value).rpartition("--l2 ")[2].rstrip("."))
    found = solve(problem, 400, tmp_path / "with", dtype, l2=advised)
    assert all(one["residual"]["frobenius"] < 1e-3 for one in found["solutions"])


# Cross-validation.


def test_the_error_of_folds_is_that_of_solving_without_each():
    x = points(53, 4)
    labels = (x[:, 0] * 3).long()
    gram = explicit(GramOfPoints(Gaussian(2.0), x))
    wrong = 0
    for fold in range(4):
        rest = [i for i in range(53) if i % 4 != fold]
        alpha = np.linalg.solve(gram.numpy()[np.ix_(rest, rest)] + 0.1 * np.eye(len(rest)), np.eye(3)[labels[rest]])
        held = [i for i in range(53) if i % 4 == fold]
        wrong += sum((gram.numpy()[np.ix_(held, rest)] @ alpha).argmax(1) != labels[held].numpy())
    assert interpolation.error_of_folds(gram, labels, 3, 4, l2=0.1) == wrong / 53 > 0


def test_of_a_singular_matrix_there_is_no_error_of_folds():
    assert interpolation.error_of_folds(torch.ones(20, 20, dtype=DOUBLE), torch.arange(20) % 2, 2, 4) is None


# Gabor wavelets.

BANK = GaborBank((4.0, 8.0), orientations=8, window=0.5, stride=4)


@pytest.mark.parametrize("wavelength", [3.0, 4.0, 8.0])
def test_wavelets_have_mean_zero_and_length_one(wavelength):
    found = BANK.wavelets(wavelength)
    assert found.sum((1, 2)).abs().max() < 1e-4
    torch.testing.assert_close(found.abs().square().sum((1, 2)), torch.ones(8))


@pytest.mark.parametrize("orientation", range(8))
def test_a_wavelet_answers_most_to_a_wave_of_its_direction_whatever_its_phase(orientation):
    angle = orientation * math.pi / 8
    y, x = torch.meshgrid(torch.arange(28.0), torch.arange(28.0), indexing="ij")
    across = x * math.cos(angle) + y * math.sin(angle)
    bank = GaborBank((6.0,), orientations=8, window=0.6, stride=4)
    centres = []
    for phase in (0.0, 1.0, 2.0):
        image = 127 + 127 * torch.cos(2 * math.pi * across / 6.0 + phase)
        found = bank.features(image[None, :, :, None]).view(8, 7, 7)[:, 3, 3]
        assert int(found.argmax()) == orientation
        centres.append(float(found[orientation]))
    assert max(centres) / min(centres) < 1.05


def test_gabor_features_have_their_shape_and_do_not_depend_on_the_chunk():
    images = torch.randint(256, (503, 28, 28, 1), dtype=torch.uint8)
    found = BANK.features(images)
    assert found.shape == (503, 2 * 8 * 7 * 7)
    torch.testing.assert_close(found[501:], BANK.features(images[501:]))
    assert BANK.features(torch.full((1, 28, 28, 1), 0, dtype=torch.uint8)).abs().max() == 0


# The random convolutional network.


@pytest.fixture(scope="module")
def photographs() -> torch.Tensor:
    """Smooth images (70, 32, 32, 3), for in noise every patch is as white as another."""
    coarse = torch.rand(70, 3, 6, 6, generator=torch.Generator().manual_seed(0))
    return (255 * F.interpolate(coarse, 32, mode="bicubic").clamp(0, 1)).byte().permute(0, 2, 3, 1).contiguous()


@pytest.fixture
def few_patches(monkeypatch) -> None:
    monkeypatch.setattr("rethink.kernels.random_features.PATCHES", 500)


def test_features_are_rectified_responses_of_both_signs_averaged_over_windows(photographs, few_patches):
    network = RandomConvNet.draw(photographs, 20, seed=0)
    responses = F.conv2d(photographs.permute(0, 3, 1, 2).float() / 255, network.filters)
    assert responses.shape == (70, 20, 27, 27)
    expected = [F.avg_pool2d((sign * responses - 1).relu(), 15, 6, ceil_mode=True) for sign in (1, -1)]
    found = network.features(photographs)
    assert found.shape == (70, 2 * 20 * 9)
    torch.testing.assert_close(found, torch.cat(expected, 1).flatten(1), atol=1e-4, rtol=1e-4)


def test_the_gram_matrix_of_all_filters_is_the_sum_over_blocks_of_them(photographs, few_patches):
    network = RandomConvNet.draw(photographs, 20, seed=0)
    whole = network.features(photographs).double()
    parts = [RandomConvNet(network.filters[some]).features(photographs).double() for some in blocks(20, 7)]
    torch.testing.assert_close(sum(part @ part.T for part in parts), whole @ whole.T, rtol=1e-5, atol=1e-5)


def test_patches_are_parts_of_images_and_a_function_of_the_seed():
    images = torch.arange(3 * 32 * 32 * 3).view(3, 32, 32, 3) % 251
    images = images.byte()
    found = random_patches(images, 40, seed=1)
    assert torch.equal(found, random_patches(images, 40, seed=1))
    assert not torch.equal(found, random_patches(images, 40, seed=2))
    windows = {
        (images[i, y : y + 6, x : x + 6].flatten().double() / 255).numpy().tobytes()
        for i, y, x in itertools.product(range(3), range(27), range(27))
    }
    assert all(patch.numpy().tobytes() in windows for patch in found)


def test_whitened_patches_see_no_brightness_and_no_contrast():
    patches = torch.rand(400, 108, dtype=DOUBLE)
    found = whitened(patches)
    torch.testing.assert_close(found, whitened(3 * patches + 1))
    assert found.sum(1).abs().max() < 1e-9
    normed = patches - patches.mean(1, keepdim=True)
    normed /= normed.norm(dim=1, keepdim=True)
    inverse = torch.linalg.inv(normed.T @ normed / 400 + 1e-3 * torch.eye(108, dtype=DOUBLE))
    torch.testing.assert_close(found, normed @ inverse)
    flat = patches.clone()
    flat[3] = 0.5
    assert whitened(flat)[3].abs().max() == 0


# Memory.


def test_what_does_not_fit_is_refused_with_the_bytes_and_the_n_that_fits(monkeypatch):
    monkeypatch.setattr(memory, "available", lambda device: 4 * 1_000**2)
    memory.require(lambda n: 4 * n * n, 1_000, "The kernel matrix")
    with pytest.raises(
        UserError, match=r"kernel matrix needs 0\.02 GB .* 0\.00 GB are there.*n = 1,000 fits: --n 1000.*X"
    ):
        memory.require(lambda n: 4 * n * n, 2_000, "The kernel matrix", "X.")


@given(st.integers(0, 200), st.integers(0, 10_000))
def test_the_largest_that_fits(n, there):
    found = memory.largest(lambda n: 7 * n, n, there)
    assert found == min(n, there // 7)


def test_where_the_bytes_fall_the_largest_is_found_too():
    assert memory.largest(lambda n: n if n <= 70 else n - 30, 100, 50) == 80
    assert memory.largest(lambda n: n, 10**9, 123_456_789) == 123_456_789

    def needed(n: int) -> int:
        return kernel_solution.memory_needed(n, 10_000, 20, 5_000, torch.float32)

    fits = memory.largest(needed, 60_000, 1_900_000_000)
    assert fits > 16_384  # above which K is not held
    assert needed(fits) <= 1_900_000_000 < needed(16_384)


def test_where_nothing_fits_no_n_is_advised(monkeypatch):
    monkeypatch.setattr(memory, "available", lambda device: 5)
    with pytest.raises(UserError, match=r"are there\. No n fits: 0\.00 GB even with --n 1\. X\.$"):
        memory.require(lambda n: 10 + n, 7, "It", "X.")


def test_few_images_are_validated_on_no_more_than_themselves():
    few, many = (kernel_solution.memory_needed(1_000, 0, 20, size, torch.float32) for size in (1_000, 5_000))
    assert few == many


@given(st.integers(1, 3_000))
def test_the_bytes_of_a_factor_are_those_of_its_panels(n):
    entries = sum((n - part.start) * (part.stop - part.start) for part in blocks(n, PANEL))
    assert bytes_needed(n, DOUBLE) == 8 * entries


def cgroup(tmp_path, monkeypatch, lines, files):
    (tmp_path / "self").write_text(lines)
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(memory, "_SELF", tmp_path / "self")
    monkeypatch.setattr(memory, "_CGROUPS", tmp_path / "cgroup")
    monkeypatch.setattr(memory, "_MEMINFO", tmp_path / "meminfo")
    (tmp_path / "meminfo").write_text("MemTotal: 99 kB\nMemAvailable:   64 kB\n")


@pytest.mark.parametrize(
    ("lines", "files", "expected"),
    [
        ("0::/\n", {}, 65_536),
        ("0::/a/b\n", {"cgroup/a/b/memory.max": "max\n", "cgroup/a/b/memory.current": "5\n"}, 65_536),
        (
            "0::/a/b\n",  # the outer group is the narrower one, and can drop pages of files
            {
                "cgroup/a/b/memory.max": "50000",
                "cgroup/a/b/memory.current": "10",
                "cgroup/a/memory.max": "30000",
                "cgroup/a/memory.current": "20000",
                "cgroup/a/memory.stat": "anon 1\ninactive_file 7000\n",
            },
            17_000,
        ),
        (
            "9:cpu:/x\n4:memory:/c\n",  # version 1
            {
                "cgroup/memory/c/memory.limit_in_bytes": "9000",
                "cgroup/memory/c/memory.usage_in_bytes": "8000",
                "cgroup/memory/c/memory.stat": "total_inactive_file 500\n",
            },
            1_500,
        ),
    ],
)
def test_what_is_there_is_what_the_machine_and_the_container_leave(lines, files, expected, tmp_path, monkeypatch):
    cgroup(tmp_path, monkeypatch, lines, files)
    assert memory.available() == expected
