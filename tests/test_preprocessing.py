"""Preprocessing and augmentation of Appendix A against hand computations in float64."""

import math

import numpy as np
import pytest
import torch
from torchvision.transforms.functional import InterpolationMode, rotate

from rethink import randomness
from rethink.data.pipelines.cifar import MAX_ROTATION, draw_augmentation, standardize
from rethink.data.pipelines.cifar import prepare as prepare_batch

ALL = torch.arange(12)


def prepare(images, positions, crop, *, draws=None, **options):
    """What the network sees of images[positions], with the draws of all images."""
    return prepare_batch(
        images[positions], crop, draws=draws and {k: v[positions] for k, v in draws.items()}, **options
    )


def images(count: int = 12, side: int = 32, channels: int = 3) -> torch.Tensor:
    draws = randomness.integers(5, np.arange(count * side * side * channels), 256)
    return torch.from_numpy(draws).byte().view(count, side, side, channels)


def whitened(window: np.ndarray) -> np.ndarray:
    """Appendix A by hand, float64, (H, W, C) values in [0, 255] -> (C, H, W)."""
    x = window.astype(np.float64) / 255
    adjusted = max(x.std(), 1 / math.sqrt(x.size))
    return ((x - x.mean()) / adjusted).transpose(2, 0, 1)


def draws(offset=None, flip=None, angle=None, count: int = 12) -> dict[str, torch.Tensor]:
    """The same augmentation for every image."""
    drawn = {} if offset is None else {"offset": torch.tensor(offset).expand(count, 2)}
    if flip is not None:
        drawn["flip"], drawn["angle"] = torch.tensor(flip).expand(count), torch.full((count,), math.radians(angle))
    return drawn


def same(ours: torch.Tensor, by_hand: list[np.ndarray], tolerance: float = 2e-5) -> None:
    np.testing.assert_allclose(ours.numpy(), np.stack(by_hand), rtol=0, atol=tolerance)


@pytest.mark.parametrize(("side", "channels"), [(32, 3), (28, 1)])
def test_the_centre_is_cropped_then_standardized(side, channels):
    original = images(side=side, channels=channels)
    positions = torch.tensor([3, 0, 3, 11])
    ours = prepare(original, positions, 28)
    edge = (side - 28) // 2
    windows = original[:, edge : edge + 28, edge : edge + 28]
    assert ours.shape == (4, channels, 28, 28)
    assert ours.is_contiguous(memory_format=torch.channels_last)
    same(ours, [whitened(windows[i].numpy()) for i in positions])


def test_standardize_then_crop_is_the_other_order():
    original = images()
    ours = prepare(original, ALL, 28, crop_first=False)
    same(ours, [whitened(image.numpy())[:, 2:30, 2:30] for image in original])
    assert (ours - prepare(original, ALL, 28)).abs().max() > 1e-3


def test_floats_are_not_clipped_or_rounded():
    original = torch.randn(12, 32, 32, 3, generator=torch.Generator().manual_seed(0)) * 90 + 120
    assert original.min() < 0
    same(prepare(original, ALL, 28), [whitened(image.numpy()[2:30, 2:30]) for image in original])


def test_the_adjusted_deviation_is_at_least_one_over_the_root_of_n():
    flat = torch.full((1, 28, 28, 3), 0.3)
    assert torch.equal(standardize(flat), torch.zeros_like(flat))
    flat[0, 4, 5, 1] += 0.1  # a deviation of 0.1 sqrt(2351) / 2352 = 0.0021, under 1 / sqrt(2352) = 0.0206
    by_hand = np.where(flat.numpy() > 0.35, 0.1 * 2351 / 2352, -0.1 / 2352) * math.sqrt(2352)
    np.testing.assert_allclose(standardize(flat).numpy(), by_hand, atol=2e-5)


@pytest.mark.parametrize("offset", [(0, 0), (4, 4), (0, 4), (3, 1)])
def test_a_random_crop_is_that_window(offset):
    top, left = offset
    original = images()
    ours = prepare(original, ALL, 28, draws=draws(offset))
    same(ours, [whitened(image.numpy()[top : top + 28, left : left + 28]) for image in original])


def test_each_image_has_its_own_window_in_any_batch():
    original = images()
    epoch = draw_augmentation("random_crop", 0, 0, ALL.numpy(), 4)
    positions = torch.tensor([7, 1, 7])
    ours = prepare(original, positions, 28, draws=epoch)
    tops, lefts = epoch["offset"][positions].T.tolist()
    windows = [original[i, t : t + 28, c : c + 28] for i, t, c in zip(positions, tops, lefts, strict=True)]
    same(ours, [whitened(window.numpy()) for window in windows])


