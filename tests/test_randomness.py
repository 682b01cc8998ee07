"""Every draw is a pure function of (seed, purpose, index): published values, a second implementation."""

import hashlib
import math

import numpy as np
import pytest
import torch

from rethink import randomness

INDEX = np.arange(20_000)


def splitmix64(state: int, number: int) -> int:
    """Output `number` (from 0) of SplitMix64 from `state`, in Python's own integers (Steele et al. 2014)."""
    mask = 2**64 - 1
    z = (state + (number + 1) * 0x9E3779B97F4A7C15) & mask
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 & mask
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB & mask
    return z ^ (z >> 31)


def test_bits_are_the_published_outputs_of_splitmix64():
    expected = [
        *(6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431),
        16408922859458223821,
    ]
    assert randomness.bits(1234567, np.arange(5))[:, 0].tolist() == expected
    assert [splitmix64(1234567, i) for i in range(5)] == expected


@pytest.mark.parametrize("width", [1, 3, 2352])
def test_word_j_of_index_i_is_output_number_i_times_width_plus_j(width):
    index = np.array([0, 7, 49_999])
    words = randomness.bits(2**64 - 5, index, width)
    assert words.shape == (3, width)
    for i, row in zip(index.tolist(), words.tolist(), strict=True):
        assert row == [splitmix64(2**64 - 5, i * width + j) for j in range(width)]


def test_a_key_is_the_head_of_the_sha256_of_seed_and_purpose():
    expected = int.from_bytes(hashlib.sha256(b"3/labels/train").digest()[:8], "little")
    assert randomness.key(3, "labels", "train") == expected
    assert randomness.key(0, "order", 1) == 8748431698276096892
    keys = {randomness.key(seed, what, e) for seed in range(10) for what in ("order", "crop") for e in range(10)}
    assert len(keys) == 200


def test_the_draws_are_these():
    stream, index = randomness.key(0, "golden"), np.arange(4)
    assert randomness.uniform(stream, index)[:, 0].tolist() == [(splitmix64(stream, i) >> 11) / 2**53 for i in range(4)]
    assert randomness.integers(stream, np.arange(12), 10).tolist() == [2, 6, 3, 1, 2, 5, 9, 4, 8, 0, 3, 0]
    assert randomness.permutation(stream, 10).tolist() == [9, 3, 4, 0, 2, 7, 5, 1, 8, 6]
    expected = [[-0.51253653, 0.91245037, 0.59086913], [0.67535031, -1.07610106, -0.15847749]]
    np.testing.assert_allclose(randomness.normal(stream, index[:2], 3), expected, rtol=1e-6)


def test_normal_is_box_muller():
    stream, index = randomness.key(1, "normal"), np.array([5])
    a, b, c, d = (splitmix64(stream, 5 * 4 + j) / 2**64 for j in range(4))
    radii = [math.sqrt(-2 * math.log(1 - u)) for u in (a, b)]
    expected = [radii[0] * math.cos(2 * math.pi * c), radii[1] * math.cos(2 * math.pi * d)]
    expected += [radii[0] * math.sin(2 * math.pi * c)]
    np.testing.assert_allclose(randomness.normal(stream, index, 3)[0], expected, rtol=1e-6)


@pytest.mark.parametrize(
    "draw",
    [
        lambda index: randomness.uniform(9, index, 3),
        lambda index: randomness.integers(9, index, 10),
        lambda index: randomness.normal(9, index, 5),
        lambda index: randomness.permutations(9, index, 12),
    ],
    ids=["uniform", "integers", "normal", "permutations"],
)
def test_a_draw_depends_on_neither_the_subset_nor_the_order(draw):
    every = draw(INDEX)
    some = np.array([19_999, 3, 500, 4])
    assert np.array_equal(draw(some), every[some])


def test_nothing_touches_or_follows_a_global_generator():
    def draws() -> list[float]:
        return [
            *randomness.uniform(1, INDEX[:3])[:, 0],
            torch.rand((), generator=randomness.generator(4)).item(),
        ]

    torch.manual_seed(0)
    np.random.seed(0)  # noqa: NPY002
    states = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    first = draws()
    assert torch.equal(torch.get_rng_state(), states[0])
    assert np.array_equal(np.random.get_state()[1], states[1])  # noqa: NPY002
    torch.manual_seed(1)
    assert draws() == first


def test_uniform_is_uniform():
    draws = randomness.uniform(randomness.key(0, "uniform"), INDEX)[:, 0]
    assert draws.min() >= 0
    assert draws.max() < 1
    counts = np.histogram(draws, 20, (0, 1))[0]
    assert ((counts - 1000) ** 2 / 1000).sum() < 43.8  # chi-squared with 19 degrees of freedom, 0.1 %
    assert abs(np.corrcoef(draws[:-1], draws[1:])[0, 1]) < 4 / math.sqrt(len(draws))


def test_integers_are_uniform_and_independent_of_another_purpose():
    a, b = (randomness.integers(randomness.key(0, "labels", part), INDEX, 10) for part in ("train", "test"))
    assert set(a) == set(range(10))
    table = np.histogram2d(a, b, bins=10)[0]
    assert ((table - 200) ** 2 / 200).sum() < 148.2  # 99 degrees of freedom, 0.1 %


def test_normal_is_normal():
    draws = randomness.normal(randomness.key(0, "normal"), INDEX, 6).astype(np.float64)
    size = draws.size
    assert abs(draws.mean()) < 4 / math.sqrt(size)
    assert abs(draws.var() - 1) < 4 * math.sqrt(2 / size)
    assert abs((draws**4).mean() - 3) < 4 * math.sqrt(96 / size)
    assert np.abs(np.corrcoef(draws.T) - np.eye(6)).max() < 4.5 / math.sqrt(len(draws))  # the two of a pair as well


def test_a_permutation_is_a_permutation_and_every_place_is_as_likely():
    orders = randomness.permutations(randomness.key(0, "permute"), INDEX, 5)
    assert np.array_equal(np.sort(orders, 1), np.broadcast_to(np.arange(5), orders.shape))
    for place in range(5):
        assert ((np.bincount(orders[:, place]) - 4000) ** 2 / 4000).sum() < 18.5  # 4 degrees of freedom, 0.1 %
    assert np.array_equal(np.sort(randomness.permutation(3, 50_000)), np.arange(50_000))
