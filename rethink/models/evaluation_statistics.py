"""The moments that batch norm normalizes by in the evaluation: running ones, a batch's own, or recomputed ones."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Literal

import torch
from torch import Tensor, nn

from rethink import randomness
from rethink.data.pipelines.pipeline import Switches
from rethink.data.split import Split
from rethink.errors import UserError
from rethink.models.layers import BatchNorm

EvaluationStatistics = Literal["running", "batch", "recomputed"]


def batch_norms(network: nn.Module) -> list[BatchNorm]:
    """The layers of a network that are batch norm."""
    return [module for module in network.modules() if isinstance(module, BatchNorm)]


def require_batch_norm(network: nn.Module, chosen: EvaluationStatistics) -> None:
    """Refuses a choice that would do nothing.

    Raises:
        UserError: The network has no batch norm, and other statistics than the running ones are asked for.
    """
    if chosen != "running" and not batch_norms(network):
        raise UserError(
            f"--model.evaluation_statistics {chosen} changes nothing: the network has no batch norm. Leave it out."
        )


@contextmanager
def own_moments(network: nn.Module) -> Iterator[None]:
    """Within, an evaluation normalizes each batch by its own moments; what was there before is there again after."""
    before = [(layer, layer.own_moments, layer.moments) for layer in batch_norms(network)]
    try:
        for layer, _, _ in before:
            layer.own_moments = True
        yield
    finally:
        for layer, own, moments in before:
            layer.own_moments, layer.moments = own, moments


@torch.no_grad()
def recompute(network: nn.Module, batches: Iterable[Tensor]) -> None:
    """Makes the next evaluations normalize by the average moments of some batches, each normalized by its own.

    "Precise" statistics (Wu and Johnson 2021, Section 3): the mean is the average of the batches' means, the variance
    that of their second moments less the mean's square. Weights and running statistics stay as they are.

    Args:
        network: In evaluation mode.
        batches: Of preprocessed images, (B, C, H, W), all of one size.
    """
    layers = batch_norms(network)
    sums: list[list[Tensor]] = [[] for _ in layers]
    with own_moments(network):
        for images in batches:
            network(images)
            for layer, total in zip(layers, sums, strict=True):
                assert layer.moments is not None
                mean, variance = (moment.double() for moment in layer.moments)
                total.append(torch.stack([mean, variance + mean.square()]))
    for layer, total in zip(layers, sums, strict=True):
        mean, square = torch.stack(total).mean(0)
        layer.moments = mean.to(layer.running_mean), (square - mean.square()).to(layer.running_mean)


def training_images(split: Split, switches: Switches, size: int, batch_size: int, seed: int) -> Iterator[Tensor]:
    """Whole batches of training images, augmented as for training: the same at every call and on every rank.

    Args:
        split: The training set.
        switches: Of the training.
        size: Number of images; rounded down to whole batches, of which there is at least one.
        batch_size: Images of a batch.
        seed: Of the choice.
    """
    order = randomness.permutation(randomness.key(seed, "evaluation statistics"), len(split))
    positions = randomness.tensor(order).to(split.labels.device).split(batch_size)
    for batch in positions[: max(min(size, len(split)) // batch_size, 1)]:
        yield split.prepare(batch, switches)
