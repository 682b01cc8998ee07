"""A model trains on the (images, labels) of any DataLoader, and data need not be in memory."""

import csv

import pytest
import torch
from examples.streamed import Streamed, write
from lightning.pytorch import Trainer, seed_everything
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger
from test_training import assert_equal, train, weights
from torch.utils.data import DataLoader, TensorDataset

from rethink.analyses.networks import at_the_end
from rethink.callbacks.best_test_accuracy import BestTestAccuracy
from rethink.callbacks.convergence import Convergence
from rethink.callbacks.label_corruption import LabelCorruption
from rethink.data import ImageDataModule, Synthetic
from rethink.errors import UserError
from rethink.models import MLP
from rethink.randomization import GaussianPixels, RandomLabels, RandomPixels
from rethink.training.recipes import Adam


def loader(size: int, batch_size: int = 16) -> DataLoader:
    """Images whose class is the sign of their mean, in a fixed order."""
    images = torch.randn(size, 3, 8, 8, generator=torch.Generator().manual_seed(size))
    labels = torch.arange(size) % 2
    return DataLoader(TensorDataset(images + labels[:, None, None, None] - 0.5, labels), batch_size)


def small(**switches) -> MLP:
    return MLP([8], image_shape=(3, 8, 8), num_classes=2, seed=3, dropout=0.2, **switches)


def fit(folder, epochs: int, *callbacks, checkpoint=None, **switches) -> tuple[MLP, Trainer]:
    model = small(**switches)
    trainer = Trainer(
        accelerator="cpu",
        max_epochs=epochs,
        logger=CSVLogger(folder),
        callbacks=[ModelCheckpoint(folder, save_last=True), *callbacks],
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(model, loader(90), loader(40), ckpt_path=checkpoint)
    return model, trainer


def test_plain_batches_train_and_validate_with_a_stock_trainer(tmp_path):
    measurements = (Convergence(), BestTestAccuracy(), LabelCorruption())
    model, trainer = fit(tmp_path, 8, *measurements, learning_rate=0.05)
    assert trainer.global_step == 8 * 6  # five batches of 16 and one of 10
    assert {"train/loss", "train/accuracy", "validation/loss", "validation/accuracy"} <= model.epoch_metrics.keys()
    assert model.epoch_metrics["validation/accuracy"] > 0.9
    with open(trainer.logger.log_dir + "/metrics.csv") as file:
        rows = list(csv.DictReader(file))
    losses = [float(row["train/loss"]) for row in rows if row["train/loss"]]
    assert len(losses) == 8
    assert losses[-1] < losses[0] / 2
    assert sum(bool(row["validation/accuracy"]) for row in rows) == 8
    assert measurements[0].outcome == "converged"
    (measured,) = trainer.validate(model, loader(40), verbose=False)
    assert measured["validation/accuracy"] == pytest.approx(model.epoch_metrics["validation/accuracy"])
    (measured,) = trainer.test(model, loader(40), verbose=False)
    assert measured["test/accuracy"] == pytest.approx(model.epoch_metrics["test/accuracy"])
    predicted = torch.cat([batch["predicted"] for batch in trainer.predict(model, loader(40))])
    assert len(predicted) == 40


@pytest.mark.parametrize("recipe", [None, {"learning_rate": 0.01, "average": 0.9}], ids=["the paper's", "Adam"])
def test_a_stock_checkpoint_goes_on_to_the_same_last_bit(tmp_path, recipe):
    switches = {"recipe": recipe and Adam(**recipe)}
    whole, trainer = fit(tmp_path / "whole", 4, **switches)
    fit(tmp_path / "half", 2, **switches)
    resumed, again = fit(tmp_path / "half", 4, checkpoint=tmp_path / "half" / "last.ckpt", **switches)
    assert again.global_step == trainer.global_step == 24
    assert_equal(weights(resumed), weights(whole))
    if recipe:
        assert_equal(resumed.average.state_dict(), whole.average.state_dict())
    assert resumed.epoch_metrics == whole.epoch_metrics


def test_what_is_no_batch_or_would_do_nothing_is_refused(tmp_path):
    trainer = Trainer(accelerator="cpu", max_epochs=1, logger=False, enable_checkpointing=False, barebones=True)
    with pytest.raises(UserError, match="two tensors"):
        trainer.fit(small(), DataLoader(torch.zeros(4, 3, 8, 8), 2))
    with pytest.raises(UserError, match="Let the DataLoader augment"):
        trainer.fit(small(augmentation="random_crop"), loader(16))


# Images that are not in memory.


EVERY = [RandomLabels(1), RandomPixels(1), GaussianPixels(1)]


@pytest.mark.parametrize("randomization", EVERY, ids=lambda r: type(r).__name__)
def test_streamed_images_train_as_resident_ones(tmp_path, randomization):
    resident = Synthetic(num_train=64, num_test=20, randomization=randomization, batch_size=16)
    write(tmp_path, resident)
    streamed = Streamed(root=tmp_path, randomization=randomization, batch_size=16)
    ends = []
    for data in (resident, streamed):
        model = MLP([8])
        train(model, data, max_epochs=2)
        ends.append(weights(model) | {name: torch.tensor(value) for name, value in model.epoch_metrics.items()})
    assert streamed.digests == resident.digests
    assert_equal(*ends)


def test_shape_and_classes_are_facts_of_the_loaded_data():
    data = ImageDataModule()
    arrays = Synthetic(num_train=30, num_test=5, num_classes=7).load()
    data.load = lambda: arrays
    assert data.image_shape == (3, 28, 28)
    assert data.num_classes == 7
    data.setup()
    assert data.splits["train"].labels.max() == 6
    with pytest.raises(AttributeError, match="no attribute 'image_shapes'"):
        _ = data.image_shapes


class Folder(ImageDataModule):
    """A data set of one's own that says nothing but its images."""

    def load(self):
        return Synthetic(num_train=40, num_test=10, num_classes=5).load()


def test_a_run_on_a_data_set_that_does_not_say_its_shape_is_read_back(fit):
    run = fit("--data", "test_plain_batches.Folder", "--model", "MLP", "--trainer.max_epochs", "1")
    network = at_the_end(run)
    assert (network.model.image_shape, network.model.num_classes) == ((3, 28, 28), 5)
    assert network.logits(network.train).shape == (40, 5)


def test_a_trainer_of_ones_own_logs_our_data_and_seeds_it(tmp_path, monkeypatch):
    monkeypatch.setenv("PL_GLOBAL_SEED", "0")  # put back afterwards
    losses = set()
    for seed in (1, 2, 3, 3):
        seed_everything(seed)
        logger = CSVLogger(tmp_path, name=str(seed), version=0)
        trainer = Trainer(max_epochs=2, logger=logger, enable_progress_bar=False, accelerator="cpu", devices=1)
        trainer.fit(MLP(hidden_sizes=[8]), Synthetic(num_train=60, num_test=20, randomization=RandomLabels()))
        logger.finalize("success")
        *_, row = csv.DictReader((tmp_path / str(seed) / "version_0" / "metrics.csv").open())
        assert {"train/loss", "train/accuracy", "test/accuracy", "test_randomized/accuracy"} <= row.keys()
        losses.add(row["train/loss"])
    assert len(losses) == 3
