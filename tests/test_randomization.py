"""The randomization spectrum of Section 2: what exactly is done to labels and pixels."""

import math

import numpy as np
import pytest
import torch

import rethink.randomization
from rethink import randomness
from rethink.data import Synthetic
from rethink.discovery import subclasses
from rethink.randomization import (
    GaussianPixels,
    PartiallyCorruptedLabels,
    RandomLabels,
    RandomPixels,
    ShuffledPixels,
    TrueLabels,
)
from rethink.randomization.randomization import PixelCounts, Randomization

N = 20_000
INDEX = torch.arange(N)
TRUE = INDEX % 10
SHAPE = (28, 28, 3)
LEVELS = [i / 10 for i in range(11)]


def counts(images: torch.Tensor) -> PixelCounts:
    """Of all original images, in pieces."""
    return PixelCounts(lambda: images.split(7))


def images(count: int = 40, seed: int = 0) -> torch.Tensor:
    """Random uint8 images whose three channels differ in mean and spread."""
    values = randomness.normal(randomness.key(seed, "images"), np.arange(count), math.prod(SHAPE))
    scale, shift = torch.tensor([20.0, 40.0, 10.0]), torch.tensor([90.0, 120.0, 200.0])
    return (torch.from_numpy(values).view(-1, *SHAPE) * scale + shift).round().clamp(0, 255).byte()


# Labels.


@pytest.mark.parametrize("probability", LEVELS)
def test_a_share_p_is_corrupted_and_p_times_nine_tenths_changes(probability):
    labels, corrupted = PartiallyCorruptedLabels(probability, seed=1).labels(TRUE, INDEX, 10, "train")
    changed = labels != TRUE
    for share, expected in ((corrupted, probability), (changed, probability * (1 - 1 / 10))):
        assert abs(share.double().mean() - expected) <= 4 * math.sqrt(expected * (1 - expected) / N)
    assert not (changed & ~corrupted).any()
    assert labels.dtype == TRUE.dtype
    assert corrupted.dtype == torch.bool


def test_the_labels_of_a_seed_are_these():
    index = torch.arange(12)
    labels, corrupted = PartiallyCorruptedLabels(0.5, seed=3).labels(index % 10, index, 10, "train")
    random, _ = RandomLabels(seed=3).labels(index % 10, index, 10, "train")
    assert labels.tolist() == [8, 1, 6, 3, 4, 2, 6, 2, 2, 9, 0, 9]
    assert corrupted.int().tolist() == [1, 1, 1, 0, 0, 1, 1, 1, 1, 0, 0, 1]
    assert random.tolist() == [8, 1, 6, 6, 1, 2, 6, 2, 2, 7, 6, 9]


def test_random_labels_are_uniform_and_independent_of_the_true_ones():
    """A permutation of the class names would give ten full cells (a mistake of another reproduction)."""
    labels, corrupted = RandomLabels(seed=5).labels(TRUE, INDEX, 10, "train")
    table = torch.bincount(TRUE * 10 + labels, minlength=100).double()
    assert ((table - N / 100) ** 2 / (N / 100)).sum() < 134.6  # 90 degrees of freedom (rows are fixed), 0.2 %
    assert corrupted.all()


@pytest.mark.parametrize(("probability", "same"), [(0, TrueLabels), (1, RandomLabels)])
def test_the_ends_of_the_sweep_are_true_and_random_labels(probability, same):
    for part in ("train", "test"):
        ours = PartiallyCorruptedLabels(probability, seed=8).labels(TRUE, INDEX, 10, part)
        theirs = same(seed=8).labels(TRUE, INDEX, 10, part)
        assert all(map(torch.equal, ours, theirs))


def test_corruption_is_nested():
    before = torch.zeros(N, dtype=torch.bool)
    random, _ = RandomLabels(seed=2).labels(TRUE, INDEX, 10, "train")
    for probability in LEVELS:
        labels, corrupted = PartiallyCorruptedLabels(probability, seed=2).labels(TRUE, INDEX, 10, "train")
        assert not (before & ~corrupted).any()
        assert torch.equal(labels, random.where(corrupted, TRUE))
        before = corrupted


@pytest.mark.parametrize("other", [{"seed": 1}, {"part": "test"}], ids=["seed", "part"])
def test_another_seed_and_another_part_draw_other_labels(other):
    def draw(seed: int = 0, part: str = "train") -> tuple[torch.Tensor, torch.Tensor]:
        return PartiallyCorruptedLabels(0.5, seed).labels(TRUE, INDEX, 10, part)

    (labels, corrupted), (labels2, corrupted2) = draw(), draw(**other)
    both = corrupted & corrupted2
    assert abs(both.double().mean() - 0.25) < 4 * math.sqrt(0.25 * 0.75 / N)  # independent
    assert abs((labels[both] == labels2[both]).double().mean() - 0.1) < 4 * math.sqrt(0.09 / int(both.sum()))


