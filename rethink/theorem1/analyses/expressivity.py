"""Theorem 1 and Corollary 1 on real images: networks of about 2n + d weights represent any function of n points."""

import time
from typing import Any, Literal

import numpy as np
import torch
from jsonargparse.typing import PositiveInt
from torch import Tensor

from rethink import randomness
from rethink.analyses.analysis import Analysis, Context, Result
from rethink.data import CIFAR10, MNIST, FashionMNIST, ImageDataModule
from rethink.data.catalog import DATASETS
from rethink.errors import UserError
from rethink.randomization import RandomLabels
from rethink.theorem1.networks import DeepReLU, TwoLayerReLU, weights_bound, weights_of, width_bound
from rethink.theorem1.sample import DIRECTIONS, Sample
from rethink.training import memory

_CHUNK = 500  # images that are prepared together
_CLASSES = 10  # of labels for Gaussian points
_DATA: dict[str, type[ImageDataModule]] = {"cifar10": CIFAR10, "mnist": MNIST, "fashion_mnist": FashionMNIST}


class FiniteSampleExpressivity(Analysis):
    """Builds the network of Theorem 1 or Corollary 1 for n points and any targets, and evaluates it on them (2.2).

    Args:
        n: Number of points; the same images that a run with `--data.train_size n` trains on.
        depth: k of Corollary 1, layers of which k - 1 are hidden; 2 is Theorem 1.
        targets: Random labels, or real values drawn from a standard normal.
        dataset: The images, as the networks see them (cropped to 28x28, standardized); or standard normal points.
        d: Dimension of the standard normal points. That of images is what it is.
        seed: Seed of targets, directions and normal points.
    """

    def __init__(
        self,
        n: PositiveInt = 50_000,
        depth: PositiveInt = 2,
        targets: Literal["random_labels", "real_values"] = "random_labels",
        dataset: Literal["cifar10", "mnist", "fashion_mnist", "gaussian"] = "cifar10",
        d: PositiveInt | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__(seed)
        if depth < 2:
            raise UserError(f"--depth {depth}: Theorem 1 is depth 2, Corollary 1 any larger one. Choose 2 or more.")
        if (d is None) == (dataset == "gaussian"):
            raise UserError(
                "--dataset gaussian needs --d, the dimension of its points."
                if d is None
                else f"--d {d} is for --dataset gaussian; the images of {dataset} have the dimension that they have."
            )
        if d is None and n > (size := DATASETS[dataset].train_size):
            raise UserError(f"--n {n}: {dataset} has {size:,} training images. Choose no more.")
        values = d or int(np.prod(_DATA[dataset].image_shape))
        memory.require(lambda points: _bytes(points, values), n, f"a sample of {n:,} points of {values:,} values")
        self.n = n
        self.depth = depth
        self.targets = targets
        self.dataset = dataset
        self.d = d

    def analyse(self, context: Context) -> Result:
        """Finds the weights, then runs every point through the network."""
        points, labels = self._drawn() if self.d else self._images()
        targets = labels if self.targets == "random_labels" else _normal(self.seed, "real values", self.n, 1)[:, 0]
        context.progress("weights found", 0, 1)
        began = time.perf_counter()
        sample = Sample.of(points, targets, self.seed)
        network = TwoLayerReLU(sample) if self.depth == 2 else DeepReLU(sample, self.depth)
        built = time.perf_counter()
        context.progress("weights found", 1, 1)
        outputs = network(points)
        seconds = {"construction": built - began, "forward pass": time.perf_counter() - built}
        values = self._values(sample, network) | _compared(outputs, targets, self.targets == "random_labels")
        print(_line(values, seconds), flush=True)
        return Result(values | {"seconds": seconds})

    def _images(self) -> tuple[Tensor, Tensor]:
        """Images (n, d) float32 as the networks see them, and random labels."""
        data = _DATA[self.dataset](RandomLabels(self.seed), train_size=self.n, test_size=1)
        data.setup()
        train = data.splits["train"]
        points = torch.empty(self.n, int(np.prod(data.image_shape)))
        for chunk in torch.arange(self.n).split(_CHUNK):
            points[chunk] = train.prepare(chunk).flatten(1)
        return points, train.labels

    def _drawn(self) -> tuple[Tensor, Tensor]:
        assert self.d is not None
        labels = randomness.integers(randomness.key(self.seed, "labels"), np.arange(self.n), _CLASSES)
        return _normal(self.seed, "points", self.n, self.d), randomness.tensor(labels)

    def _values(self, sample: Sample, network: TwoLayerReLU | DeepReLU) -> dict[str, Any]:
        n, d = sample.size, sample.dimension
        return {
            "n": n,
            "d": d,
            "depth": self.depth,
            "weights": weights_of(network),
            "weights_bound": weights_bound(n, d, self.depth),
            "width": network.width,
            "width_bound": width_bound(n, self.depth),
            "smallest_gap": sample.smallest_gap,
            "smallest_eigenvalue": sample.smallest_eigenvalue,
            "largest_eigenvalue": float(sample.eigenvalues.max()),
            "largest_weight": float(np.abs(sample.weights).max()),
            "expected_error": sample.rounding,
        }


def _bytes(n: int, d: int) -> int:
    """For n points: themselves, the images they are made from, and what is computed of them in float64."""
    return n * (4 * d + 2 * 4 * d + 8 * (3 * DIRECTIONS + 12))


def _normal(seed: int, purpose: str, n: int, width: int) -> Tensor:
    return randomness.tensor(randomness.normal(randomness.key(seed, purpose), np.arange(n), width))


def _compared(outputs: Tensor, targets: Tensor, classes: bool) -> dict[str, Any]:
    errors = (outputs - targets).abs()
    right = float((outputs.round() == targets).double().mean()) if classes else None  # the nearest class
    return {"largest_error": float(errors.max()), "median_error": float(errors.median()), "labels_right": right}


def _line(values: dict[str, Any], seconds: dict[str, float]) -> str:
    right = "" if values["labels_right"] is None else f"{100 * values['labels_right']:g} % of the labels right, "
    return (
        f"n = {values['n']:,}, d = {values['d']:,}, depth {values['depth']}: {values['weights']:,} weights, {right}"
        f"largest error {values['largest_error']:.2g}; built in {seconds['construction']:.2f} s, "
        f"evaluated on all points in {seconds['forward pass']:.2f} s"
    )
