"""Norm and margin measures of trained networks: do they order runs as their test error does?"""

import math

import torch
import torch.nn.functional as F
from jsonargparse.typing import PositiveFloat, PositiveInt
from torch import Tensor, nn

from rethink.analyses.analysis import Context, OneRunAnalysis, Result
from rethink.analyses.networks import at_the_end, initial
from rethink.complexity import norms
from rethink.complexity.analyses.weight_layers import fold_batch_norm, weight_layers, without_local_response_norm

_CHUNK = 500  # images that go through a network together


class NormMeasures(OneRunAnalysis):
    """Margin, products of norms over it, path norms, distance from initialization, sharpness of a run's final weights.

    After folding batch norm into the weights (Neyshabur et al. 2017; Jiang et al. 2020). A measure over the margin is
    null where more than a tenth of the training set is not fitted, for then the margin is not above 0.

    Args:
        runs: The run_id of one run.
        sigma: Standard deviation of the noise on the weights, for expected sharpness.
        relative_sigma: The same as a share of the magnitude of each weight.
        draws: Of the noise.
        examples: Training examples that sharpness is measured on, at most.
        seed: Seed of the noise.
    """

    def __init__(
        self,
        runs: list[str],
        sigma: PositiveFloat = 0.01,
        relative_sigma: PositiveFloat = 0.1,
        draws: PositiveInt = 10,
        examples: PositiveInt = 5000,
        seed: int = 0,
    ) -> None:
        super().__init__(runs, seed)
        self.sigma = float(sigma)
        self.relative_sigma = float(relative_sigma)
        self.draws = draws
        self.examples = examples

    def analyse(self, context: Context) -> Result:
        """All measures by name, the margins, and the errors of the run at its last epoch."""
        run = self.opened_run()
        trained = at_the_end(run)
        shape, n = trained.model.image_shape, len(trained.train)
        network, start = (fold_batch_norm(of.model.network) for of in (trained, initial(run)))
        layers = weight_layers(network, shape)
        logits, labels = trained.logits(trained.train), trained.train.labels
        gamma = norms.margin(logits, labels, 0.1)
        spectral = []
        for layer in layers:
            spectral.append(norms.spectral_norm(layer))
            context.progress("spectral norms", len(spectral), len(layers))
        plain = without_local_response_norm(network)
        over_margin = {
            "inverse_margin": 1.0,
            "frobenius_product": math.prod(map(norms.frobenius_norm, layers)),
            "spectral_product": math.prod(spectral),
            "path_norm_l1": norms.path_norm(plain, shape, 1),
            "path_norm_l2": norms.path_norm(plain, shape, 2),
        }
        norm, distance = norms.parameter_norm(network), norms.distance(network, start)
        first = torch.arange(min(self.examples, n))  # in no order
        inputs = trained.inputs(trained.train, first), labels[first]
        sharpness = self._sharpness(network, *inputs, self.sigma, False, context)
        measures: dict[str, float | None] = {
            **{name: value / gamma if gamma > 0 else None for name, value in over_margin.items()},
            "parameter_norm": norm,
            "distance": distance,
            "spectral_distance": norms.spectral_distance(layers, weight_layers(start, shape)),
            "sharpness": sharpness,
            "relative_sharpness": self._sharpness(network, *inputs, self.relative_sigma, True, context),
            "pac_bayes": norms.pac_bayes(sharpness, norm**2, self.sigma, n),
            "pac_bayes_distance": norms.pac_bayes(sharpness, distance**2, self.sigma, n),
        }
        train, test = run.final("train/accuracy"), run.final("test/accuracy")
        values = {
            "measures": measures,
            "margin_10": gamma,
            "margin_5": norms.margin(logits, labels, 0.05),
            "largest_l1_norm": norms.largest_l1_norm(layers),
            "train_size": n,
            "train_error": None if train is None else 1 - train,
            "test_error": None if test is None else 1 - test,
        }
        return Result(values)

    def _sharpness(
        self, network: nn.Module, inputs: Tensor, labels: Tensor, sigma: float, relative: bool, context: Context
    ) -> float:
        """Mean increase of the training loss under noise on the weights."""
        increases = []
        before = _loss(network, inputs, labels)
        for noisy in norms.perturbed(network, sigma, self.draws, self.seed, relative):
            increases.append(_loss(noisy, inputs, labels) - before)
            context.progress("perturbations", len(increases), self.draws)
        return sum(increases) / len(increases)


@torch.no_grad()
def _loss(network: nn.Module, inputs: Tensor, labels: Tensor) -> float:
    chunks = zip(inputs.split(_CHUNK), labels.split(_CHUNK), strict=True)
    losses = (F.cross_entropy(network(x).double(), y, reduction="sum") for x, y in chunks)
    return sum(map(float, losses)) / len(labels)
