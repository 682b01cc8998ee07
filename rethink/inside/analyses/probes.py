"""What linear probes read off each layer of a network: the true labels, and those that it was given."""

from typing import Any

import torch
from jsonargparse.typing import PositiveInt
from torch import Tensor

from rethink import randomness
from rethink.analyses.analysis import Context, OneRunAnalysis, Result
from rethink.analyses.networks import Network, at_the_end, initial
from rethink.inside.analyses.layers import features
from rethink.inside.probes import condensed, fit_probe


class Probes(OneRunAnalysis):
    """Linear probes on every layer of a run's network, before and after its training.

    A probe is fitted to the features of one half of some of the network's own training images, and tested on the other
    half. Random labels of images that the network never saw cannot be predicted from anything; of these images the
    network has seen the labels in training, so a probe that predicts the given labels of the half that it was not
    fitted to shows that the layer holds what was memorized. True labels are tested on test images too, randomized as
    the training images are.

    Args:
        runs: One run_id.
        images: Training images, at most; half of them are for fitting. Half as many test images.
        features: Largest number of features: layers with more are averaged and projected at random.
        seed: Seed of the choice of images, of the halves and of the projection.
    """

    def __init__(self, runs: list[str], images: PositiveInt = 5000, features: PositiveInt = 512, seed: int = 0) -> None:
        super().__init__(runs, seed)
        self.images = images
        self.features = features

    def analyse(self, context: Context) -> Result:
        run = self.opened_run()
        networks = {"trained": at_the_end(run), "untrained": initial(run)}
        values: dict[str, Any] = {"classes": run.num_classes}
        for number, (name, network) in enumerate(networks.items()):
            context.progress("networks", number, len(networks))
            values[name] = self._probe(network, values)
        return Result(values)

    def _probe(self, network: Network, values: dict[str, Any]) -> list[dict[str, Any]]:
        train, test = network.train, network.data.splits["test_randomized"]
        chosen = self._some(len(train), self.images, "train")
        half = len(chosen) // 2
        tested = self._some(len(test), half, "test")
        values |= {"images": {"fit": half, "held out": len(chosen) - half, "test": len(tested)}}

        def condense(output: Tensor) -> Tensor:
            return condensed(output, self.features, self.seed)

        of_training = features(network, train, chosen, condense)
        of_test = features(network, test, tested, condense)
        labels = {"given": train.labels[chosen], "true": train.true_labels[chosen]}
        rows = []
        for layer, x in of_training.items():
            row: dict[str, Any] = {"layer": layer}
            for kind, y in labels.items():
                probe = fit_probe(x[:half], y[:half], network.data.num_classes)
                row[kind] = {
                    "strength": probe.strength,
                    "fit": probe.accuracy(x[:half], y[:half]),
                    "held out": probe.accuracy(x[half:], y[half:]),
                }
                if kind == "true":
                    row[kind]["test"] = probe.accuracy(of_test[layer], test.true_labels[tested])
            rows.append(row)
        return rows

    def _some(self, available: int, wanted: int, purpose: str) -> Tensor:
        order = randomness.permutation(randomness.key(self.seed, "probes", purpose), available)
        return torch.from_numpy(order[:wanted])
