"""The networks of ImageNet: torchvision's numbers, every switch, the auxiliary head, sizes that do not fit."""

import copy
import math

import pytest
import torch
import torch.nn.functional as F
from large_images import LargeImages
from test_training import train
from torch import nn
from torchvision import models

from rethink.data import Synthetic
from rethink.errors import UserError
from rethink.models import MLP, InceptionV3, ResNet50, ViT
from rethink.models.inception_v3 import inception_v3
from rethink.models.layers import BatchNorm, Dropout, key_dropout
from rethink.training.recipes import SGD
from rethink.training.step import sgd_step

SMALL = {"aux_logits": False, "image_shape": (3, 75, 75), "num_classes": 10}
TINY_VIT = {"patch_size": 7, "layers": 2, "heads": 2, "hidden_size": 16, "mlp_size": 32, "image_shape": (3, 28, 28)}


def images(count: int, side: int) -> torch.Tensor:
    return torch.randn(count, 3, side, side, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def inception() -> InceptionV3:
    """Without the auxiliary head, for images of 75x75 and more. Tests that train take a copy."""
    return InceptionV3(**SMALL)


# Exact counts, as torchvision's, for 1,000 classes.


@pytest.mark.parametrize(
    ("model", "parameters"),
    [
        (lambda: InceptionV3(num_classes=1000), 27_161_264),
        (lambda: InceptionV3(num_classes=1000, aux_logits=False), 23_834_568),
        (lambda: InceptionV3(num_classes=1000, batch_norm_scale=False), 27_161_264 - 18_112),
        (lambda: InceptionV3(num_classes=1000, aux_logits=False, batch_norm=False), 23_834_568 - 17_216),
        (lambda: ResNet50(num_classes=1000), 25_557_032),
        (lambda: ViT(num_classes=1000), 86_567_656),
    ],
    ids=["Inception", "without its head", "without a scale", "without batch norm", "ResNet", "ViT"],
)
def test_parameter_counts_are_exact(model, parameters):
    with torch.device("meta"):  # nothing is drawn
        assert model().num_parameters() == parameters


# The numbers are torchvision's.


def torchvisions(network: nn.Module, theirs: nn.Module) -> nn.Module:
    """Their network with our weights."""
    ours = {
        name.replace("running_variance", "running_var").replace("fc.1.", "fc."): value
        for name, value in network.state_dict().items()
    }
    missing = theirs.load_state_dict(ours, strict=False)
    assert not missing.unexpected_keys
    assert all(name.endswith("num_batches_tracked") for name in missing.missing_keys)
    return theirs


def test_inception_has_torchvisions_logits_with_its_auxiliary_head():
    network = InceptionV3(num_classes=7).network
    theirs = torchvisions(network, models.Inception3(7, init_weights=False, dropout=0.0))
    with torch.no_grad():
        for ours, expected in zip(network(images(2, 299)), theirs(images(2, 299)), strict=True):
            assert ours.shape == (2, 7)
            torch.testing.assert_close(ours, expected, rtol=1e-3, atol=1e-4)
        network.eval()
        theirs.eval()
        x = images(2, 75)
        torch.testing.assert_close(network(x), theirs(x), rtol=1e-3, atol=1e-4)  # the running statistics too


@pytest.mark.parametrize(
    ("model", "theirs"),
    [
        (lambda: ResNet50(num_classes=7), lambda: models.resnet50(num_classes=7)),
        (lambda: ViT(num_classes=7, **TINY_VIT), lambda: models.VisionTransformer(28, 7, 2, 2, 16, 32, num_classes=7)),
    ],
    ids=["ResNet50", "ViT"],
)
def test_the_others_have_torchvisions_logits(model, theirs):
    network = model().network
    x = images(2, 28)
    torch.testing.assert_close(network(x), torchvisions(network, theirs())(x), rtol=1e-3, atol=1e-4)


def test_inception_starts_as_the_tensorflow_package():
    network, cut = inception_v3(1000, generator=torch.Generator().manual_seed(0)), 0.8796
    for layer, deviation in (
        (network.Mixed_6b.branch7x7_2.conv, 0.1),
        (network.fc, 0.01),
        (network.AuxLogits.conv0.conv, 0.1),
        (network.AuxLogits.conv1.conv, 0.01),
        (network.AuxLogits.fc, 0.001),
    ):
        assert layer.weight.std().item() == pytest.approx(cut * deviation, rel=0.03)
        assert layer.weight.abs().max() <= 2 * deviation


def test_the_seed_decides_inceptions_initial_weights(inception):
    torch.manual_seed(5)
    again = dict(InceptionV3(**SMALL).network.named_parameters())
    assert all(torch.equal(p, again[name]) for name, p in inception.network.named_parameters())


@pytest.mark.parametrize("kind", [ResNet50, ViT])
def test_the_seed_alone_decides_the_others_initial_weights(kind):
    options = {ViT: TINY_VIT}.get(kind, {})
    before = torch.random.get_rng_state()
    one = kind(seed=1, **options).network.state_dict()
    assert torch.equal(torch.random.get_rng_state(), before)
    torch.manual_seed(5)
    same, other = (kind(seed=seed, **options).network.state_dict() for seed in (1, 2))
    assert all(torch.equal(value, same[name]) for name, value in one.items())
    assert any(not torch.equal(value, other[name]) for name, value in one.items())


# The switches.


def test_batch_norm_can_be_switched_off_and_the_convolutions_have_biases():
    with torch.device("meta"):
        networks = InceptionV3(**SMALL, batch_norm=False).network, ResNet50(batch_norm=False).network
    for network in networks:
        assert not any(isinstance(layer, BatchNorm | nn.BatchNorm2d) for layer in network.modules())
        assert all(layer.bias is not None for layer in network.modules() if isinstance(layer, nn.Conv2d))


def test_batch_norm_is_the_packages_own_with_its_switches(inception):
    norms = [layer for layer in inception.network.modules() if isinstance(layer, BatchNorm)]
    assert len(norms) == 94
    assert not any(isinstance(layer, nn.BatchNorm2d) for layer in inception.network.modules())
    assert {(norm.epsilon, norm.momentum, norm.synchronized) for norm in norms} == {(0.001, 0.1, True)}
    with torch.device("meta"):
        other = InceptionV3(**SMALL, batch_norm_momentum=0.0003, sync_batch_norm=False, batch_norm_scale=False).network
    norms = [layer for layer in other.modules() if isinstance(layer, BatchNorm)]
    assert {(norm.momentum, norm.synchronized) for norm in norms} == {(0.0003, False)}
    assert not any(isinstance(norm.weight, nn.Parameter) for norm in norms)


@pytest.mark.parametrize(
    ("model", "layers"),
    [
        (lambda: InceptionV3(**SMALL, dropout=0.2), 1),
        (lambda: ResNet50(dropout=0.2), 1),
        (lambda: ViT(**TINY_VIT, dropout=0.2), 1 + 2 * 3),  # of the embedding; in a block one, and two of its MLP
    ],
    ids=["InceptionV3", "ResNet50", "ViT"],
)
def test_dropout_is_the_keyed_one(model, layers):
    with torch.device("meta"):
        network = model().network
    assert [layer.p for layer in network.modules() if isinstance(layer, Dropout)] == [0.2] * layers
    assert not any(isinstance(layer, nn.Dropout) for layer in network.modules())


def test_weight_decay_of_the_transformer_spares_positions_and_class_token():
    model = ViT(**TINY_VIT, weight_decay=0.1)
    names = {p: name for name, p in model.network.named_parameters()}
    spared = {
        names[p]
        for group in model.configure_optimizers().param_groups
        if not group["weight_decay"]
        for p in group["params"]
    }
    assert {"class_token", "encoder.pos_embedding"} <= spared
    assert all(p.ndim == 1 for p, name in names.items() if name in spared - {"class_token", "encoder.pos_embedding"})


def test_torch_compiles_the_network_if_asked_to(monkeypatch):
    asked = []
    monkeypatch.setattr(nn.Module, "compile", lambda self: asked.append(type(self).__name__))
    for compiled in (False, True):
        ViT(**TINY_VIT, compiled=compiled).setup("validate")
    assert asked == ["VisionTransformer"]


@pytest.mark.parametrize(
    ("build", "side"),
    [
        pytest.param(lambda on: InceptionV3(**SMALL, dropout=0.3, checkpointing=on), 75, marks=pytest.mark.slow),
        (lambda on: ResNet50(checkpointing=on), 32),
        (lambda on: ViT(**TINY_VIT, dropout=0.3, checkpointing=on), 28),
    ],
    ids=["InceptionV3", "ResNet50", "ViT"],
)
def test_gradient_checkpointing_changes_no_number(build, side):
    ends = []
    for on in (False, True):
        network = build(on).network
        optimizer = torch.optim.SGD(network.parameters(), lr=0.01)
        key_dropout(network, torch.device("cpu"), 0, 0, 0)
        sgd_step(network, optimizer, images(2, side), torch.tensor([0, 1]), weight=0.5)
        ends.append(network.state_dict())
    assert ends[0].keys() == ends[1].keys()
    for name, value in ends[0].items():
        torch.testing.assert_close(ends[1][name], value, rtol=1e-5, atol=1e-7)
    average = copy.deepcopy(network)  # its blocks are its own
    assert vars(next(b for b in average.modules() if "forward" in vars(b)))["forward"].args[0] in set(average.modules())


# The auxiliary head.


class _TwoHeads(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.main, self.head = nn.Linear(3, 4, bias=False), nn.Linear(3, 4, bias=False)

    def forward(self, x):
        return self.main(x), self.head(x)


@pytest.mark.parametrize("weight", [0.0, 0.4])
def test_the_auxiliary_loss_is_in_the_gradient_with_its_weight_and_smoothed_alike(weight):
    network, x, labels = _TwoHeads(), torch.randn(2, 3), torch.tensor([1, 3])
    before = copy.deepcopy(network)
    optimizer = torch.optim.SGD(network.parameters(), lr=1.0)
    options = {"label_smoothing": 0.1, "auxiliary_weight": weight}
    loss, correct = sgd_step(network, optimizer, x, labels, weight=0.5, **options)

    target = 0.9 * F.one_hot(labels, 4) + 0.1 / 4
    for name, factor in (("main", 1.0), ("head", weight)):
        start = getattr(before, name).weight.detach()
        gradient = (F.softmax(x @ start.T, 1) - target).T @ x * 0.5 * factor
        torch.testing.assert_close(getattr(network, name).weight.detach(), start - gradient)
    main = -(target * F.log_softmax(before.main(x), 1)).sum()
    torch.testing.assert_close(loss, main.detach())  # what is recorded is the loss of the logits
    assert correct == (before.main(x).argmax(1) == labels).sum()


# What does not fit is an error that says what does.


def test_images_that_are_too_small_are_refused():
    with pytest.raises(UserError, match=r"needs images of 299 .* these have 298 .* --model\.aux_logits false takes 75"):
        InceptionV3(image_shape=(3, 298, 320))
    with pytest.raises(UserError, match=r"needs images of 75 .* these have 74\.$"):
        InceptionV3(aux_logits=False, image_shape=(3, 74, 74))
    with pytest.raises(UserError, match="3 channels, and these have 1"):
        ResNet50(image_shape=(1, 28, 28))
    with pytest.raises(UserError, match=r"patch_size 16 divides, and these are 28x28"):
        ViT(image_shape=(3, 28, 28))
    with pytest.raises(UserError, match=r"heads 5 of ViT does not divide .*hidden_size 16"):
        ViT(**TINY_VIT | {"heads": 5})


def test_the_sizes_are_the_least_that_work(inception):
    assert inception.network.eval()(images(1, 75)).shape == (1, 10)
    with pytest.raises(RuntimeError):
        inception.network(images(1, 74))
    inception.network.train()
    with torch.device("meta"):  # shapes only; at 299 it is run above
        head = InceptionV3(num_classes=10).network
        with pytest.raises(RuntimeError):
            head(torch.zeros(2, 3, 298, 298))


# Through the same door as all.


@pytest.mark.parametrize("kind", [InceptionV3, ResNet50])
def test_the_convolutional_ones_train_and_measure_top5(kind):
    options = {"aux_logits": False} if kind is InceptionV3 else {}
    model = kind(**options, image_shape=(3, 80, 80), dropout=0.2, weight_decay=4e-5, recipe=SGD(0.01, average=0.99))
    train(model, LargeImages(num_train=8, num_test=6, batch_size=4), max_epochs=1)
    assert {"train/accuracy_top5", "test/accuracy_top5", "test_randomized/accuracy_top5"} <= model.epoch_metrics.keys()
    assert all(math.isfinite(value) for value in model.epoch_metrics.values())
    assert model.epoch_metrics["train/accuracy_top5"] >= model.epoch_metrics["train/accuracy"]


def test_top5_is_in_the_history_of_these_and_of_no_other(fit):
    vit = [f"--model.{name}={value}" for name, value in TINY_VIT.items() if name != "image_shape"]
    data = ("--data", "Synthetic", "--data.num_train", "64", "--data.num_test", "20", "--trainer.max_epochs", "2")
    labels = ("--data.randomization", "RandomLabels")
    run, other = fit("--model", "ViT", *vit, *data, *labels), fit("--model", "MLP", *data)
    assert len(run.history["test/accuracy_top5"]) == 2
    assert run.record["final"]["train/accuracy_top5"] == pytest.approx(run.history["train/accuracy_top5"][-1])
    assert not any("top5" in name for name in other.history)


def test_a_plain_network_is_measured_as_before():
    model = MLP([8])
    train(model, Synthetic(num_train=16, num_test=8, batch_size=8), max_epochs=1)
    assert not any("top5" in name for name in model.epoch_metrics)
