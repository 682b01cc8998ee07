"""Layers against hand-written windows, torch's own layers, and exact shapes."""

import math

import pytest
import torch
from torch import Tensor, nn

from rethink.models import initialization
from rethink.models.layers import BatchNorm, Conv2d, Dropout, LocalResponseNorm, MaxPool2d, same_padding


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def window_starts(size: int, kernel: int, stride: int) -> list[int]:
    """First row of each window under TensorFlow's SAME, by its definition."""
    positions = math.ceil(size / stride)
    padding = max((positions - 1) * stride + kernel - size, 0)
    return [i * stride - padding // 2 for i in range(positions)]


def windows(x: Tensor, kernel: int, stride: int, outside: float) -> Tensor:
    """(B, C, H, W) -> (B, C, rows, columns, kernel, kernel), one value at a time."""
    size = x.shape[2]
    starts = window_starts(size, kernel, stride)
    out = torch.full((*x.shape[:2], len(starts), len(starts), kernel, kernel), outside)
    for i, top in enumerate(starts):
        for j, left in enumerate(starts):
            for a in range(kernel):
                for b in range(kernel):
                    if 0 <= top + a < size and 0 <= left + b < size:
                        out[:, :, i, j, a, b] = x[:, :, top + a, left + b]
    return out


SIZES = [(size, kernel, stride) for size in (28, 14, 7) for kernel in (1, 2, 3, 5) for stride in (1, 2)]


def test_at_stride_2_on_an_even_size_only_the_right_and_the_bottom_are_padded():
    assert same_padding(28, 3, 2) == (0, 1)
    assert same_padding(7, 3, 2) == (1, 1)
    assert same_padding(28, 5, 1) == (2, 2)
    assert same_padding(28, 5, 2) == (1, 2)
    assert same_padding(28, 1, 2) == (0, 0)


@pytest.mark.parametrize(("size", "kernel", "stride"), SIZES)
def test_convolution_sees_the_windows_of_same(size, kernel, stride):
    layer = Conv2d(2, 3, kernel, stride)
    x = noise(2, 2, size, size)
    by_hand = torch.einsum("ncijab,ocab->noij", windows(x, kernel, stride, 0.0), layer.weight)
    by_hand = by_hand + layer.bias[:, None, None]
    assert by_hand.shape[2] == math.ceil(size / stride)
    torch.testing.assert_close(layer(x), by_hand, rtol=0, atol=1e-5)


@pytest.mark.parametrize(("size", "kernel", "stride"), SIZES)
def test_max_pooling_sees_the_windows_of_same_and_padding_never_wins(size, kernel, stride):
    x = noise(2, 2, size, size) - 10  # all negative: a padded zero would show
    by_hand = windows(x, kernel, stride, -math.inf).amax((-1, -2))
    assert torch.equal(MaxPool2d(kernel, stride)(x), by_hand)


def test_padding_by_one_at_stride_2_would_be_another_network():
    x = noise(1, 1, 28, 28)
    assert nn.MaxPool2d(3, 2, 1)(x).shape == MaxPool2d(3, 2)(x).shape
    assert not torch.equal(nn.MaxPool2d(3, 2, 1)(x), MaxPool2d(3, 2)(x))


# Local response normalization.


@pytest.mark.parametrize("channels", [64, 5])
def test_lrn_is_tensorflows(channels):
    x = (10 * noise(2, channels, 4, 4)).requires_grad_()
    ours = LocalResponseNorm(channels)(x)
    theirs = nn.LocalResponseNorm(9, alpha=0.001, beta=0.75, k=1.0)(x)
    torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=1e-6)
    gradients = [torch.autograd.grad(y.square().sum(), x)[0] for y in (ours, theirs)]
    torch.testing.assert_close(*gradients, rtol=1e-5, atol=1e-5)


def test_lrn_by_hand():
    """`tf.nn.lrn(x, 4, bias=1.0, alpha=0.001 / 9.0, beta=0.75)`: channels 0 to 6 are near channel 2."""
    x = 10 * noise(1, 20, 1, 1).double()
    squares = float((x[0, :7, 0, 0] ** 2).sum())
    by_hand = float(x[0, 2, 0, 0]) / (1 + 0.001 / 9 * squares) ** 0.75
    assert float(LocalResponseNorm(20)(x.float())[0, 2, 0, 0]) == pytest.approx(by_hand, rel=1e-6)


def test_lrn_adds_nothing_to_a_checkpoint():
    assert not LocalResponseNorm(64).state_dict()


# Batch normalization.


