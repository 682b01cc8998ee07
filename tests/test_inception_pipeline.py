"""The pipeline of TensorFlow's Inception against hand computations: part, flip, colors."""

import colorsys

import numpy as np
import pytest
import torch

from rethink import randomness
from rethink.data.pipelines import inception
from rethink.data.pipelines.inception import AREA, ASPECT, InceptionDraws, InceptionPipeline
from rethink.data.pipelines.pipeline import Switches

PIPELINE, SWITCHES = InceptionPipeline(size=8), Switches("inception", seed=3)


def draws(count: int, **fixed: float) -> InceptionDraws:
    """Of epoch 2, with some columns set."""
    drawn = InceptionDraws(PIPELINE.draw(SWITCHES, 2, np.arange(count))["chance"])
    for name, value in fixed.items():
        drawn.chance[:, inception._NAMES.index(name)] = value
    return drawn


NO_COLOR = {"brightness": 0.5, "saturation": 0.5, "hue": 0.5, "contrast": 0.5}


def test_parts_have_the_areas_and_shapes_of_the_original():
    aspect = torch.tensor([0.2, 0.5, 1.0, 4 / 3, 5.0]).repeat(2000)
    top, left, height, width = draws(10_000).box(aspect).T
    assert min(top.min(), left.min()) >= 0
    assert max((top + height).max(), (left + width).max()) <= 1 + 1e-6
    ratio = width * aspect / height  # in pixels of the original
    assert ASPECT[0] - 1e-5 <= ratio.min()
    assert ratio.max() <= ASPECT[1] + 1e-5
    area = (height * width)[aspect == 1]
    assert AREA - 1e-6 <= area.min() < 0.06
    assert 0.9 < area.max() <= 1
    # By hand: ratio 0.75 + 7/12 u, height between its bounds by another uniform, the place by two more.
    u = draws(3).chance.double()
    ratio = 0.75 + u[:, 0] * (4 / 3 - 0.75)
    largest = torch.minimum(1 / ratio, torch.ones(3))
    least = torch.minimum((0.05 / ratio).sqrt(), largest)
    high = least + u[:, 1] * (largest - least)
    by_hand = torch.stack([u[:, 2] * (1 - high), u[:, 3] * (1 - high * ratio), high, high * ratio], 1)
    torch.testing.assert_close(draws(3).box(torch.ones(3)).double(), by_hand, rtol=0, atol=1e-6)


def test_draws_depend_on_seed_epoch_and_index_alone():
    every, few = draws(1000), PIPELINE.draw(SWITCHES, 2, np.array([999, 7]))
    assert torch.equal(every.chance[[999, 7]], few["chance"])
    for seed, epoch in ((4, 2), (3, 1)):
        other = PIPELINE.draw(Switches("inception", seed=seed), epoch, np.arange(1000))
        assert not torch.equal(other["chance"], every.chance)
    expected = randomness.uniform(randomness.key(3, "inception", 2), np.arange(1000), 10)
    np.testing.assert_allclose(every.chance, expected, rtol=1e-6)


def test_the_whole_image_and_its_mirror():
    image = torch.arange(8 * 8 * 3, dtype=torch.uint8).view(1, 8, 8, 3)
    whole = {"aspect": (1 - 0.75) / (4 / 3 - 0.75), "height": 1, **NO_COLOR}
    as_it_is = PIPELINE(image, SWITCHES, vars(draws(1, flip=0.9, **whole)), torch.ones(1))
    expected = image.permute(0, 3, 1, 2) / 127.5 - 1
    torch.testing.assert_close(as_it_is, expected, rtol=0, atol=2e-5)
    mirrored = PIPELINE(image, SWITCHES, vars(draws(1, flip=0.1, **whole)), torch.ones(1))
    torch.testing.assert_close(mirrored, expected.flip(3), rtol=0, atol=2e-5)


def test_a_part_is_resized_as_torch_does():
    image = torch.randint(0, 256, (1, 16, 16, 3), dtype=torch.uint8)
    pixels = image.permute(0, 3, 1, 2).float()
    part = inception._part(pixels, torch.tensor([[0.25, 0.5, 0.5, 0.5]]), torch.tensor([False]), 8)
    torch.testing.assert_close(part, pixels[:, :, 4:12, 8:], rtol=0, atol=3e-4)


@pytest.mark.parametrize("order", [0.1, 0.9])
def test_colors_are_distorted_as_in_hsv(order):
    """Pixel by pixel with Python's colorsys, grey, black and white among them."""
    generator = torch.Generator().manual_seed(0)
    values = torch.rand(5, 3, 4, 4, generator=generator) * 0.7
    values[:, :, 0, 0], values[:, :, 0, 1], values[:, :, 1, 0] = 0.3, 0.0, 0.7
    drawn = draws(5, order=order, brightness=0.8)
    expected = values.double() + (2 * 0.8 - 1) * 32 / 255
    chance = drawn.chance.double()
    saturation, hue = 0.5 + chance[:, 6], (2 * chance[:, 7] - 1) * 0.2
    contrast = (0.5 + chance[:, 8])[:, None, None, None]

    def contrasted(x: torch.Tensor) -> torch.Tensor:
        return (x - x.mean((2, 3), keepdim=True)) * contrast + x.mean((2, 3), keepdim=True)

    if order >= 0.5:
        expected = contrasted(expected)
    assert expected.min() > 0  # colorsys knows no negative light
    for image, s, h in zip(expected, saturation.tolist(), hue.tolist(), strict=True):
        for pixel in image.flatten(1).T:
            old, strength, value = colorsys.rgb_to_hsv(*pixel.tolist())
            pixel.copy_(torch.tensor(colorsys.hsv_to_rgb((old + h) % 1, min(strength * s, 1), value)))
    if order < 0.5:
        expected = contrasted(expected)
    distorted = (drawn.distort(255 * values).double() + 1) / 2
    torch.testing.assert_close(distorted, expected.clamp(0, 1), rtol=0, atol=1e-5)


def test_negative_light_stays_finite():
    values = torch.tensor([-25.0, -50.0, -75.0]).view(1, 3, 1, 1).expand(1, 3, 2, 2).clone()
    assert draws(1).distort(values).isfinite().all()


def test_an_image_is_prepared_alike_in_any_batch():
    images = torch.randint(0, 256, (6, 20, 20, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    aspect, drawn = torch.linspace(0.5, 2, 6), vars(draws(6))
    together = PIPELINE(images, SWITCHES, drawn, aspect)
    for start, stop in ((0, 1), (1, 4), (4, 6)):
        part = torch.arange(start, stop)
        alone = PIPELINE(images[part], SWITCHES, {"chance": drawn["chance"][part]}, aspect[part])
        torch.testing.assert_close(alone, together[part])
