"""How far apart differently labelled images lie: a network that separates them must change its answer in between."""

import torch
from torch import Tensor

_BLOCK = 500  # images whose distances to all others are in memory at a time: 100 MB for 50,000


def nearest_differently_labelled(
    images: Tensor, labels: Tensor, queries: Tensor, block: int = _BLOCK
) -> tuple[Tensor, Tensor]:
    """Euclidean distance from each of some images to the nearest one with another label, and which one that is.

    Args:
        images: (n, d), float.
        labels: (n,).
        queries: (q,) positions of the images to start from.
        block: Images that are looked at together.

    Returns:
        Distances (q,) in float64, infinite if all labels are equal, and positions (q,).
    """
    squares = images.square().sum(1)
    nearest = []
    for part in queries.split(block):
        products = images[part] @ images.T
        apart = products.mul_(-2).add_(squares)  # less the square of the query, which does not change the order
        nearest.append(apart.masked_fill_(labels[part, None] == labels, torch.inf).argmin(1))
    positions = torch.cat(nearest)
    # In float64 and from the difference: a small distance is not the difference of two large squares.
    distances = torch.linalg.vector_norm(images[queries].double() - images[positions].double(), dim=1)
    return distances.masked_fill(labels[queries] == labels[positions], torch.inf), positions
