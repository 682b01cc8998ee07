"""The mechanism of training: batches, learning rate, the SGD step, counters, dropout, the budget."""

import math
import tempfile
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from lightning.pytorch import Callback, Trainer
from torch import Tensor

from rethink import randomness
from rethink.callbacks.history import History
from rethink.data import ImageDataModule, Synthetic
from rethink.data.batches import EvaluationBatches, TrainingBatches
from rethink.data.pipelines.cifar import CifarPipeline
from rethink.data.split import ResidentSplit
from rethink.models import MLP
from rethink.models.classifier import Classifier
from rethink.models.layers import Dropout
from rethink.randomization import RandomLabels
from rethink.training import lightning_internals
from rethink.training.recipes.recipe import STEPS_PER_PAPER_EPOCH
from rethink.training.step import sgd_step


def train(
    model: Classifier, data: ImageDataModule, *callbacks: Callback, folder: Any = None, **options: Any
) -> Trainer:
    """A real fit on the CPU in float32, with nothing but these callbacks."""
    trainer = Trainer(
        accelerator="cpu",
        default_root_dir=str(folder or tempfile.gettempdir()),
        callbacks=list(callbacks),
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
        **options,
    )
    trainer.fit(model, datamodule=data)
    return trainer


def weights(model: Classifier) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in model.network.state_dict().items()}


def assert_equal(one: dict[str, Tensor], other: dict[str, Tensor]) -> None:
    assert one.keys() == other.keys()
    for name, value in one.items():
        assert torch.equal(value, other[name]), name


def split(size: int, name: str = "train") -> ResidentSplit:
    labels = torch.arange(size) % 10
    images = torch.zeros(size, 28, 28, 1, dtype=torch.uint8)
    clean, pipeline = torch.zeros(size, dtype=torch.bool), CifarPipeline(28)
    return ResidentSplit(name, labels, labels, clean, torch.arange(size), pipeline, images)


def batches(
    size: int,
    batch_size: int = 128,
    calls: int = 16,
    epoch: int = 0,
    done: int = 0,
    seed: int = 0,
    rank: int = 0,
    ranks: int = 1,
):
    return TrainingBatches(split(size), batch_size, seed, calls, rank, ranks, lambda: (epoch, done))


# Batches.


def test_an_epoch_of_cifar10_is_391_steps_and_its_last_batch_has_80():
    epoch = batches(50_000)
    blocks = list(epoch)
    sizes = [size for block in blocks for size in block.sizes]
    assert epoch.steps == len(sizes) == STEPS_PER_PAPER_EPOCH == 391
    assert sizes == [128] * 390 + [80]
    assert len(epoch) == len(blocks) == 25
    order = torch.cat([positions for block in blocks for positions in block.positions])
    assert torch.equal(order.sort().values, torch.arange(50_000))  # every example once


def order_of(**options: int) -> list[int]:
    return torch.cat([p for block in batches(300, 16, **options) for p in block.positions]).tolist()


def test_the_order_is_a_function_of_seed_and_epoch():
    assert order_of() == order_of(calls=1) == randomness.permutation(randomness.key(0, "order", 0), 300).tolist()
    assert len({tuple(order_of(seed=seed, epoch=epoch)) for seed in range(2) for epoch in range(3)}) == 6
    assert order_of(calls=4, done=3) == order_of()[3 * 4 * 16 :]  # taken up after three blocks


def test_ranks_share_the_global_batches():
    whole = [p for block in batches(75, 16) for p in block.positions]
    shares = [[p for block in batches(75, 16, rank=rank, ranks=2) for p in block.positions] for rank in (0, 1)]
    for batch, *parts in zip(whole, *shares, strict=True):
        assert sorted(torch.cat(parts).tolist()) == sorted(batch.tolist())
        assert abs(len(parts[0]) - len(parts[1])) <= 1


@pytest.mark.parametrize("ranks", [1, 2, 3])
def test_evaluation_sees_every_example_once_on_any_number_of_ranks(ranks):
    loaders = [EvaluationBatches(split(1234), 500, rank, ranks) for rank in range(ranks)]
    assert len({len(list(loader)) for loader in loaders} | {len(loader) for loader in loaders}) == 1
    seen = torch.cat([chunk.positions for loader in loaders for chunk in loader])
    assert torch.equal(seen.sort().values, torch.arange(1234))


# The learning rate.


def test_the_learning_rate_falls_by_095_every_391_steps():
    model = MLP([4])
    rates = [model.learning_rate_at(step) for step in (0, 390, 391, 781, 782, 39_099)]
    assert rates == pytest.approx([0.01, 0.01, 0.0095, 0.0095, 0.009025, 0.01 * 0.95**99], rel=1e-12)


