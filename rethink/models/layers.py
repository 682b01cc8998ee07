"""Layers as TensorFlow had them in 2016, for networks that are compared with the paper's.

Padding follows TensorFlow's SAME: the output has ceil(size / stride) positions, and where the padding is odd the
right and the bottom get the larger half. `padding=1` at stride 2 gives the same shape from other windows.
"""

import math

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn

from rethink import randomness


def same_padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """Padding (before, after) of one dimension under TensorFlow's SAME."""
    total = max((math.ceil(size / stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


class Conv2d(nn.Conv2d):
    """Convolution with SAME padding: (B, C, H, W) -> (B, out, ceil(H / stride), ceil(W / stride))."""

    def forward(self, x: Tensor) -> Tensor:
        (top, bottom), (left, right) = _paddings(x, self.kernel_size, self.stride)
        if top == bottom and left == right:
            return F.conv2d(x, self.weight, self.bias, self.stride, (top, left))
        return F.conv2d(F.pad(x, (left, right, top, bottom)), self.weight, self.bias, self.stride)


class MaxPool2d(nn.Module):
    """Max pooling with SAME padding: padded positions never win, as in TensorFlow."""

    def __init__(self, kernel_size: int, stride: int) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        (top, bottom), (left, right) = _paddings(x, (self.kernel_size,) * 2, (self.stride,) * 2)
        if top == bottom and left == right:
            return F.max_pool2d(x, self.kernel_size, self.stride, (top, left))
        # With padding only after the last row and column, a window cut off at the border has the same maximum:
        # ceil_mode does that without a padded copy, where the stride leaves it something to round up.
        if top == left == 0 and self.stride > 1:
            return F.max_pool2d(x, self.kernel_size, self.stride, ceil_mode=True)
        return F.max_pool2d(F.pad(x, (left, right, top, bottom), value=-torch.inf), self.kernel_size, self.stride)


def _paddings(x: Tensor, kernel: tuple[int, ...], stride: tuple[int, ...]) -> tuple[tuple[int, int], tuple[int, int]]:
    return same_padding(x.shape[2], kernel[0], stride[0]), same_padding(x.shape[3], kernel[1], stride[1])


class BatchNorm(nn.Module):
    """Batch normalization of (B, C) or (B, C, H, W) over the global batch, with a shift and, if asked for, a scale.

    TF-slim of 2016 had `scale=False`, which is how the small Inception has 1,649,402 parameters with and without
    batch norm. Over several processes the statistics are those of the global batch, weighted by examples, on CPU and
    GPU alike, so that a network does not depend on the number of processes it is trained on.

    Args:
        channels: C.
        scale: Whether a trained scale is there.
        momentum: Weight of a batch in the running statistics that the evaluation uses.
        epsilon: Added to the variance (TF-slim: 0.001).
        synchronized: Whether several processes have the statistics of the global batch, or each those of its part.
    """

    running_mean: Tensor
    running_variance: Tensor
    own_moments = False
    """Whether an evaluation normalizes a batch by its own moments, which are then in `moments`."""
    moments: tuple[Tensor, Tensor] | None = None
    """(mean, variance) that an evaluation takes in the place of the running ones: see `evaluation_statistics`."""

    def __init__(
        self,
        channels: int,
        *,
        scale: bool = False,
        momentum: float = 0.1,
        epsilon: float = 1e-3,
        synchronized: bool = True,
    ) -> None:
        super().__init__()
        self.synchronized = synchronized
        self.momentum = momentum
        self.epsilon = epsilon
        self.bias = nn.Parameter(torch.zeros(channels))
        if scale:
            self.weight: Tensor = nn.Parameter(torch.ones(channels))
        else:  # cuDNN wants a scale: a constant one, which is neither trained nor saved
            self.register_buffer("weight", torch.ones(channels), persistent=False)
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_variance", torch.ones(channels))

    def forward(self, x: Tensor) -> Tensor:
        several = dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1
        if self.training and self.synchronized and several:
            return self._synchronized(x)
        if not self.training and self.own_moments:
            return self._by_own_moments(x)
        return F.batch_norm(
            x,
            *((self.running_mean, self.running_variance) if self.training else self.evaluated_by),
            self.weight,
            self.bias,
            self.training,
            self.momentum,
            self.epsilon,
        )

    @property
    def evaluated_by(self) -> tuple[Tensor, Tensor]:
        """(mean, variance) that an evaluation normalizes by, each (C,)."""
        return self.moments or (self.running_mean, self.running_variance)

    def _by_own_moments(self, x: Tensor) -> Tensor:
        mean, variance = torch.zeros_like(self.running_mean), torch.ones_like(self.running_variance)
        size = x.numel() // x.shape[1]
        if size == 0:  # a rank that has no batch left
            return x
        out = F.batch_norm(x, mean, variance, self.weight, self.bias, True, 1.0, self.epsilon)
        self.moments = mean, variance * ((size - 1) / size)  # `F.batch_norm` keeps the unbiased variance
        return out

    def _synchronized(self, x: Tensor) -> Tensor:
        values = x.float()
        axes = tuple(a for a in range(x.ndim) if a != 1)
        channelwise = (1, -1) + (1,) * (x.ndim - 2)
        count = self.running_mean.new_full((1,), x.numel() / x.shape[1])
        double = torch.float64  # the variance is a difference of these
        sums = torch.cat([values.sum(axes, dtype=double), values.square().sum(axes, dtype=double), count])
        total = _AllReduceSum.apply(sums)
        size = total[-1]
        mean, square = (total[:-1] / size).chunk(2)
        mean, variance = mean.float(), (square - mean.square()).float()
        with torch.no_grad():
            unbiased = variance * (size / (size - 1)).float()  # as F.batch_norm keeps it
            self.running_mean.lerp_(mean, self.momentum)
            self.running_variance.lerp_(unbiased, self.momentum)
        factor = self.weight * torch.rsqrt(variance + self.epsilon)
        shift = self.bias - mean * factor
        return torch.addcmul(shift.view(channelwise), values, factor.view(channelwise)).to(x.dtype)


class _AllReduceSum(torch.autograd.Function):
    """Sum over all processes, forwards and backwards."""

    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, x: Tensor) -> Tensor:
        total = x.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, *gradients: Tensor) -> Tensor:
        total = gradients[0].clone()
        dist.all_reduce(total)
        return total


class LocalResponseNorm(nn.Module):
    """Local response normalization over channels as `tf.nn.lrn(x, 4, bias=1.0, alpha=0.001 / 9.0, beta=0.75)`.

    x / (bias + alpha * sum of squares over the 2 * radius + 1 nearest channels) ** 0.75. TensorFlow does not divide
    alpha by the window and torch does: this equals `nn.LocalResponseNorm(9, alpha=0.001, beta=0.75, k=1.0)`.

    The sum is taken as a banded 1x1 convolution, and y ** -0.75 as r * sqrt(r) with r = 1 / sqrt(y), in float32: on a
    CPU under bf16 autocast three times as fast as `exp` and `log1p` in bf16, five times as fast as `pow`, and exact.
    """

    band: Tensor

    def __init__(self, channels: int, radius: int = 4, bias: float = 1.0, alpha: float = 0.001 / 9) -> None:
        super().__init__()
        self.bias = bias
        distance = torch.arange(channels)[:, None] - torch.arange(channels)
        band = (distance.abs() <= radius).float() * alpha
        self.register_buffer("band", band[:, :, None, None], persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        root = torch.rsqrt(F.conv2d(x * x, self.band).float() + self.bias)
        return x.float() * (root * root.sqrt())


class Dropout(nn.Module):
    """Dropout with probability p whose masks come from a generator that the training step keys by (seed, step).

    Without a generator it is `nn.Dropout`.
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p
        self.generator: torch.Generator | None = None

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.p == 0:
            return x
        if self.generator is None or self.p == 1:
            return F.dropout(x, self.p)
        kept = torch.rand(x.shape, generator=self.generator, device=x.device) >= self.p
        return x * kept / (1 - self.p)


def key_dropout(network: nn.Module, device: torch.device, seed: int, step: int, rank: int) -> None:
    """Keys the masks of a step by (seed, step, rank, layer), so that they are the same after a resume."""
    for number, layer in enumerate(network.modules()):
        if isinstance(layer, Dropout) and layer.p > 0:
            if layer.generator is None or layer.generator.device != device:
                layer.generator = torch.Generator(device)
            layer.generator.manual_seed(randomness.key(seed, "dropout", step, rank, number))