@pytest.mark.parametrize("value", [-0.1, 1.5, "half"])
def test_a_probability_outside_0_to_1_is_refused(value):
    with pytest.raises((ValueError, TypeError), match=str(value)):
        PartiallyCorruptedLabels(value)


def test_the_simplest_description_of_the_same_data():
    assert PartiallyCorruptedLabels.canonical({"probability": 0.0, "seed": 4}) == ("TrueLabels", {})
    assert PartiallyCorruptedLabels.canonical({"probability": 1, "seed": 4}) == ("RandomLabels", {"seed": 4})
    assert TrueLabels.canonical({"seed": 4}) == ("TrueLabels", {})
    half = {"probability": 0.5, "seed": 4}
    assert PartiallyCorruptedLabels.canonical(half) == ("PartiallyCorruptedLabels", half)


# Pixels.


def identify(scope: str) -> torch.Tensor:
    """An "image" whose values name their own places, so that a permutation can be read off it."""
    if scope == "values":
        return torch.arange(math.prod(SHAPE)).view(SHAPE)
    return torch.arange(28 * 28)[:, None].expand(-1, 3).reshape(SHAPE)


@pytest.mark.parametrize("scope", ["pixels", "values"])
def test_shuffled_pixels_are_one_permutation_for_all_images_of_both_parts(scope):
    shuffle, index = ShuffledPixels(seed=1, scope=scope), torch.arange(40)
    original = images()
    shuffled = {part: shuffle.images(original, index, part, counts(original)) for part in ("train", "test")}
    order = shuffle.images(identify(scope)[None].repeat(2, 1, 1, 1), index[:2], "train", counts(original))
    assert torch.equal(order[0], order[1])
    if scope == "pixels":
        order, flat = order[0, :, :, 0].flatten(), original.flatten(1, 2)
    else:
        order, flat = order[0].flatten(), original.flatten(1)
    assert torch.equal(order.sort().values, torch.arange(len(order)))
    assert (order != torch.arange(len(order))).double().mean() > 0.99
    inverse = torch.argsort(order)
    for moved in shuffled.values():
        flat_moved = moved.reshape(flat.shape)
        assert torch.equal(flat_moved, flat[:, order])
        assert torch.equal(flat_moved[:, inverse], flat)  # nothing is lost
        assert moved.dtype == torch.uint8


@pytest.mark.parametrize("scope", ["pixels", "values"])
def test_random_pixels_are_another_permutation_for_every_image(scope):
    randomize = RandomPixels(seed=1, scope=scope)
    same = identify(scope)[None].repeat(30, 1, 1, 1)
    orders = {
        part: randomize.images(same, torch.arange(30), part, counts(same)).reshape(30, -1) for part in ("train", "test")
    }
    places = same[0].flatten()
    everything = torch.cat(list(orders.values()))
    assert torch.equal(everything.sort(1).values, places.sort().values.expand(60, -1))  # each is a permutation
    for i in range(60):
        agree = (everything == everything[i]).double().mean(1)
        assert (agree.argsort(descending=True)[0] == i) & (agree.sort().values[-2] < 0.02)  # and no two are alike


def test_random_pixels_keep_colours_only_in_scope_pixels():
    original, index = images(), torch.arange(40)

    def colours(batch: torch.Tensor) -> list[list[list[int]]]:
        return [sorted(image.flatten(0, 1).tolist()) for image in batch]

    joint = RandomPixels(scope="pixels").images(original, index, "train", counts(original))
    assert colours(joint) == colours(original)
    mixed = RandomPixels().images(original, index, "train", counts(original))  # "values" is the default
    assert torch.equal(mixed.flatten(1).sort(1).values, original.flatten(1).sort(1).values)
    assert colours(mixed) != colours(original)
    spread = mixed.double().mean((0, 1, 2))
    assert float(spread.max() - spread.min()) < 3  # the channels, at means of 90, 120 and 200, are mixed


@pytest.mark.parametrize("statistics", ["global", "channel"])
def test_gaussian_pixels_match_mean_and_variance(statistics):
    reference = images(200, seed=9)
    original, index = images(300), torch.arange(300)
    noise = GaussianPixels(seed=1, statistics=statistics).images(original, index, "train", counts(reference))
    axes = (0, 1, 2) if statistics == "channel" else (0, 1, 2, 3)
    wanted = reference.double()
    mean, variance = wanted.mean(axes), wanted.var(axes, unbiased=False)
    size = noise.numel() / mean.numel()
    measured = noise.double()
    assert (abs(measured.mean(axes) - mean) < 4 * (variance / size).sqrt()).all()
    assert (abs(measured.var(axes) / variance - 1) < 4 * math.sqrt(2 / size)).all()
    if statistics == "global":
        assert float(measured.mean((0, 1, 2)).std()) < 1  # no trace of the channels' own means