def test_a_continuous_decay_meets_the_staircase_at_every_epoch():
    model = MLP([4], staircase=False, decay=0.999)
    assert model.learning_rate_at(391 * 7) == pytest.approx(0.01 * 0.999**7, rel=1e-12)
    assert model.learning_rate_at(100) == pytest.approx(0.01 * 0.999 ** (100 / 391), rel=1e-12)


class Steps(Callback):
    """Notes what the optimizer really did: learning rate and weights of each block."""

    def __init__(self) -> None:
        self.rates: list[float] = []

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        self.rates.append(trainer.optimizers[0].param_groups[0]["lr"])


def test_the_optimizer_really_takes_these_rates_and_a_subset_does_not_shorten_the_decay():
    model, steps = MLP([4], decay=0.5, decay_steps=5), Steps()
    trainer = train(model, Synthetic(num_train=32, num_test=4, batch_size=16, steps_per_call=1), steps, max_epochs=6)
    assert trainer.global_step == 12  # SGD steps, though Lightning stepped no optimizer
    assert steps.rates == [0.01] * 5 + [0.005] * 5 + [0.0025] * 2
    assert model.epoch_metrics["learning_rate"] == 0.0025


# The SGD step, by hand.


def by_hand(model: MLP, data: Synthetic, epochs: int) -> tuple[list[dict[str, Tensor]], list[float]]:
    """The same training as a bare loop: torch's own SGD on the mean cross-entropy of each batch."""
    data.setup()
    train_set = data.splits["train"]
    optimizer = torch.optim.SGD(model.network.parameters(), lr=0.01, momentum=0.9)
    states, means = [], []
    for epoch in range(epochs):
        order = randomness.permutation(randomness.key(data.seed, "order", epoch), len(train_set))
        total = 0.0
        for first in range(0, len(order), data.batch_size):
            batch = torch.from_numpy(order[first : first + data.batch_size])
            loss = F.cross_entropy(model(train_set.prepare(batch)), train_set.labels[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(batch)
        states.append(weights(model))
        means.append(total / len(train_set))
    return states, means


OPTIONS: dict[str, Any] = {
    "num_train": 90,
    "num_test": 10,
    "batch_size": 16,
    "seed": 3,
}  # 5 batches of 16, one of 10


def test_training_is_a_plain_loop_around_torchs_sgd(tmp_path):
    model, history = MLP([8], seed=1), History()
    train(model, Synthetic(randomization=RandomLabels(), **OPTIONS), history, max_epochs=3, folder=tmp_path)
    states, means = by_hand(MLP([8], seed=1), Synthetic(randomization=RandomLabels(), **OPTIONS), 3)
    for name, value in weights(model).items():
        torch.testing.assert_close(value, states[-1][name], rtol=1e-4, atol=1e-6)
    # The online mean weighs by examples: the last batch of 10 does not count as much as one of 16.
    assert [row["online/loss"] for row in history.rows] == pytest.approx(means, rel=1e-5)
    # The training loss is that of the weights at the end of the epoch, not the mean along it.
    data = Synthetic(randomization=RandomLabels(), **OPTIONS)
    data.setup()
    for row, state in zip(history.rows, states, strict=True):
        model.network.load_state_dict(state)
        logits = model(data.splits["train"].prepare(torch.arange(90)))
        loss = F.cross_entropy(logits, data.splits["train"].labels)
        assert row["train/loss"] == pytest.approx(loss.item(), rel=1e-4)
        accuracy = (logits.argmax(1) == data.splits["train"].labels).double().mean()
        assert row["train/accuracy"] == pytest.approx(float(accuracy))


def test_the_step_returns_sums_from_before_the_update():
    network = torch.nn.Linear(3, 2, bias=False)
    network.weight.data = torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    images, labels = torch.tensor([[1.0, 0.0, 0.0], [0.0, 2.0, 0.0]]), torch.tensor([0, 0])
    optimizer = torch.optim.SGD(network.parameters(), lr=1.0)
    loss, correct = sgd_step(network, optimizer, images, labels, weight=0.5)
    assert float(loss) == pytest.approx(math.log(1 + math.exp(-1)) + math.log(1 + math.exp(2)))
    assert int(correct) == 1
    wrong = [1 / (1 + math.e), 1 / (1 + math.exp(-2))]  # probability of the wrong class of each
    expected = [[1 + 0.5 * wrong[0], 0.5 * 2 * wrong[1], 0], [-0.5 * wrong[0], 1 - 0.5 * 2 * wrong[1], 0]]
    torch.testing.assert_close(network.weight.data, torch.tensor(expected))


# What must not change the result.

RICH: dict[str, Any] = {
    "dropout": 0.3,
    "augmentation": "random_crop_flip_rotate",
    "weight_decay": 1e-3,
    "seed": 5,
}


def test_the_number_of_steps_in_a_call_does_not_change_a_bit():
    ends = []
    for calls in (1, 4, 16):
        model = MLP([16], **RICH)
        trainer = train(model, Synthetic(**OPTIONS, steps_per_call=calls), max_epochs=2)
        assert trainer.global_step == 12
        ends.append(weights(model) | {k: torch.tensor(v) for k, v in model.epoch_metrics.items()})
    assert_equal(ends[0], ends[1])
    assert_equal(ends[0], ends[2])


def test_the_same_seeds_train_the_same_weights_whatever_the_global_generators_do():
    ends = []
    for state in (1, 2):
        torch.manual_seed(state)
        np.random.seed(state)  # noqa: NPY002
        model = MLP([16], **RICH)
        train(model, Synthetic(**OPTIONS), max_epochs=2)
        ends.append(weights(model))
    assert_equal(*ends)


@pytest.mark.parametrize("where", ["model", "data"])
def test_another_seed_trains_other_weights(where):
    ends = []
    for seed in (3, 4):
        seeds = {"model": 3, "data": 3} | {where: seed}
        model = MLP([16], seed=seeds["model"])
        train(model, Synthetic(**OPTIONS | {"seed": seeds["data"]}), max_epochs=1)
        ends.append(weights(model)["layers.0.weight"])
    assert not torch.equal(*ends)


# The budget.


@pytest.mark.parametrize(("max_steps", "epochs"), [(1, 1), (5, 1), (6, 1), (7, 2), (14, 3)])
def test_a_budget_of_steps_is_exact_and_ends_with_an_evaluation(max_steps, epochs, tmp_path):
    ends = []
    for calls in (1, 4):
        model, history = MLP([8]), History()
        data = Synthetic(**OPTIONS, steps_per_call=calls)
        trainer = train(model, data, history, max_steps=max_steps, max_epochs=-1, folder=tmp_path)
        assert trainer.global_step == max_steps
        assert [row["step"] for row in history.rows] == [min(6 * (e + 1), max_steps) for e in range(epochs)]
        assert all({"train/loss", "online/loss", "test/accuracy"} <= row.keys() for row in history.rows)
        ends.append(weights(model) | {k: torch.tensor(v) for k, v in model.epoch_metrics.items()})
    assert_equal(*ends)


def test_an_epoch_that_is_not_evaluated_has_empty_cells(tmp_path):
    history = History()
    train(MLP([4]), Synthetic(**OPTIONS), history, max_epochs=4, check_val_every_n_epoch=2, folder=tmp_path)
    assert ["train/loss" in row for row in history.rows] == [False, True, False, True]
    assert all("online/loss" in row for row in history.rows)
    header, *lines = [line.split(",") for line in (tmp_path / "history.csv").read_text().splitlines()]
    cells = [dict(zip(header, line, strict=True)) for line in lines]
    assert [row["train/accuracy"] == "" for row in cells] == [True, False, True, False]
    assert [row["test/loss"] == "" for row in cells] == [True, False, True, False]
    assert [row["epoch"] for row in cells] == ["1", "2", "3", "4"]


# Dropout masks.


def test_dropout_masks_differ_between_layers_and_steps_and_follow_the_seed():
    masks: dict[int, list[Tensor]] = {}

    def note(number: int):
        def hook(layer: Dropout, inputs: tuple[Tensor], output: Tensor) -> None:
            if layer.training:
                masks.setdefault(number, []).append(torch.where(inputs[0] > 0, output > 0, -1))

        return hook

    def fit(seed: int) -> list[Tensor]:
        masks.clear()
        model = MLP([64, 64], dropout=0.5, seed=seed)
        for number, layer in enumerate(m for m in model.network.modules() if isinstance(m, Dropout)):
            layer.register_forward_hook(note(number))
        train(model, Synthetic(**OPTIONS | {"batch_size": 90}), max_epochs=2)
        assert {number: len(of_layer) for number, of_layer in masks.items()} == {0: 2, 1: 2}
        return [*masks[0], *masks[1]]

    first, again, other = fit(1), fit(1), fit(2)
    assert all(map(torch.equal, first, again))
    for i, one in enumerate(first):
        for two in (*first[:i], other[i]):
            both = (one >= 0) & (two >= 0)  # units that dropout saw at work
            agreement = (one == two)[both].double().mean()
            assert abs(agreement - 0.5) < 4 * 0.5 / math.sqrt(int(both.sum()))


# The doors into Lightning that have no handle (rethink/training/lightning_internals.py).


def test_the_contract_with_lightning():
    seen: list[tuple[int, int, bool]] = []

    class Watch(Callback):
        def on_train_epoch_start(self, trainer, pl_module):
            assert lightning_internals.position(trainer) == (trainer.current_epoch, 0)

        def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
            seen.append((trainer.global_step, batch.epoch, lightning_internals.ends_epoch(trainer)))

    train(MLP([4]), Synthetic(**OPTIONS, steps_per_call=4), Watch(), max_epochs=2)
    assert seen == [(4, 0, False), (6, 0, True), (10, 1, False), (12, 1, True)]
