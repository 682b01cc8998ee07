"""A network as the complexity measures of Section 2.2 see it: its layers with weights, and batch norm folded into them.

In evaluation batch norm is an affine map of each channel, and a network with it is the same function as one without,
with other weights. Norms of weights mean nothing before that: a layer under batch norm can have any scale. So all
measures are taken after folding, as in the code of Neyshabur et al. (2017) and Dziugaite et al. (2020).
"""

import copy
import math
from typing import Any, cast

import torch
from torch import Tensor, fx, nn

from rethink.complexity.capacity import Architecture
from rethink.complexity.norms import WeightLayer
from rethink.models.layers import BatchNorm, LocalResponseNorm, MaxPool2d

_COMPARISONS = 36  # pairs among the 9 values of a 3x3 pooling window


class ChannelAffine(nn.Module):
    """An affine map of each channel, (B, C) or (B, C, H, W): batch norm in evaluation that no layer can take in."""

    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight)
        self.bias = nn.Parameter(bias)

    def forward(self, x: Tensor) -> Tensor:
        channels = (1, -1) + (1,) * (x.ndim - 2)
        return x * self.weight.view(channels) + self.bias.view(channels)


@torch.no_grad()
def fold_batch_norm(network: nn.Module) -> nn.Module:
    """A copy in evaluation mode that computes the same and has no batch norm.

    Batch norm right after a convolution or linear layer goes into its weights and bias; elsewhere, as in front of the
    residual blocks of a wide residual network, it becomes a ChannelAffine.
    """
    folded = copy.deepcopy(network).eval()
    for parent in list(folded.modules()):
        previous = ""
        for name, child in list(parent.named_children()):
            if isinstance(child, BatchNorm):
                mean, variance = child.evaluated_by
                weight = child.weight * torch.rsqrt(variance + child.epsilon)
                bias = child.bias - mean * weight
                before = parent._modules.get(previous)
                if isinstance(parent, nn.Sequential) and isinstance(before, nn.Conv2d | nn.Linear):
                    _take_in(before, weight, bias)
                    setattr(parent, name, nn.Identity())
                else:
                    setattr(parent, name, ChannelAffine(weight.clone(), bias.clone()))
            previous = name
    return folded


def weight_layers(network: nn.Module, image_shape: tuple[int, int, int]) -> list[WeightLayer]:
    """The convolutions and linear layers of a network for images of this shape, by depth."""
    depths = _depths(network)
    layers = [
        WeightLayer(name, cast(nn.Conv2d | nn.Linear, network.get_submodule(name)), depths[name], *shapes)
        for name, shapes in _shapes(network, (nn.Conv2d, nn.Linear), image_shape).items()
    ]
    return sorted(layers, key=lambda layer: layer.depth)


def architecture_of(network: nn.Module, image_shape: tuple[int, int, int]) -> Architecture:
    """What the bounds on the VC dimension depend on, after batch norm is folded in."""
    folded = fold_batch_norm(network)
    layers, depths = weight_layers(folded, image_shape), _depths(folded)
    parameters, units = ([0] * max(layer.depth for layer in layers) for _ in range(2))
    for layer in layers:
        parameters[layer.depth - 1] += sum(p.numel() for p in layer.module.parameters())
        units[layer.depth - 1] += math.prod(layer.output_shape)
    for name, (_, output_shape) in _shapes(folded, (MaxPool2d,), image_shape).items():
        units[depths[name] - 1] += _COMPARISONS * math.prod(output_shape)
    return Architecture(tuple(parameters), tuple(units))


def without_local_response_norm(network: nn.Module) -> nn.Module:
    """A copy without local response normalization: it divides by at least 1, so no value gets larger by it."""
    plain = copy.deepcopy(network)
    for parent in list(plain.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, LocalResponseNorm):
                setattr(parent, name, nn.Identity())
    return plain


def _shapes(
    network: nn.Module, kinds: tuple[type[nn.Module], ...], image_shape: tuple[int, int, int]
) -> dict[str, tuple[tuple[int, ...], tuple[int, ...]]]:
    """Shapes of one example before and behind each module of these kinds, by the module's name."""
    shapes: dict[nn.Module, tuple[tuple[int, ...], tuple[int, ...]]] = {}

    def note(module: nn.Module, inputs: tuple[Tensor], output: Tensor) -> None:
        shapes[module] = tuple(inputs[0].shape[1:]), tuple(output.shape[1:])

    modules = {name: module for name, module in network.named_modules() if isinstance(module, kinds)}
    hooks = [module.register_forward_hook(note) for module in modules.values()]
    with torch.no_grad():
        network(next(network.parameters()).new_zeros(1, *image_shape))
    for hook in hooks:
        hook.remove()
    return {name: shapes[module] for name, module in modules.items()}


class _Tracer(fx.Tracer):
    """Sees the graph of layers; what depends on the shape of its input stays whole."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        if type(m).__module__ == "rethink.models.layers" or isinstance(m, ChannelAffine):
            return True
        return super().is_leaf_module(m, module_qualified_name)


def _depths(network: nn.Module) -> dict[str, int]:
    """For each module, the number of layers with weights on the longest way up to its output."""
    depths: dict[Any, int] = {}
    by_name: dict[str, int] = {}
    for node in _Tracer().trace(network).nodes:
        depths[node] = max((depths[before] for before in node.all_input_nodes), default=0)
        if node.op == "call_module":
            depths[node] += isinstance(network.get_submodule(node.target), nn.Conv2d | nn.Linear)
            by_name[node.target] = depths[node]
    return by_name


def _take_in(layer: nn.Conv2d | nn.Linear, weight: Tensor, bias: Tensor) -> None:
    layer.weight.mul_(weight.view(-1, *(1,) * (layer.weight.ndim - 1)))
    bias = bias if layer.bias is None else bias + layer.bias * weight
    layer.bias = nn.Parameter(bias.clone())
