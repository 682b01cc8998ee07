"""torchvision's networks with the switches of this package: batch norm, keyed dropout, gradient checkpointing."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from rethink import randomness
from rethink.errors import UserError
from rethink.models.layers import BatchNorm, Dropout


def drawn(build: Callable[[], nn.Module], seed: int) -> nn.Module:
    """What `build` makes, with initial weights that depend on the seed alone; the global generator stays as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(randomness.key(seed, "initialization"))
        return build()


def require_colour(image_shape: tuple[int, int, int], network: str) -> None:
    """That images have three channels.

    Raises:
        UserError: They have not.
    """
    if image_shape[0] != 3:
        raise UserError(
            f"{network} takes images of 3 channels, and these have {image_shape[0]}. Choose another --model."
        )


def switch_batch_norm(
    network: nn.Module, on: bool, *, synchronized: bool, momentum: float = 0.1, scale: bool = True
) -> None:
    """Puts the batch norm of this package in the place of torch's; or none, and a bias into every convolution.

    Args:
        network: Its convolutions have no bias under batch norm.
        on: Whether there is batch norm.
        synchronized: See `BatchNorm`.
        momentum: See `BatchNorm`.
        scale: See `BatchNorm`.
    """

    def norm(old: nn.Module) -> nn.Module:
        assert isinstance(old, nn.BatchNorm2d)
        options = {"scale": scale, "momentum": momentum, "epsilon": old.eps, "synchronized": synchronized}
        return BatchNorm(old.num_features, **options) if on else nn.Identity()  # type: ignore[arg-type]

    _replace(network, nn.BatchNorm2d, norm)
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d) and layer.bias is None and not on:
            layer.bias = nn.Parameter(torch.zeros(layer.out_channels))


def switch_dropout(network: nn.Module, p: float) -> None:
    """Puts dropout whose masks are keyed by the step in the place of torch's."""
    _replace(network, nn.Dropout, lambda old: Dropout(p))


def checkpoint_blocks(blocks: Iterable[nn.Module]) -> None:
    """Makes blocks compute their activations once more in the backward pass instead of keeping them: the same numbers.

    The second time draws the same masks of dropout, and does not move the statistics of batch norm again.
    """
    for block in blocks:
        vars(block)["forward"] = partial(_checkpointed, block)


def _checkpointed(block: nn.Module, *inputs: Tensor) -> Any:
    from torch.utils.checkpoint import checkpoint  # here: few ask for it

    forward = type(block).forward
    if not torch.is_grad_enabled():
        return forward(block, *inputs)
    return checkpoint(forward, block, *inputs, use_reentrant=False, context_fn=partial(_contexts, block))


def _contexts(block: nn.Module) -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
    """Of the first and of the second computation of a block."""
    layers = [layer for layer in block.modules() if isinstance(layer, Dropout)]
    generators = [layer.generator for layer in layers if layer.generator is not None]
    return nullcontext(), _again(block, generators, [generator.get_state() for generator in generators])


@contextmanager
def _again(block: nn.Module, generators: list[torch.Generator], states: list[Tensor]) -> Iterator[None]:
    norms = [layer for layer in block.modules() if isinstance(layer, BatchNorm)]
    momenta, later = [norm.momentum for norm in norms], [generator.get_state() for generator in generators]
    for norm in norms:
        norm.momentum = 0.0
    for generator, state in zip(generators, states, strict=True):
        generator.set_state(state)
    try:
        yield
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
        for generator, state in zip(generators, later, strict=True):
            generator.set_state(state)


def _replace(network: nn.Module, kind: type[nn.Module], new: Callable[[nn.Module], nn.Module]) -> None:
    for parent in list(network.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, kind):
                setattr(parent, name, new(child))
