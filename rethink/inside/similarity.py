"""Similarity of two representations of the same images: linear centred kernel alignment (Kornblith et al. 2019)."""

import torch
from torch import Tensor


def gram(features: Tensor) -> Tensor:
    """Inner products (n, n) of the features (n, ...) of n images about their mean, float64, with an empty diagonal."""
    rows = features.flatten(1).double()
    rows = rows - rows.mean(0)  # changes nothing but the rounding
    products = rows @ rows.T
    return products.fill_diagonal_(0)


def cka(first: Tensor, second: Tensor) -> float:
    """Linear CKA of two representations, given by their `gram` of the same n > 3 images.

    1 for representations that are rotations and multiples of each other; about 0 for independent ones. With the
    unbiased estimate of HSIC (Song et al. 2012; checked against public implementations): the usual one is near 1 for
    any two representations of more features than images. The estimate can be a little below 0. NaN where a
    representation is constant.
    """
    return float(_hsic(first, second) / (_hsic(first, first) * _hsic(second, second)).sqrt())


def _hsic(first: Tensor, second: Tensor) -> Tensor:
    """Unbiased HSIC times n (n - 3), from inner products with an empty diagonal."""
    n = len(first)
    means = first.sum() * second.sum() / ((n - 1) * (n - 2))
    return (first * second).sum() + means - 2 / (n - 2) * torch.dot(first.sum(0), second.sum(0))
