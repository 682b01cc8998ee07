"""How alike the layers of differently trained networks are, by CKA."""

from itertools import combinations
from typing import Any

import numpy as np
import torch
from jsonargparse.typing import PositiveInt
from torch import Tensor

from rethink import randomness
from rethink.analyses.analysis import Context, Result, RunAnalysis
from rethink.analyses.networks import at_the_end, initial
from rethink.data import ImageDataModule
from rethink.data.split import Split
from rethink.errors import UserError
from rethink.inside.analyses.layers import layer_outputs
from rethink.inside.similarity import cka, gram
from rethink.runs.run import Run


class Similarity(RunAnalysis):
    """Linear CKA between the layers of the runs' networks, as trained and as initialized, on a fixed batch of images.

    The images are untouched test images, the same for all networks. Each network is named by the run it is of and by
    whether it is trained; networks that begin alike count once.

    Args:
        runs: Run_ids of networks of one architecture.
        images: Number of test images.
        seed: Seed of the choice of images.
    """

    def __init__(self, runs: list[str], images: PositiveInt = 1000, seed: int = 0) -> None:
        super().__init__(runs, seed)
        self.images = images

    def analyse(self, context: Context) -> Result:
        runs = self.opened()
        if len(architectures := sorted({run.architecture for run in runs})) > 1:
            raise UserError(f"--runs: Similarity compares layer with layer, and these are {', '.join(architectures)}.")
        grams: dict[tuple[str, bool], dict[str, Tensor]] = {}
        begun: dict[int, str] = {}
        for number, run in enumerate(runs):
            context.progress("networks", number, len(runs))
            grams[run.run_id, True] = self._grams(run, trained=True)
            if run.setting.weights_from is None and run.seed not in begun:
                begun[run.seed] = run.run_id
                grams[run.run_id, False] = self._grams(run, trained=False)
        layers = list(next(iter(grams.values())))
        pairs: list[dict[str, Any]] = []
        matrices = []
        for first, second in combinations(grams, 2):
            matrix = np.array([[cka(grams[first][a], grams[second][b]) for b in layers] for a in layers])
            pairs.append({"networks": [_named(first), _named(second)], "same layer": matrix.diagonal().tolist()})
            matrices.append(matrix.astype(np.float32))
        values = {"layers": layers, "networks": [_named(network) for network in grams], "pairs": pairs}
        return Result(values, {"matrices": np.array(matrices)} if matrices else {})

    def _grams(self, run: Run, *, trained: bool) -> dict[str, Tensor]:
        network = at_the_end(run) if trained else initial(run)
        split = untouched(network.data)
        order = randomness.permutation(randomness.key(self.seed, "similarity"), len(split))
        return layer_outputs(network, network.inputs(split, torch.from_numpy(order[: self.images])), gram)


def untouched(data: ImageDataModule) -> Split:
    """The test images as they are, whatever was done to the training images."""
    return data.splits["test" if "test" in data.splits else "test_randomized"]


def _named(network: tuple[str, bool]) -> dict[str, Any]:
    return {"run": network[0], "trained": network[1]}
