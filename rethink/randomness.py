"""Every random draw of the project: a pure function of (seed, purpose, epoch or part, index), never of global state.

A resumed run, another rank and another engine therefore draw the same, and so does another machine or another
version of torch: the draws that define the data (labels, pixels, subsets, batch order, augmentation) come from a
counter-based generator (SplitMix64, Steele et al. 2014) that is ten lines of exact integer arithmetic. Normals take
the logarithm and cosine of it, whose last bit may differ between machines. Only the initialization of weights and
dropout, which are not part of the data, use torch's own generators, seeded from a key.
"""

import hashlib
import os
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))


def key(seed: int, *purpose: str | int) -> int:
    """64-bit key of one stream of draws, e.g. `key(seed, "order", epoch)`. Different purposes are independent."""
    text = "/".join(map(str, (seed, *purpose)))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little")


def global_seed() -> int:
    """The seed that Lightning's `seed_everything` has set in this process; 0 where it has set none."""
    return int(os.environ.get("PL_GLOBAL_SEED", 0))


def bits(stream: int, index: NDArray[np.integer], width: int = 1) -> NDArray[np.uint64]:
    """`width` random 64-bit words for each index, (len(index), width): a function of stream, index and width."""
    with np.errstate(over="ignore"):
        counter: Any = index.astype(np.uint64)[:, None] * np.uint64(width) + np.arange(width, dtype=np.uint64)
        word: Any = np.uint64(stream) + (counter + np.uint64(1)) * _GOLDEN
        word = (word ^ (word >> np.uint64(30))) * _MIX[0]
        word = (word ^ (word >> np.uint64(27))) * _MIX[1]
        word = word ^ (word >> np.uint64(31))
    return cast(NDArray[np.uint64], word)


def uniform(stream: int, index: NDArray[np.integer], width: int = 1) -> NDArray[np.float64]:
    """Uniform in [0, 1), 53 bits, shape (len(index), width)."""
    return (bits(stream, index, width) >> np.uint64(11)).astype(np.float64) * 2.0**-53


def integers(stream: int, index: NDArray[np.integer], high: int) -> NDArray[np.int64]:
    """Uniform in {0, ..., high - 1}, shape (len(index),). The bias is under high / 2**53."""
    return (uniform(stream, index)[:, 0] * high).astype(np.int64)


def normal(stream: int, index: NDArray[np.integer], width: int) -> NDArray[np.float32]:
    """Standard normal by Box and Muller, shape (len(index), width)."""
    pairs = (width + 1) // 2
    radius, angle = np.split(uniform(stream, index, 2 * pairs), 2, axis=1)
    length = np.sqrt(-2.0 * np.log1p(-radius))
    turn = 2.0 * np.pi * angle
    return np.hstack([length * np.cos(turn), length * np.sin(turn)])[:, :width].astype(np.float32)


def permutation(stream: int, size: int) -> NDArray[np.int64]:
    """One permutation of {0, ..., size - 1}."""
    return permutations(stream, np.zeros(1, np.int64), size).reshape(size)


def permutations(stream: int, index: NDArray[np.integer], size: int) -> NDArray[np.int64]:
    """An independent permutation of {0, ..., size - 1} for each index, shape (len(index), size)."""
    order: Any = np.argsort(bits(stream, index, size), axis=1)
    return cast(NDArray[np.int64], order)  # ties have probability size**2 / 2**65


def generator(stream: int, device: torch.device | str = "cpu") -> torch.Generator:
    """A torch generator seeded with a key, for initialization and dropout."""
    return torch.Generator(device).manual_seed(stream)


def tensor(draws: NDArray[np.generic]) -> Tensor:
    """The draws as a tensor that shares their memory."""
    return torch.from_numpy(draws)
