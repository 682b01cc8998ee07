"""What each layer of a finished run's network says of some images: the outputs of its ReLUs, whatever its design."""

from collections.abc import Callable
from typing import TypeVar

import torch
from torch import Tensor, nn

from rethink.analyses.networks import Network
from rethink.data.split import Split

T = TypeVar("T")

_CHUNK = 500  # images that go through a network together


@torch.no_grad()
def layer_outputs(network: Network, inputs: Tensor, look: Callable[[Tensor], T]) -> dict[str, T]:
    """What `look` makes of the inputs, of the output of every ReLU in the order of the forward pass, and of the logits.

    Args:
        network: Of a finished run.
        inputs: (B, C, H, W) as the network sees them.
        look: Gets (B, ...) of a layer, one layer at a time, and must not keep it: the network goes on in its memory.
    """
    seen = {"input": look(inputs)}

    def hook(module: nn.Module, arguments: object, output: Tensor) -> None:
        seen[f"layer {len(seen)}"] = look(output)

    handles = [
        module.register_forward_hook(hook) for module in network.model.network.modules() if isinstance(module, nn.ReLU)
    ]
    try:
        logits = network.model.network(inputs)
    finally:
        for handle in handles:
            handle.remove()
    return seen | {"logits": look(logits)}


def features(
    network: Network, split: Split, positions: Tensor, condense: Callable[[Tensor], Tensor]
) -> dict[str, Tensor]:
    """Of each layer the condensed features (n, p) of some examples of a split, a few hundred at a time."""
    parts = [layer_outputs(network, network.inputs(split, chunk), condense) for chunk in positions.split(_CHUNK)]
    return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}
