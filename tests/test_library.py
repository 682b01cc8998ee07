"""A run, or a checkpoint of a Trainer of one's own, in a line of Python."""

import os
import subprocess
import sys
from pathlib import Path

import lightning.pytorch as L
import pytest
import torch
from torch import nn

import rethink
from rethink.data import Synthetic
from rethink.errors import UserError
from rethink.models import MLP, Classifier
from rethink.training.recipes import Adam

QUIET = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
DATA = {"num_train": 60, "num_test": 20}
SMALL = ["--model", "MLP", "--model.hidden_sizes", "[4]", "--data", "Synthetic", "--data.num_train", "60"]
SCRIPT = """
import sys

import rethink

light = sorted(sys.modules.keys() & {"torch", "lightning", "numpy", "matplotlib"})
assert not light, light
run = rethink.load_run(sys.argv[1])
print(run.predict(run.data.load().test_images).argmax(1).tolist())

import lightning.pytorch as L

assert L.Trainer(logger=False, accelerator="cpu").validate(run.model, run.data, verbose=False)
from rethink.models import MLP

model = MLP.load_from_checkpoint(run.run.path / "checkpoints" / "final.ckpt")
assert model.network.layers[0].out_features == 4

from rethink.data import Synthetic
from rethink.randomization import RandomLabels

losses = set()
for seed in (1, 2, 2):
    L.seed_everything(seed, verbose=False)
    logger, quiet = L.loggers.CSVLogger("logs"), {"accelerator": "cpu", "enable_progress_bar": False}
    trainer = L.Trainer(max_epochs=1, limit_train_batches=3, logger=logger, **quiet)
    trainer.fit(model := MLP(hidden_sizes=[4]), Synthetic(num_train=60, batch_size=16, randomization=RandomLabels()))
    assert trainer.global_step == 3
    losses.add(model.epoch_metrics["train/loss"])
    assert "train/loss" in open(logger.log_dir + "/metrics.csv").readline()
assert len(losses) == 2
"""


class _Wide(MLP):
    """Passes an argument on that it chooses itself.

    Args:
        **switches: Those of an MLP.
    """

    def __init__(self, **switches) -> None:
        super().__init__(hidden_sizes=[6, 6], **switches)


def same(one: nn.Module, other: nn.Module) -> bool:
    ours, theirs = one.state_dict(), other.state_dict()
    return ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in ours)


@pytest.mark.parametrize(
    ("kind", "arguments"),
    [
        (MLP, {"hidden_sizes": [6], "dropout": 0.5, "initialization": "he_normal"}),
        (MLP, {"recipe": Adam(0.003, average=0.5), "num_classes": 4, "seed": 3}),
        (_Wide, {"batch_norm": True}),
    ],
    ids=["options", "recipe", "class"],
)
def test_a_checkpoint_needs_no_argument_repeated(kind: type[Classifier], arguments, tmp_path):
    data = Synthetic(**DATA, num_classes=arguments.get("num_classes", 10))
    trainer = L.Trainer(max_epochs=2, default_root_dir=tmp_path, accelerator="cpu", **QUIET)
    model = kind(**arguments)
    trainer.fit(model, data)
    (checkpoint,) = tmp_path.rglob("*.ckpt")
    loaded = kind.load_from_checkpoint(checkpoint)
    assert same(loaded.network, model.network)
    assert (loaded.seed, loaded.num_classes, vars(loaded.recipe)) == (
        model.seed,
        model.num_classes,
        {**vars(model.recipe), "built_with": loaded.recipe.built_with},
    )
    L.Trainer(accelerator="cpu", **QUIET).validate(loaded, data, verbose=False)
    assert loaded.epoch_metrics == {name: model.epoch_metrics[name] for name in loaded.epoch_metrics}
    assert kind.load_from_checkpoint(checkpoint, learning_rate=0.5, recipe=None).recipe.learning_rate == 0.5


@pytest.mark.parametrize(
    ("model", "data"),
    [({"image_shape": (1, 28, 28)}, {}), ({"num_classes": 4}, {}), ({}, {"num_classes": 30})],
    ids=["shape", "fewer classes", "more classes"],
)
def test_a_model_for_other_images_is_refused_in_words(model, data):
    trainer = L.Trainer(max_epochs=1, accelerator="cpu", enable_checkpointing=False, **QUIET)
    with pytest.raises(UserError, match=r"Use MLP\(image_shape=\(3, 28, 28\), num_classes="):
        trainer.fit(MLP(hidden_sizes=[4], **model), Synthetic(**DATA, **data))
    assert trainer.global_step == 0


def test_a_run_is_loaded_in_a_line(fit, runs, tmp_path):
    trained = fit(*SMALL, "--trainer.max_epochs", "3", "--checkpoint.keep_epochs", "[1, 2]")
    run = rethink.load_run(trained.run_id)
    images = run.data.load().test_images
    predicted = run.predict(images)
    labels = run.data.splits["test_randomized"].labels
    assert float((predicted.argmax(1) == labels).double().mean()) == trained.final("test/accuracy")
    assert predicted.sum(1).allclose(torch.ones(len(images)))
    assert run.history["epoch"] == [1, 2, 3]
    assert run.record["run_id"] == trained.run_id
    assert run.setting.architecture == "MLP 1x4"
    first = rethink.load_run(trained.path, weights=1)
    assert not same(first.model.network, run.model.network)
    best = trained.record["best_test_accuracy"]["test"]["epoch"]
    chosen = rethink.load_run(trained.path, weights="best")
    assert same(chosen.model.network, rethink.load_run(trained.path, "final" if best == 3 else best).model.network)
    with pytest.raises(UserError, match="no such run"):
        rethink.load_run("0123456789ab")


@pytest.mark.slow
def test_each_line_works_in_a_process_of_its_own(fit, runs, tmp_path):
    trained = fit(*SMALL, "--trainer.max_epochs", "1")
    run = rethink.load_run(trained.run_id)
    predicted = run.predict(run.data.load().test_images)
    program = tmp_path / "script.py"
    program.write_text(SCRIPT)
    done = subprocess.run(
        [sys.executable, program, trained.run_id],
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[1]), "RETHINK_RUNS": str(runs)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0] == str(predicted.argmax(1).tolist())
