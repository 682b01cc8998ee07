"""Recipes: the rate that was asked for trains, in all weights, after a kill too; what would do nothing is refused."""

import math
import signal

import pytest
import torch
from examples.sign_descent import SignDescent
from processes import fork, kill_at_step
from test_resume import assert_same, result
from test_resume import train as train_by_command
from test_training import Steps, train, weights

from rethink.analyses.networks import at_the_end
from rethink.data import Synthetic
from rethink.data.batches import TrainingBatches
from rethink.errors import UserError
from rethink.models import MLP, SmallInception
from rethink.training.recipes import SGD, Adam, RMSProp
from rethink.training.step import sgd_step

DATA = {"num_train": 64, "num_test": 16, "batch_size": 16, "steps_per_call": 1}


@pytest.mark.parametrize("kind", [SGD, Adam, RMSProp, SignDescent], ids=lambda kind: kind.__name__)
def test_the_rate_that_was_asked_for_trains(kind):
    model, steps = MLP([8], recipe=kind(learning_rate=0.003)), Steps()
    start = weights(model)
    train(model, Synthetic(**DATA), steps, max_epochs=2)
    assert steps.rates == [0.003] * 8
    assert model.epoch_metrics["learning_rate"] == 0.003
    assert all(not torch.equal(value, start[name]) for name, value in weights(model).items())


def test_adam_is_torchs_adam():
    data, model = Synthetic(**DATA), MLP([8], recipe=Adam(learning_rate=0.01), weight_decay=0.1)
    ours = MLP([8])
    train(model, data, max_epochs=1)
    parameters = list(ours.network.parameters())
    groups = [{"params": parameters[1::2], "weight_decay": 0.0}, {"params": parameters[::2], "weight_decay": 0.1}]
    optimizer = torch.optim.Adam(groups, lr=0.01)
    for block in TrainingBatches(data.splits["train"], 16, 0, 1, 0, 1, lambda: (0, 0)):
        for batch in block:
            sgd_step(ours.network, optimizer, batch.prepare(ours.switches), batch.labels, weight=1 / 16)
    for name, value in weights(ours).items():
        torch.testing.assert_close(weights(model)[name], value, rtol=1e-5, atol=1e-7)


def test_schedules():
    def rates(**options):
        return [SGD(1.0, **options).factor(step) for step in range(5)]

    assert rates() == [1.0] * 5
    assert rates(schedule="exponential", decay=0.5, decay_steps=2) == [1, 1, 0.5, 0.5, 0.25]
    assert rates(schedule="exponential", decay=0.25, decay_steps=2, staircase=False) == [1, 0.5, 0.25, 0.125, 0.0625]
    cosine = [(1 + math.cos(math.pi * step / 4)) / 2 for step in range(5)]
    assert rates(schedule="cosine", cosine_steps=4) == pytest.approx(cosine)
    assert SGD(1.0, schedule="cosine", cosine_steps=4).factor(9) == 0
    assert rates(warmup_steps=3) == [0.25, 0.5, 0.75, 1, 1]
    with pytest.raises(UserError, match="cosine_steps"):
        SGD(schedule="cosine")


def test_the_papers_recipe_is_the_default_and_the_same_as_an_object():
    ends = []
    for switches in (
        {"learning_rate": 0.02, "decay": 0.5, "decay_steps": 3},
        {"recipe": SGD(0.02, schedule="exponential", decay=0.5, decay_steps=3)},
    ):
        model = MLP([8], **switches)
        train(model, Synthetic(**DATA), max_epochs=2)
        ends.append(weights(model))
    assert all(torch.equal(value, ends[1][name]) for name, value in ends[0].items())


@pytest.mark.parametrize("option", [{"momentum": 0.5}, {"learning_rate": 0.02}, {"staircase": False}, {"decay": 0.9}])
def test_an_option_that_the_recipe_does_not_use_is_refused(option):
    (name,) = option
    with pytest.raises(UserError, match=rf"^--model\.{name} .* is not used by the recipe Adam\. [^\n]*$"):
        MLP([4], recipe=Adam(), **option)
    SmallInception(recipe=Adam(), learning_rate=0.1)  # its own default


def test_label_smoothing_is_in_the_training_loss_only():
    losses = {}
    for smoothing in (0.0, 0.5):
        model = MLP([8], recipe=SGD(1e-9, label_smoothing=smoothing))
        train(model, Synthetic(**DATA), max_epochs=1)
        losses[smoothing] = model.epoch_metrics
    assert losses[0.0]["train/loss"] == pytest.approx(losses[0.5]["train/loss"], rel=1e-5)
    assert losses[0.0]["online/loss"] != pytest.approx(losses[0.5]["online/loss"], rel=1e-4)


def test_averaged_weights_are_evaluated_and_others_trained():
    model, plain = (MLP([8], recipe=SGD(0.05, average=average)) for average in (0.9, None))
    for network in (model, plain):
        train(network, Synthetic(**DATA), max_epochs=2)
    assert all(torch.equal(value, weights(plain)[name]) for name, value in weights(model).items())
    assert model.epoch_metrics["online/loss"] == plain.epoch_metrics["online/loss"]
    assert model.epoch_metrics["train/loss"] != plain.epoch_metrics["train/loss"]
    assert model.num_parameters() == plain.num_parameters()


def test_the_average_moves_by_its_decay_and_faster_at_first():
    average, network = torch.nn.Linear(1, 1), torch.nn.Linear(1, 1)
    for step, weight in ((0, 0.9), (10_000, 0.1)):
        average.weight.data.fill_(0.0)
        network.weight.data.fill_(1.0)
        SGD(average=0.9).update_average(average, network, step)
        assert average.weight.item() == pytest.approx(weight)


# By the command line.

ADAM = ("--model.recipe", "Adam", "--model.recipe.learning_rate", "0.004", "--model.recipe.average", "0.9")


def test_a_killed_run_of_another_recipe_ends_as_an_undisturbed_one(tmp_path):
    def interrupted() -> None:
        kill_at_step(14)
        train_by_command(tmp_path / "killed", *ADAM)

    assert fork(lambda: train_by_command(tmp_path / "whole", *ADAM)) == 0
    assert fork(interrupted) == -signal.SIGKILL
    assert fork(lambda: train_by_command(tmp_path / "killed", *ADAM)) == 0
    assert_same(result(tmp_path / "killed"), result(tmp_path / "whole"))
    assert set(result(tmp_path / "whole")[1]["learning_rate"]) == {0.004}


def test_a_recipe_is_a_run_of_its_own_and_its_network_is_read_back(fit):
    options = ("--data", "Synthetic", "--model", "MLP", "--model.hidden_sizes", "[8]", "--trainer.max_epochs", "2")
    recipes = ((), ADAM, ("--model.recipe", "examples.sign_descent.SignDescent"))
    runs = [fit(*options, *recipe) for recipe in recipes]
    assert len({run.run_id for run in runs}) == 3
    for run in runs:
        network = at_the_end(run)
        loss = torch.nn.functional.cross_entropy(network.logits(network.train), network.train.labels)
        assert float(loss) == pytest.approx(run.final("train/loss"), rel=1e-5)
