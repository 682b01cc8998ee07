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
from rethink.training.recipes import SGD, Adam, AdamW, RMSProp, TensorFlowRMSProp
from rethink.training.step import sgd_step

DATA = {"num_train": 64, "num_test": 16, "batch_size": 16, "steps_per_call": 1}


RECIPES = [SGD, Adam, AdamW, RMSProp, TensorFlowRMSProp, SignDescent]


@pytest.mark.parametrize("kind", RECIPES, ids=lambda kind: kind.__name__)
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


def _steps(recipe, weight_decay: float, gradients: list[float], rates: list[float]) -> list[float]:
    """A weight of 2.0 after each of some steps."""
    weight, after = torch.nn.Parameter(torch.tensor([2.0], dtype=torch.float64)), []
    optimizer = recipe.optimizer([{"params": [weight], "weight_decay": weight_decay}])
    for gradient, rate in zip(gradients, rates, strict=True):
        optimizer.param_groups[0]["lr"] = rate
        weight.grad = torch.full_like(weight, gradient)
        optimizer.step()
        after.append(weight.item())
    return after


def test_tensorflows_rmsprop_by_hand():
    """ms += (g^2 - ms)(1 - rho); mom = mom momentum + lr g / sqrt(ms + eps); var -= mom; at first ms 1."""
    decay, gradients, rates = 0.1, [0.5, -1.0, 0.25], [0.045, 0.045, 0.045 * 0.94]
    square, velocity, weight, expected = 1.0, 0.0, 2.0, []
    for gradient, rate in zip(gradients, rates, strict=True):
        g = gradient + decay * weight
        square += (g * g - square) * (1 - 0.9)
        velocity = velocity * 0.9 + rate * g / math.sqrt(square + 1.0)
        weight -= velocity
        expected.append(weight)
    ours = _steps(TensorFlowRMSProp(), decay, gradients, rates)
    assert ours == pytest.approx(expected, rel=1e-12)
    # The first step with nothing but numbers: ms = 0.9 + 0.1 * 0.49 = 0.949, 0.045 * 0.7 / sqrt(1.949) = 0.022563...
    assert ours[0] == pytest.approx(2 - 0.0315 / 1.949**0.5, rel=1e-12)
    torchs = _steps(RMSProp(0.045, 0.9, 0.9, 1.0), decay, gradients, rates)
    assert torchs[0] == pytest.approx(2 - 0.0315 / (0.049**0.5 + 1), rel=1e-12)  # epsilon outside, ms from 0


def test_adamw_takes_the_weight_decay_out_of_the_gradient():
    first = 0.01 * 0.5 / (0.5 + 1e-8)  # Adam's first step is the rate, whatever the gradient is
    assert _steps(AdamW(0.01), 0.3, [0.5], [0.01]) == pytest.approx([2 * (1 - 0.01 * 0.3) - first])
    assert _steps(Adam(0.01), 0.3, [0.5], [0.01]) == pytest.approx([2 - 0.01])


@pytest.mark.parametrize(
    ("options", "rate"),
    [({}, 0.08), ({"rate_batch": 32}, 0.04), ({"rate_batch": 4, "rate_scaling": "square_root"}, 0.16)],
)
def test_the_rate_is_scaled_for_the_global_batch(options, rate):
    model, steps = MLP([8], recipe=SGD(0.08, **options)), Steps()
    train(model, Synthetic(**DATA), steps, max_epochs=1)  # batches of 16
    assert steps.rates == pytest.approx([rate] * 4)
    with pytest.raises(UserError, match="needs a data module"):
        SGD(rate_batch=32).for_data(None)


def test_steps_can_be_counted_in_epochs():
    decay = {"schedule": "exponential", "decay": 0.5, "decay_steps": 2}
    model, steps = MLP([8], recipe=SGD(1e-3, **decay, in_epochs=True)), Steps()
    train(model, Synthetic(**DATA | {"num_train": 60}), steps, max_epochs=5)  # four steps an epoch, the last of 12
    assert steps.rates == pytest.approx([1e-3] * 8 + [5e-4] * 8 + [2.5e-4] * 4)
    recipe = SGD(1.0, schedule="cosine", cosine_steps=3, warmup_steps=1, in_epochs=True).for_data(
        model.trainer.datamodule
    )
    assert (recipe.cosine_steps, recipe.warmup_steps) == (12, 4)
    assert not recipe.depends_on_data  # so that they are not counted twice


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
