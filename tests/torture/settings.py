"""What is trained: architecture x ranks x randomization x switch, each as small as it can be."""

import random
from dataclasses import dataclass
from functools import cache

_NETWORKS = {  # options, training examples, batch size, how often it is drawn
    "MLP": (("--model.hidden_sizes", "[16]"), 90, 8, 7),
    "SmallAlexNet": ((), 24, 8, 1),
    "WideResNet": (("--model.depth", "10"), 24, 8, 1),
    "SmallInception": ((), 12, 4, 1),
}
_LABELS = ("TrueLabels", "RandomLabels", "PartiallyCorruptedLabels")
_PIXELS = ("ShuffledPixels", "RandomPixels", "GaussianPixels")
_SWITCHES: dict[str, tuple[str, ...]] = {
    "none": (),
    "dropout": ("--model.dropout", "0.3"),
    "weight decay": ("--model.weight_decay", "0.001"),
    "batch norm": ("--model.batch_norm", "true"),
    "no batch norm": ("--model.batch_norm", "false"),
    "crop": ("--model.augmentation", "random_crop"),
    "crop, flip and rotate": ("--model.augmentation", "random_crop_flip_rotate"),
}
_EPOCHS = 2
SETTINGS = 60  # that are drawn from, so that half an hour is of kills and not of undisturbed references
OFTEN = ("--checkpoint.every_seconds", "0", "--checkpoint.every_n_steps", "2")
RARELY = ("--checkpoint.every_seconds", "10000")
"""How often a run saves itself, which does not change its result."""


@dataclass(frozen=True)
class Setting:
    """A run: the words of its command, its ranks, and the SGD steps of each."""

    words: tuple[str, ...]
    ranks: int
    steps: int

    @property
    def network(self) -> str:
        """Class of the model."""
        return self.words[self.words.index("--model") + 1]

    def __str__(self) -> str:
        return f"{self.network}, {self.steps} steps of {self.ranks} rank{'s' * (self.ranks > 1)}"


def draw(chance: random.Random, network: str = "", ranks: int = 0) -> Setting:
    """One of the settings, of this network and number of ranks if they are given."""
    wanted = [setting for setting in every() if network in ("", setting.network) and ranks in (0, setting.ranks)]
    return chance.choice(wanted)


@cache
def every() -> tuple[Setting, ...]:
    """All that are drawn from: the same ones always, every value of every dimension among them."""
    chance = random.Random("settings")
    return tuple(_drawn(chance) for _ in range(SETTINGS))


def _drawn(chance: random.Random) -> Setting:
    network = chance.choices(list(_NETWORKS), [weight for *_, weight in _NETWORKS.values()])[0]
    ranks = chance.choice((1, 1, 1, 2))
    options, examples, batch, _ = _NETWORKS[network]
    # Without batch norm the loss of a small Inception would not be a number.
    switch = chance.choice([name for name in _SWITCHES if (network, name) != ("SmallInception", "no batch norm")])
    randomization = chance.choice(_LABELS if "crop" in switch else _LABELS + _PIXELS)
    words = [
        *("fit", "--config", "configs/base.yaml", "--precision", "32-true", "--trainer.accelerator", "cpu"),
        *("--trainer.max_epochs", str(_EPOCHS), "--model", network, *options, *_SWITCHES[switch]),
        *("--data", "Synthetic", "--data.num_train", str(examples), "--data.num_test", "16"),
        *("--data.batch_size", str(batch), "--data.steps_per_call", "2", "--data.randomization", randomization),
        *(("--data.randomization.probability", "0.5") if randomization == "PartiallyCorruptedLabels" else ()),
        *("--trainer.devices", str(ranks), *(("--trainer.strategy", "ddp_fork") if ranks > 1 else ())),
    ]
    return Setting(tuple(words), ranks, -(-examples // batch) * _EPOCHS)


SWEEP = """\
title: three small runs
claim: none
cost: seconds
command: none
layers: [configs/base.yaml, configs/data/synthetic.yaml]
options: {model: MLP, "model.hidden_sizes": [16], data.num_train: 90, data.num_test: 16, data.batch_size: 8,
  trainer.max_epochs: 4, trainer.devices: 1, precision: 32-true, checkpoint.every_seconds: 0}
seeds: [0]
groups:
  - grid: {data.randomization: [TrueLabels, RandomLabels, ShuffledPixels]}
"""
FIGURES = """\
from rethink.report.page import Artefact


def artefact(results):
    return Artefact("tiny", "Three small runs", "none", f"{len(results.runs)} runs")
"""
