"""Whether noise is fitted faster because its images lie farther apart: distances to differently labelled images."""

from typing import Any

import torch
from jsonargparse.typing import PositiveInt

import rethink.data
import rethink.randomization
from rethink import randomness
from rethink.analyses.analysis import Analysis, Context, Result
from rethink.data import ImageDataModule
from rethink.discovery import subclasses
from rethink.errors import UserError, did_you_mean
from rethink.inside.neighbours import nearest_differently_labelled
from rethink.randomization import Randomization

_CHUNK = 500  # images that are prepared together
_QUANTILES = {"10 %": 0.1, "median": 0.5, "90 %": 0.9}


class NearestNeighbours(Analysis):
    """Distance from an image to the nearest differently labelled one in the training set, as the network sees them.

    The images are cropped and standardized, so that each has the same mean and the same norm: the largest distance is
    twice that norm, and independent noise lies at sqrt(2) times it.

    Args:
        randomization: Class of the randomization, with its defaults, such as RandomLabels.
        n: Number of training images; the same ones that a run with `--data.train_size n` trains on. Default: all.
        dataset: Class of the data set.
        queries: Images whose nearest neighbour among all n is looked for, at most.
        seed: Seed of the choice of these.
    """

    def __init__(
        self,
        randomization: str,
        n: PositiveInt | None = None,
        dataset: str = "CIFAR10",
        queries: PositiveInt = 5000,
        seed: int = 0,
    ) -> None:
        super().__init__(seed)
        kinds = subclasses(rethink.randomization, Randomization)
        del kinds["PartiallyCorruptedLabels"]  # without a probability there is none
        self.randomization = _class("randomization", randomization, kinds)
        self.dataset = _class("dataset", dataset, subclasses(rethink.data, ImageDataModule))
        self.n = n
        self.queries = queries

    def analyse(self, context: Context) -> Result:
        data = self.dataset(randomization=self.randomization(), train_size=self.n, test_size=1)
        data.setup()
        train = data.splits["train"]
        chunks = torch.arange(len(train)).split(_CHUNK)
        images = torch.cat([train.prepare(chunk).flatten(1) for chunk in chunks])
        order = randomness.permutation(randomness.key(self.seed, "neighbours"), len(train))
        queries = torch.from_numpy(order[: self.queries])
        nearest = []
        for number, chunk in enumerate(queries.split(_CHUNK)):
            context.progress("images", number * _CHUNK, len(queries))
            nearest.append(nearest_differently_labelled(images, train.labels, chunk)[0])
        distances = torch.cat(nearest)
        if not torch.isfinite(distances).all():
            raise UserError(f"--n {self.n}: all {len(train)} images have the same label. Choose more images.")
        norm = images[queries].double().norm(dim=1).mean()
        values: dict[str, Any] = {
            "n": len(train),
            "queries": len(queries),
            "norm": float(norm),
            "smallest": float(distances.min()),
            **{name: float(distances.quantile(share)) for name, share in _QUANTILES.items()},
        }
        return Result(values)


def _class(option: str, name: str, kinds: dict[str, Any]) -> Any:
    if name not in kinds:
        raise UserError(f"--{option} {name!r} is none of {', '.join(kinds)}.{did_you_mean(name, kinds)}")
    return kinds[name]