@pytest.mark.parametrize("shape", [(16, 6), (8, 6, 5, 5)], ids=["1d", "2d"])
@pytest.mark.parametrize("scale", [False, True])
def test_batch_norm_is_torchs_with_scale_or_with_a_scale_fixed_to_one(shape, scale):
    ours = BatchNorm(6, scale=scale)
    theirs = (nn.BatchNorm1d if len(shape) == 2 else nn.BatchNorm2d)(6, eps=1e-3, momentum=0.1)
    theirs.weight.requires_grad_(scale)
    shifts = noise(6, seed=1)
    for module in (ours, theirs):
        module.bias.data.copy_(shifts)
        if scale:
            module.weight.data.copy_(shifts.exp())
    for step in range(3):
        x = [(3 * noise(*shape, seed=step) + 2).requires_grad_() for _ in range(2)]
        results = [module(value) for module, value in zip((ours, theirs), x, strict=True)]
        torch.testing.assert_close(*results, rtol=1e-6, atol=1e-6)
        for result, module in zip(results, (ours, theirs), strict=True):
            module.zero_grad()
            result.pow(3).sum().backward()
        torch.testing.assert_close(x[0].grad, x[1].grad)
        torch.testing.assert_close(ours.bias.grad, theirs.bias.grad)
        if scale:
            torch.testing.assert_close(ours.weight.grad, theirs.weight.grad)
    torch.testing.assert_close(ours.running_mean, theirs.running_mean)
    torch.testing.assert_close(ours.running_variance, theirs.running_var)
    ours.eval()
    theirs.eval()
    torch.testing.assert_close(ours(x[0]), theirs(x[1]))


def test_batch_norm_by_hand():
    x = 3 * noise(50, 2).double() + 1
    norm = BatchNorm(2).double()
    by_hand = (x - x.mean(0)) / (x.var(0, unbiased=False) + 1e-3).sqrt()
    torch.testing.assert_close(norm(x), by_hand)
    torch.testing.assert_close(norm.running_mean, 0.1 * x.mean(0))
    torch.testing.assert_close(norm.running_variance, 0.9 + 0.1 * x.var(0))


def test_without_a_scale_only_the_shift_is_a_parameter_and_only_statistics_are_saved():
    assert [name for name, _ in BatchNorm(4).named_parameters()] == ["bias"]
    assert set(BatchNorm(4).state_dict()) == {"bias", "running_mean", "running_variance"}
    assert {name for name, _ in BatchNorm(4, scale=True).named_parameters()} == {"weight", "bias"}


def test_over_processes_batch_norm_is_the_same_function(monkeypatch: pytest.MonkeyPatch):
    """The synchronized path, with one process's sums: tests/test_ddp.py runs it on two."""
    import torch.distributed as dist

    monkeypatch.setattr(dist, "all_reduce", lambda tensor: None)
    one, several = BatchNorm(6, scale=True), BatchNorm(6, scale=True)
    x = [(3 * noise(8, 6, 5, 5) + 2).requires_grad_() for _ in range(2)]
    alone, together = one(x[0]), several._synchronized(x[1])
    torch.testing.assert_close(together, alone, rtol=1e-5, atol=1e-5)
    for result in (alone, together):
        result.pow(3).sum().backward()
    torch.testing.assert_close(x[1].grad, x[0].grad, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(several.weight.grad, one.weight.grad, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(several.running_variance, one.running_variance)


# Dropout.


def test_dropout_keeps_the_mean_and_follows_its_generator():
    layer, x = Dropout(0.3), torch.ones(20_000)
    layer.generator = torch.Generator().manual_seed(1)
    first = layer(x)
    assert first.unique().tolist() == pytest.approx([0, 1 / 0.7])
    assert abs((first == 0).double().mean() - 0.3) < 4 * math.sqrt(0.21 / 20_000)
    layer.generator.manual_seed(1)
    torch.manual_seed(17)
    assert torch.equal(layer(x), first)
    assert not torch.equal(layer(x), first)


@pytest.mark.parametrize("keyed", [False, True])
def test_dropout_is_off_at_zero_and_in_evaluation_and_drops_all_at_one(keyed):
    x = noise(100)
    for p, training, expected in ((0.0, True, x), (0.5, False, x), (1.0, True, torch.zeros(100))):
        layer = Dropout(p).train(training)
        layer.generator = torch.Generator() if keyed else None
        assert torch.equal(layer(x), expected)


# Initialization.


def test_glorot_uniform_fills_its_bounds():
    layer = nn.Conv2d(30, 50, 3)
    initialization.glorot_uniform(layer, torch.Generator().manual_seed(0))
    bound = math.sqrt(6 / (9 * 30 + 9 * 50))
    assert 0.999 * bound < layer.weight.max() <= bound
    assert -bound <= layer.weight.min() < -0.999 * bound
    assert layer.weight.std().item() == pytest.approx(bound / math.sqrt(3), rel=0.02)
    assert not layer.bias.any()


def test_truncated_normal_stops_at_two_deviations():
    layer = nn.Linear(400, 300)
    initialization.truncated_normal(layer, 0.04, 0.1, torch.Generator().manual_seed(0))
    assert 0.0799 < layer.weight.abs().max() <= 0.08
    # A normal cut off at two deviations has 0.8796 of the deviation.
    assert layer.weight.std().item() == pytest.approx(0.8796 * 0.04, rel=0.01)
    assert (layer.bias == 0.1).all()


def test_he_normal_counts_the_fan_out():
    layer = nn.Conv2d(20, 80, 3)
    initialization.he_normal(layer, torch.Generator().manual_seed(0))
    assert layer.weight.std().item() == pytest.approx(math.sqrt(2 / (9 * 80)), rel=0.02)
    assert not layer.bias.any()
