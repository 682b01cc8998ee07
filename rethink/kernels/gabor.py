"""Gabor wavelets: the pre-processing of MNIST in Table 3, whose bank the paper does not state.

A wavelet is a plane wave under a round Gaussian window, cos and sin as one complex filter, without its mean. What is
kept of a response is its modulus, averaged under a window and sampled: where in a stroke's neighbourhood, at which
scale and orientation, and not in which phase.
"""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

_CHUNK = 500  # images filtered together


@dataclass(frozen=True)
class GaborBank:
    """A bank of wavelets on grey images.

    wavelengths: Of the waves, in pixels. orientations: How many, evenly from 0 to 180 degrees. window: Standard
    deviation of a wavelet's window, in wavelengths. stride: Pixels between two samples; the averaging window has half
    of it as standard deviation.
    """

    wavelengths: tuple[float, ...]
    orientations: int
    window: float
    stride: int

    def features(self, images: Tensor) -> Tensor:
        """Images (n, H, W, 1) with values in [0, 255] -> (n, d) float32, d = wavelengths x orientations x samples."""
        features = []
        for chunk in images.split(_CHUNK):
            pixels = chunk.permute(0, 3, 1, 2).float() / 255
            moduli = [self._moduli(pixels, wavelength) for wavelength in self.wavelengths]
            features.append(self._sampled(torch.cat(moduli, 1)).flatten(1))
        return torch.cat(features)

    def _moduli(self, pixels: Tensor, wavelength: float) -> Tensor:
        """(n, 1, H, W) -> (n, orientations, H, W)."""
        filters = self.wavelets(wavelength).to(pixels.device)
        real, imaginary = (F.conv2d(pixels, part[:, None], padding="same") for part in (filters.real, filters.imag))
        return torch.hypot(real, imaginary)

    def wavelets(self, wavelength: float) -> Tensor:
        """(orientations, side, side) complex64, with mean 0 and sum of squared moduli 1."""
        deviation = self.window * wavelength
        radius = math.ceil(2.5 * deviation)
        along = torch.arange(-radius, radius + 1, dtype=torch.float64)
        y, x = torch.meshgrid(along, along, indexing="ij")
        angles = torch.arange(self.orientations, dtype=torch.float64) * math.pi / self.orientations
        across = x * angles.cos()[:, None, None] + y * angles.sin()[:, None, None]
        window = torch.exp(-(x * x + y * y) / (2 * deviation**2))
        wave = torch.polar(torch.ones_like(across), 2 * math.pi * across / wavelength)
        mean = (window * wave).sum((1, 2), keepdim=True) / window.sum()
        wavelets = window * (wave - mean)
        size = wavelets.abs().square().sum((1, 2), keepdim=True).sqrt()
        return (wavelets / size).to(torch.complex64)

    def _sampled(self, moduli: Tensor) -> Tensor:
        """(n, c, H, W) -> (n, c, h, w): averages under a Gaussian window, every `stride` pixels."""
        if self.stride == 1:
            return moduli
        deviation = self.stride / 2
        along = torch.arange(-self.stride, self.stride + 1, device=moduli.device)
        window = torch.exp(-along.square() / (2 * deviation**2)).outer(torch.exp(-along.square() / (2 * deviation**2)))
        channels = moduli.shape[1]
        weights = (window / window.sum()).expand(channels, 1, -1, -1)
        return F.conv2d(moduli, weights, stride=self.stride, padding=self.stride, groups=channels)
