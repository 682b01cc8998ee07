"""What batch norm normalizes by in the evaluation is an option: it changes nothing of training."""

import pytest
import torch
from lightning.pytorch import Trainer
from test_training import assert_equal, train, weights
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from rethink.analyses.networks import at_the_end
from rethink.callbacks.batch_norm_statistics import BatchNormStatistics
from rethink.cli import main
from rethink.data import Synthetic
from rethink.errors import UserError
from rethink.models import MLP, WideResNet
from rethink.models.evaluation_statistics import own_moments, recompute, training_images
from rethink.models.layers import BatchNorm

OPTIONS = [
    *("--data", "Synthetic", "--data.num_train", "64", "--data.num_test", "40", "--data.batch_size", "16"),
    *("--model", "WideResNet", "--model.depth", "10", "--model.augmentation", "random_crop"),
    *("--trainer.max_epochs", "2"),
]
RECOMPUTED = ["--model.evaluation_statistics", "recomputed", "--model.statistics_size", "32"]


def noise(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_by_its_own_moments_a_batch_is_normalized_as_in_training_and_the_running_ones_stay():
    norm = BatchNorm(4, scale=True)
    nn.init.normal_(norm.bias)
    x = 3 * noise(6, 4, 5, 5) + 1
    trained = norm(x)
    before = {name: value.clone() for name, value in norm.state_dict().items()}
    norm.eval()
    by_running = norm(x)
    with own_moments(norm):
        torch.testing.assert_close(norm(x), trained)
        assert norm(x[:0]).shape == (0, 4, 5, 5)  # a rank without a batch
    assert torch.equal(norm(x), by_running)
    assert_equal(dict(norm.state_dict()), before)


def test_recomputed_moments_of_whole_batches_are_those_of_all_their_images():
    """With batches of one size, the average of means and of second moments is that of the images together."""
    network = nn.Sequential(BatchNorm(4), nn.ReLU(), BatchNorm(4)).eval()
    x = 3 * noise(60, 4, 5, 5) + 1
    recompute(network, x.split(20))
    mean, variance = network[0].evaluated_by
    torch.testing.assert_close(mean, x.mean((0, 2, 3)))
    torch.testing.assert_close(variance, x.var((0, 2, 3), correction=0))
    # The second layer sees what the first gives for a batch that is normalized by its own moments.
    normalized = torch.cat(
        [nn.functional.batch_norm(b, None, None, training=True, eps=1e-3).relu() for b in x.split(20)]
    )
    torch.testing.assert_close(
        network[2].evaluated_by[1], normalized.var((0, 2, 3), correction=0), rtol=1e-4, atol=1e-5
    )
    assert torch.equal(network[0].running_mean, torch.zeros(4))


@pytest.mark.parametrize(("size", "batches"), [(1, 1), (32, 2), (40, 2), (1000, 4)])
def test_statistics_are_of_whole_batches_of_different_training_images(size, batches):
    data = Synthetic(num_train=64, num_test=20)
    data.setup()
    model = MLP(augmentation="random_crop")
    images = [*training_images(data.splits["train"], model.switches, size, 16, seed=0)]
    again = [*training_images(data.splits["train"], model.switches, size, 16, seed=0)]
    assert [len(batch) for batch in images] == [16] * batches
    assert torch.equal(torch.cat(images), torch.cat(again))
    assert len(torch.cat(images).flatten(1).unique(dim=0)) == 16 * batches


def test_other_statistics_make_another_run_of_the_same_weights(fit, capsys):
    usual, recomputed, batch = fit(*OPTIONS), fit(*OPTIONS, *RECOMPUTED), fit(*OPTIONS, *RECOMPUTED[:1], "batch")
    final = [torch.load(run.path / "checkpoints" / "final.ckpt") for run in (usual, recomputed, batch)]
    assert_equal(final[1]["state_dict"], final[0]["state_dict"])
    assert_equal(final[2]["state_dict"], final[0]["state_dict"])
    assert len({run.run_id for run in (usual, recomputed, batch)}) == 3
    assert "evaluation statistics recomputed" in recomputed.setting.label
    for name in ("online/loss", "learning_rate"):
        assert recomputed.history[name] == usual.history[name] == batch.history[name]
    losses = [run.final("test/loss") for run in (usual, recomputed, batch)]
    assert len(set(losses)) == 3

    # They are a function of the weights: whoever reads the run has the network that was measured.
    capsys.readouterr()
    main(["test", "--config", "configs/base.yaml", "--precision", "32-true", *OPTIONS, *RECOMPUTED])
    assert f"{losses[1]:.6g}" in capsys.readouterr().out
    network = at_the_end(recomputed)
    split = network.data.splits["test_randomized"]
    loss = nn.functional.cross_entropy(network.logits(split), split.labels)
    assert float(loss) == pytest.approx(losses[1], rel=1e-5)
    with pytest.raises(UserError, match="by the moments of every batch"):
        at_the_end(batch)


def test_training_goes_on_by_the_batches_after_an_evaluation_by_others():
    models = [WideResNet(depth=10, evaluation_statistics=way) for way in ("running", "recomputed", "batch")]
    for model in models:
        train(model, Synthetic(num_train=48, num_test=16, batch_size=16), max_epochs=2)
    assert_equal(weights(models[0]), weights(models[1]))
    assert_equal(weights(models[0]), weights(models[2]))


def test_a_choice_that_cannot_be_followed_is_refused():
    with pytest.raises(UserError, match="no batch norm"):
        train(MLP(evaluation_statistics="recomputed"), Synthetic(num_train=32, num_test=16), max_epochs=1)
    images = DataLoader(TensorDataset(noise(16, 3, 28, 28), torch.arange(16) % 10), batch_size=8)
    model = WideResNet(depth=10, evaluation_statistics="recomputed")
    trainer = Trainer(accelerator="cpu", logger=False, enable_progress_bar=False, max_epochs=1)
    with pytest.raises(UserError, match="needs a data module of this package"):
        trainer.validate(model, images, verbose=False)


# The measurement of all ways on the same weights, experiments/batch_norm_statistics.


def test_all_ways_are_measured_on_the_same_weights_which_stay_as_they_are(tmp_path):
    data = {"num_train": 64, "num_test": 20, "batch_size": 16}
    plain, watched = WideResNet(depth=10), WideResNet(depth=10)
    statistics = BatchNormStatistics(momenta=[0.1, 0.5], images=32, recomputed=64)
    train(plain, Synthetic(**data), max_epochs=2, folder=tmp_path)
    train(watched, Synthetic(**data), statistics, max_epochs=2, folder=tmp_path)
    assert_equal(weights(watched), weights(plain))
    rows = statistics.summary()["rows"]
    ways = ["running 0.1", "running 0.5", "recomputed", "batch"]
    assert [(row["epoch"], row["statistics"]) for row in rows] == [(epoch, way) for epoch in (1, 2) for way in ways]
    assert len({row["train/loss"] for row in rows}) == 8

    # The average without its start, by hand from that with it: a * 0.9^t + (1 - 0.9^t) * average of the batches.
    name, averages = [*statistics.averages.items()][-1]
    layer, whole = watched.network.get_submodule(name), 1 - 0.9**8
    mean, variance = averages[0]
    torch.testing.assert_close(mean / whole, layer.running_mean / whole)
    torch.testing.assert_close(variance / whole, (layer.running_variance - (1 - whole)) / whole, rtol=1e-4, atol=1e-5)