@pytest.mark.parametrize("angle", [-25.0, -7.0, 0.0, 12.5, 25.0])
@pytest.mark.parametrize("flip", [False, True])
def test_flip_and_rotation_act_on_the_whole_image_before_the_crop(angle, flip):
    """Against torchvision's own rotation, bilinear, black outside; its angles are counter-clockwise."""
    original = images().float()
    ours = prepare(original, ALL, 28, draws=draws(flip=flip, angle=angle))
    turned = original.permute(0, 3, 1, 2)
    turned = rotate(turned.flip(3) if flip else turned, angle, InterpolationMode.BILINEAR)
    expected = [whitened(image.permute(1, 2, 0).numpy()[2:30, 2:30]) for image in turned]
    # Sampling places in float32 differ by 1e-6 of a pixel; on noise with a range of 4 that is little.
    same(ours, expected, 2e-4)


def test_a_flip_at_angle_zero_is_exact_and_ninety_degrees_turn_the_image_round():
    original = images()
    flipped = prepare(original, ALL, 32, draws=draws(flip=True, angle=0.0))
    torch.testing.assert_close(flipped, prepare(original.flip(2), ALL, 32), rtol=0, atol=1e-5)
    turned = prepare(original, ALL, 32, draws=draws(flip=False, angle=90.0))
    torch.testing.assert_close(turned, prepare(original.rot90(1, (1, 2)), ALL, 32), rtol=0, atol=2e-4)


def test_flip_rotate_then_a_random_window():
    original = images().float()
    ours = prepare(original, ALL, 28, draws=draws((4, 1), True, 12.5))
    turned = rotate(original.permute(0, 3, 1, 2).flip(3), 12.5, InterpolationMode.BILINEAR)
    same(ours, [whitened(image.permute(1, 2, 0).numpy()[4:32, 1:29]) for image in turned], 2e-4)


@pytest.mark.parametrize("augmentation", ["none", "random_crop", "flip_rotate", "random_crop_flip_rotate"])
def test_autocast_leaves_the_preprocessing_alone(augmentation):
    """Coordinates or statistics in bf16 would be another augmentation than in float32."""
    epoch = draw_augmentation(augmentation, 0, 0, ALL.numpy(), 4)
    alone = prepare(images(), ALL, 28, draws=epoch)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(prepare(images(), ALL, 28, draws=epoch), alone)


# What is drawn.


def test_draws_depend_on_seed_epoch_and_index_alone():
    every = draw_augmentation("random_crop_flip_rotate", 3, 5, np.arange(1000), 4)
    some = draw_augmentation("random_crop_flip_rotate", 3, 5, np.array([999, 7]), 4)
    for name in ("offset", "flip", "angle"):
        assert torch.equal(every[name][[999, 7]], some[name])
        for seed, epoch in ((4, 5), (3, 6)):
            other = draw_augmentation("random_crop_flip_rotate", seed, epoch, np.arange(1000), 4)
            assert not torch.equal(other[name], every[name])


def test_the_draws_of_a_seed_are_these():
    epoch = draw_augmentation("random_crop_flip_rotate", 3, 5, np.arange(4), 4)
    assert epoch["offset"].tolist() == [[1, 4], [3, 3], [3, 1], [1, 3]]
    assert epoch["flip"].tolist() == [True, False, False, True]
    torch.testing.assert_close(
        epoch["angle"],
        torch.tensor([-0.17704573273658752, -0.31678304076194763, -0.1594407558441162, -0.4196785092353821]),
        rtol=1e-6,
        atol=0,
    )


def test_all_windows_flips_and_angles_are_as_likely():
    epoch = draw_augmentation("random_crop_flip_rotate", 0, 0, np.arange(25_000), 4)
    counts = torch.bincount(epoch["offset"][:, 0] * 5 + epoch["offset"][:, 1], minlength=25)
    assert len(counts) == 25
    assert ((counts - 1000) ** 2 / 1000).sum() < 51.2  # 24 degrees of freedom, 0.1 %
    assert abs(int(epoch["flip"].sum()) - 12_500) < 4 * math.sqrt(25_000) / 2
    degrees = epoch["angle"].double().rad2deg()
    assert degrees.abs().max() <= MAX_ROTATION == 25
    assert ((np.histogram(degrees, 10, (-25, 25))[0] - 2500) ** 2 / 2500).sum() < 27.9  # 9 degrees of freedom, 0.1 %
    columns = torch.stack([*epoch["offset"].T, epoch["flip"], epoch["angle"]]).double()
    assert (torch.corrcoef(columns) - torch.eye(4)).abs().max() < 4 / math.sqrt(25_000)


def test_no_augmentation_draws_nothing_and_each_draws_only_its_own():
    assert draw_augmentation("none", 0, 0, np.arange(3), 4) is None
    crop = draw_augmentation("random_crop", 0, 0, np.arange(3), 4)
    turn = draw_augmentation("flip_rotate", 0, 0, np.arange(3), 4)
    both = draw_augmentation("random_crop_flip_rotate", 0, 0, np.arange(3), 4)
    assert (crop.keys(), turn.keys()) == ({"offset"}, {"flip", "angle"})
    assert torch.equal(both["offset"], crop["offset"])
    assert torch.equal(both["angle"], turn["angle"])
