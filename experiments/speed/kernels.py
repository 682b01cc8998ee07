"""Seconds of the kernel machine of MNIST's pixels, against the first author's published snippet for scipy.

Both make K of n images in float64 and solve K alpha = y for ten classes: ours with half a Gram matrix, a Cholesky
factor in float32 and refinement in float64, the snippet with pdist, squareform and scipy.linalg.solve.
`python experiments/speed/kernels.py` prints the ratio alone; `make bench` has it in its table.
"""

import argparse
import os
import statistics
import time
from collections.abc import Callable
from functools import partial

import numpy as np
import scipy.linalg
import torch
from scipy.spatial.distance import cdist, pdist, squareform
from torch import Tensor

from rethink.kernels.analyses.examples import Examples
from rethink.kernels.cholesky import factorize
from rethink.kernels.gram import Gaussian, GramOfPoints, held, predict
from rethink.kernels.interpolation import one_hot, solve

GAMMA = 0.02  # the first author's
N = 4_000
GOAL = 0.25  # of the snippet's seconds


def turns(n: int, rounds: int) -> tuple[list[float], list[float]]:
    """Seconds of ours and of the snippet, a pair a round; refuses to compare if their test errors differ."""
    examples = Examples.load("MNIST", n, seed=0)
    train, test = (images.flatten(1).float() / 255 for images in (examples.train, examples.test))
    labels = examples.labels["true labels"]
    ours, theirs = partial(_ours, train, labels), partial(_snippet, train, labels)
    of_ours = predict(Gaussian(GAMMA), test, train, ours()).argmax(1)
    kernel = np.exp(-GAMMA * cdist(test.double().numpy(), train.double().numpy(), "sqeuclidean"))
    of_theirs = torch.from_numpy((kernel @ theirs()).argmax(1))
    errors = [int(predicted.ne(examples.test_labels).sum()) for predicted in (of_ours, of_theirs)]
    assert errors[0] == errors[1], f"{errors} of the test images are wrong"
    pairs = [(_seconds(ours), _seconds(theirs)) for _ in range(rounds)]
    return [mine for mine, _ in pairs], [others for _, others in pairs]


def _ours(train: Tensor, labels: Tensor) -> Tensor:
    gram = held(GramOfPoints(Gaussian(GAMMA), train))
    return solve(gram, factorize(gram, torch.float32), one_hot(labels, 10)).coefficients


def _snippet(train: Tensor, labels: Tensor) -> np.ndarray:
    kernel = np.exp(-GAMMA * squareform(pdist(train.double().numpy(), "sqeuclidean")))
    # By LU, as scipy.linalg.solve did when the snippet was written; newer ones find out that K is positive definite.
    solution: np.ndarray = scipy.linalg.solve(kernel, one_hot(labels, 10).numpy(), assume_a="gen")
    return solution


def _seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, default=N, help=f"training images (default: {N:,})")
    parser.add_argument("--rounds", type=int, default=5, help="turns of each, interleaved (default: 5)")
    options = parser.parse_args()
    load = os.getloadavg()[0]
    ours, theirs = turns(options.n, options.rounds)
    faster = [other / mine for mine, other in zip(ours, theirs, strict=True)]
    print(
        f"n = {options.n:,}, {torch.get_num_threads()} threads, load {load:.1f}: ours {statistics.median(ours):.2f} s, "
        f"scipy {statistics.median(theirs):.2f} s, {statistics.median(faster):.1f} times as fast "
        f"({min(faster):.1f} to {max(faster):.1f}), the same test error"
    )


if __name__ == "__main__":
    main()