def test_gaussian_values_are_neither_clipped_nor_rounded_nor_shared():
    original, index = images(300), torch.arange(300)
    noise = GaussianPixels(seed=1).images(original, index, "train", counts(original))
    assert noise.dtype == torch.float32
    assert noise.min() < 0
    assert noise.max() > 255
    assert (noise != noise.round()).double().mean() > 0.99
    flat = noise.flatten(1).double()
    assert (torch.corrcoef(flat) - torch.eye(300)).abs().max() < 0.12  # any two images are independent
    test = GaussianPixels(seed=1).images(original, index, "test", counts(original))
    assert abs(torch.corrcoef(torch.stack([noise.flatten(), test.flatten()]))[0, 1]) < 0.01


def test_the_pixels_of_a_seed_are_these():
    original = images(3)
    assert ShuffledPixels(7).images(original, torch.arange(3), "train", counts(original))[1, 0, :3, 0].tolist() == [
        99,
        79,
        80,
    ]
    assert RandomPixels(7).images(original, torch.arange(3), "train", counts(original))[1, 0, :3, 0].tolist() == [
        76,
        85,
        50,
    ]
    noise = GaussianPixels(7).images(original, torch.arange(3), "train", counts(original))[1, 0, :3, 0]
    torch.testing.assert_close(
        noise, torch.tensor([121.28321838378906, 188.1862335205078, 102.51322174072266]), rtol=1e-6, atol=0
    )


# What holds for all of them.

EVERY = [
    *(TrueLabels(), PartiallyCorruptedLabels(0.4, 1), RandomLabels(1), GaussianPixels(1, "channel")),
    *(
        ShuffledPixels(1),
        ShuffledPixels(1, "values"),
        RandomPixels(1),
        RandomPixels(1, "pixels"),
        GaussianPixels(1),
    ),
]
FOUND = subclasses(rethink.randomization, Randomization)
EVERY += [kind(seed=1) for kind in FOUND.values() if kind not in {Randomization, *map(type, EVERY)}]  # and new ones


def named(randomization: Randomization) -> str:
    return " ".join(map(str, [type(randomization).__name__, *vars(randomization).values()]))


@pytest.mark.parametrize("randomization", EVERY, ids=named)
def test_an_image_and_a_label_are_drawn_alike_in_every_subset_and_order(randomization):
    original, index = images(), torch.arange(40)
    some = torch.tensor([31, 2, 17])
    for part in ("train", "test"):
        labels, corrupted = randomization.labels(TRUE[:40], index, 10, part)
        of_some = randomization.labels(TRUE[some], some, 10, part)
        assert torch.equal(labels[some], of_some[0])
        assert torch.equal(corrupted[some], of_some[1])
        every = randomization.images(original, index, part, counts(original))
        assert torch.equal(every[some], randomization.images(original[some], some, part, counts(original)))
        assert torch.equal(
            every, randomization.images(original, index, part, counts(original))
        )  # drawn again: the same


@pytest.mark.parametrize("randomization", EVERY, ids=named)
def test_the_originals_are_left_as_they_are(randomization):
    original, labels = images(), TRUE[:40].clone()
    randomization.images(original, torch.arange(40), "train", counts(original))
    randomization.labels(labels, torch.arange(40), 10, "train")
    assert torch.equal(original, images())
    assert torch.equal(labels, TRUE[:40])


@pytest.mark.parametrize("randomization", [r for r in EVERY if r.randomizes_images], ids=named)
def test_only_the_region_is_randomized(randomization):
    """The centre by default; its margin is as it was. With the full region the margin changes as well."""
    kind, arguments = type(randomization), {k: v for k, v in vars(randomization).items() if k != "region"}

    def train(**more) -> torch.Tensor:
        data = Synthetic(randomization=kind(**arguments, **more), num_train=30, num_test=10)
        data.setup()
        assert torch.equal(data.splits["test"].images, Synthetic(num_test=10).load().test_images)
        return data.splits["train"].images

    original = Synthetic(num_train=30).load().train_images
    margin = torch.ones(32, 32, dtype=torch.bool)
    margin[2:-2, 2:-2] = False
    for where, changed in ((margin, False), (~margin, True)):
        differs = (train()[:, where] != original[:, where]).double().mean()
        assert (differs > 0.9) == changed
        assert (differs == 0) != changed
    assert (train(region="full")[:, margin] != original[:, margin]).double().mean() > 0.9
