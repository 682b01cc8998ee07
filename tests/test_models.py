"""The architectures of Figure 3 and Appendix A: counts, initial weights, every switch, memorization.

Subjects are found, so that a new architecture is tested as soon as its file is there.
"""

import math

import pytest
import torch
from lightning.pytorch import Trainer
from test_training import train
from torch import nn

import rethink.models
from rethink.data import Synthetic
from rethink.discovery import subclasses
from rethink.errors import UserError
from rethink.models import MLP, SmallAlexNet, SmallInception, WideResNet
from rethink.models.classifier import Classifier
from rethink.models.initialization import initialize
from rethink.models.layers import BatchNorm, Conv2d
from rethink.models.mlp import MLPNetwork
from rethink.models.small_alexnet import SmallAlexNetNetwork
from rethink.models.small_inception import SmallInceptionNetwork
from rethink.models.wide_resnet import WideResNetNetwork
from rethink.randomization import GaussianPixels, RandomLabels, RandomPixels

# Those of ImageNet, which take larger images, have tests of their own: test_imagenet_models.py.
FOUND = {name: kind for name, kind in subclasses(rethink.models, Classifier).items() if kind is not Classifier}
FOUND = {name: kind for name, kind in FOUND.items() if not kind.top5}
every_architecture = pytest.mark.parametrize("kind", FOUND.values(), ids=FOUND)


# Exact counts: Table 1, and for the wide residual network that of the first author's public demo.


@pytest.mark.parametrize(
    ("model", "parameters"),
    [
        (SmallInception, 1_649_402),
        (lambda: SmallInception(batch_norm=False), 1_649_402),
        (SmallAlexNet, 1_387_786),
        (MLP, 1_209_866),
        (lambda: MLP([512, 512, 512]), 1_735_178),
        (WideResNet, 369_498),
    ],
    ids=[
        "SmallInception",
        "SmallInception without batch norm",
        "SmallAlexNet",
        "MLP",
        "MLP 3x512",
        "WideResNet",
    ],
)
def test_parameter_counts_are_exact(model, parameters):
    assert model().num_parameters() == parameters


def test_the_stages_of_small_inception_have_the_shapes_and_counts_of_figure_3():
    network = SmallInceptionNetwork()
    x = torch.zeros(1, 3, 28, 28)
    seen = []
    for unit in network.units:
        x = unit(x)
        seen.append((tuple(x.shape[1:]), sum(p.numel() for p in unit.parameters())))
    assert seen == [
        ((96, 28, 28), 2_688),
        ((64, 28, 28), 30_784),
        ((80, 28, 28), 29_776),
        ((160, 14, 14), 57_680),
        ((160, 14, 14), 87_200),
        ((160, 14, 14), 107_680),
        ((160, 14, 14), 128_160),
        ((144, 14, 14), 146_064),
        ((240, 7, 7), 124_512),
        ((336, 7, 7), 388_176),
        ((336, 7, 7), 543_312),
    ]


def test_under_batch_norm_there_is_no_bias_and_inception_has_no_scale():
    for network in (SmallInceptionNetwork(), WideResNetNetwork(depth=10)):
        assert all(m.bias is None for m in network.modules() if isinstance(m, Conv2d))
    assert not any(
        isinstance(m.weight, nn.Parameter) for m in SmallInceptionNetwork().modules() if isinstance(m, BatchNorm)
    )
    assert all(
        isinstance(m.weight, nn.Parameter) for m in WideResNetNetwork(depth=10).modules() if isinstance(m, BatchNorm)
    )
    assert all(m.bias is not None for m in SmallInceptionNetwork(batch_norm=False).modules() if isinstance(m, Conv2d))


# What every architecture does.


@every_architecture
def test_the_seed_decides_the_initial_weights(kind):
    def weights(seed: int) -> dict[str, torch.Tensor]:
        torch.manual_seed(torch.seed())  # whatever the global generator does
        return kind(seed=seed).network.state_dict()

    one, same, other = weights(1), weights(1), weights(2)
    assert all(torch.equal(one[name], same[name]) for name in one)
    drawn = {name for name, value in one.items() if value.min() < value.max()}
    assert {name for name in one if not torch.equal(one[name], other[name])} == drawn
    assert drawn >= {name for name, value in one.items() if value.ndim > 1}


@every_architecture
def test_the_network_is_a_plain_module(kind):
    network = kind(num_classes=7).network
    assert not isinstance(network, Classifier)
    x = torch.randn(4, 3, 28, 28, generator=torch.Generator().manual_seed(0))
    logits = network(x)
    assert logits.shape == (4, 7)
    logits.square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())
    # The layout of the memory is a matter of speed.
    network.eval()
    torch.testing.assert_close(network(x), network(x.to(memory_format=torch.channels_last)), rtol=1e-3, atol=1e-4)


@every_architecture
def test_grey_images_and_other_classes_are_taken(kind):
    model = kind(image_shape=(1, 28, 28), num_classes=3)
    assert model(torch.zeros(2, 1, 28, 28)).shape == (2, 3)


SWITCHES = {
    "batch_norm": {"batch_norm": True},
    "no batch_norm": {"batch_norm": False},
    "dropout": {"dropout": 0.5},
    "random_crop": {"augmentation": "random_crop"},
    "flip_rotate": {"augmentation": "flip_rotate"},
    "both": {"augmentation": "random_crop_flip_rotate"},
    "weight_decay": {"weight_decay": 0.5},
    "learning_rate": {"learning_rate": 1e-3},
    "whiten first": {"crop_first": False},
}


@every_architecture
@pytest.mark.parametrize("switch", SWITCHES.values(), ids=SWITCHES)
def test_every_switch_takes_a_step_and_has_an_effect(kind, switch, small_steps):
    if kind(**switch).network.state_dict().keys() == kind().network.state_dict().keys() and "batch_norm" in switch:
        return  # at its default
    assert small_steps(kind, switch) != small_steps(kind, {})


@pytest.fixture(scope="module")
def small_steps():
    """Weights, as a number, after two steps of an architecture with switches, each trained once."""
    done: dict[str, float] = {}

    def steps(kind: type[Classifier], switches: dict) -> float:
        name = f"{kind.__name__} {switches}"
        if name not in done:
            model, data = (
                kind(**switches),
                Synthetic(num_train=16, num_test=2, batch_size=8, steps_per_call=1),
            )
            train(model, data, max_steps=2, limit_val_batches=0)
            done[name] = sum(p.detach().double().square().sum().item() for p in model.network.parameters())
            assert math.isfinite(done[name])
        return done[name]

    return steps


# Weight decay: on which parameters exactly.


@every_architecture
@pytest.mark.parametrize("where", ["recipe", "weights", "all"])
def test_weight_decay_is_on_its_layers_and_on_no_other(kind, where):
    model = kind(weight_decay=0.004, weight_decay_on=where)
    names = {p: name for name, p in model.network.named_parameters()}
    groups = model.configure_optimizers().param_groups
    decayed = {names[p] for group in groups if group["weight_decay"] == 0.004 for p in group["params"]}
    spared = {names[p] for group in groups if group["weight_decay"] == 0 for p in group["params"]}
    assert decayed | spared == set(names.values())
    assert not decayed & spared
    weights = {name for p, name in names.items() if p.ndim > 1}
    if where == "weights":
        assert decayed == weights
    elif where == "all":
        assert decayed == set(names.values())
    else:
        recipe = {
            SmallAlexNet: {
                "hidden.0.0.weight",
                "hidden.1.0.weight",
            },  # not the convolutions, not the softmax layer
            WideResNet: set(names.values()),
        }
        assert decayed == recipe.get(kind, weights)


@every_architecture
def test_without_weight_decay_no_parameter_is_decayed(kind):
    (group,) = kind().configure_optimizers().param_groups
    assert group["weight_decay"] == 0
    assert group["momentum"] == 0.9
    assert group["lr"] == (0.01 if kind in (MLP, SmallAlexNet) else 0.1)
    assert not group["nesterov"]
    assert group["dampening"] == 0


def test_weight_decay_is_c_times_w_in_the_gradient():
    """c/2 |w|^2, as TensorFlow's l2_loss: one step differs by lr c w, on hidden weights only."""
    data = {"num_train": 8, "num_test": 2, "batch_size": 8}
    start = SmallAlexNet().network.state_dict()
    ends = []
    for decay in (0.0, 0.5):
        model = SmallAlexNet(weight_decay=decay)
        train(model, Synthetic(**data), max_epochs=1, limit_val_batches=0)
        ends.append(model.network.state_dict())
    for name, before in start.items():
        expected = 0.01 * 0.5 * before if name in ("hidden.0.0.weight", "hidden.1.0.weight") else before * 0
        torch.testing.assert_close(ends[0][name] - ends[1][name], expected, rtol=1e-3, atol=1e-7)


# Initial weights, as the contemporary recipes drew them.


def test_small_alexnet_starts_as_the_tensorflow_tutorial():
    network = SmallAlexNetNetwork(generator=torch.Generator().manual_seed(0))
    cut = 0.8796  # deviation of a normal cut off at two deviations
    for layer, deviation, bias in (
        (network.features[0][0], 0.05, 0.0),
        (network.features[1][0], 0.05, 0.1),
        (network.hidden[0][0], 0.04, 0.1),
        (network.hidden[1][0], 0.04, 0.1),
        (network.output, 1 / 192, 0.0),
    ):
        assert layer.weight.std().item() == pytest.approx(cut * deviation, rel=0.03)
        assert layer.weight.abs().max() <= 2 * deviation
        assert (layer.bias == bias).all()


@pytest.mark.parametrize(
    "build",
    [
        lambda g: SmallInceptionNetwork(batch_norm=False, generator=g),
        lambda g: MLPNetwork(hidden_sizes=[64, 90], generator=g),
    ],
    ids=["small Inception", "MLP"],
)
def test_inception_and_mlp_start_glorot_uniform(build):
    for layer in build(torch.Generator().manual_seed(0)).modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            fans = layer.weight[0].numel() + layer.weight[:, 0].numel()
            bound = math.sqrt(6 / fans)
            assert layer.weight.abs().max() <= bound
            assert layer.weight.std().item() == pytest.approx(bound / math.sqrt(3), rel=0.1)
            assert not layer.bias.any()


def test_where_dropout_stands():
    kinds = ("Linear", "Conv2d", "Dropout", "ReLU")

    def order(network: nn.Module) -> list[str]:
        return [type(m).__name__ for m in network.modules() if type(m).__name__ in kinds]

    hidden = ["Linear", "ReLU", "Dropout"]
    assert order(MLPNetwork(hidden_sizes=[4, 4])) == [*hidden, *hidden, "Linear"]
    assert order(SmallAlexNetNetwork()) == ["Conv2d", "ReLU"] * 2 + hidden * 2 + ["Linear"]
    assert order(SmallInceptionNetwork())[-2:] == ["Dropout", "Linear"]
    assert order(SmallInceptionNetwork()).count("Dropout") == 1
    block = order(WideResNetNetwork(depth=10).blocks[0])
    assert block == ["ReLU", "Conv2d", "ReLU", "Dropout", "Conv2d"]


def test_wide_resnets_depth_counts_its_layers():
    network = WideResNetNetwork(depth=16, width=2)
    assert sum(isinstance(m, Conv2d) and m.kernel_size == (3, 3) for m in network.modules()) == 16 - 3
    assert network.output.in_features == 128
    with pytest.raises(UserError, match="depth 27"):
        WideResNetNetwork(depth=27)


# Memorization: the network fits 64 randomly labelled images to 100 % (Section 2).


@pytest.mark.parametrize(
    ("model", "epochs"),
    [
        (lambda: MLP(), 40),
        (lambda: MLP(batch_norm=True), 40),
        pytest.param(lambda: SmallAlexNet(), 30, marks=pytest.mark.slow),
        pytest.param(lambda: SmallInception(learning_rate=0.02), 10, marks=pytest.mark.slow),
        pytest.param(lambda: WideResNet(depth=10), 25, marks=pytest.mark.slow),
    ],
    ids=["MLP", "MLP with batch norm", "SmallAlexNet", "SmallInception", "WideResNet"],
)
def test_64_random_labels_are_memorized(model, epochs):
    data = Synthetic(randomization=RandomLabels(seed=1), num_train=64, num_test=10, batch_size=16)
    network = model()
    trainer = train(network, data, max_epochs=epochs, check_val_every_n_epoch=epochs)
    assert network.epoch_metrics["train/accuracy"] == 1.0
    assert network.epoch_metrics["train_corrupted/accuracy"] == 1.0
    agree = (data.splits["train"].labels == data.splits["train"].true_labels).double().mean()
    assert network.epoch_metrics["train_corrupted/recovered"] == pytest.approx(float(agree))
    assert trainer.global_step == 4 * epochs


@pytest.mark.parametrize("randomization", [RandomPixels(), GaussianPixels()], ids=["RandomPixels", "GaussianPixels"])
def test_64_random_images_are_memorized(randomization):
    model = MLP()
    train(model, Synthetic(randomization=randomization, num_train=64, num_test=10, batch_size=16), max_epochs=25)
    assert model.epoch_metrics["train/accuracy"] == 1.0


# What would leak the true images, or makes no sense, is refused before training begins.


@pytest.mark.parametrize(
    "switch", [{"augmentation": "random_crop"}, {"augmentation": "flip_rotate"}, {"crop_first": False}]
)
def test_a_margin_that_would_leak_in_is_refused(switch):
    with pytest.raises(UserError, match=r"--data\.randomization\.region full"):
        train(
            MLP([4], **switch),
            Synthetic(randomization=GaussianPixels(), num_train=8, num_test=2),
            max_epochs=1,
        )
    full = Synthetic(randomization=GaussianPixels(region="full"), num_train=8, num_test=2)
    assert isinstance(train(MLP([4], **switch), full, max_epochs=1), Trainer)


@every_architecture
@pytest.mark.parametrize("bad", [{"dropout": 1.5}, {"learning_rate": 0}, {"weight_decay": -1}, {"momentum": 2}])
def test_impossible_values_are_refused_when_the_model_is_built(kind, bad):
    with pytest.raises(ValueError, match=str(*bad.values())):
        kind(**bad)


@pytest.mark.parametrize(
    ("name", "deviation"), [("glorot_uniform", (2 / (32 * 9 + 64 * 9)) ** 0.5), ("he_normal", (2 / (64 * 9)) ** 0.5)]
)
def test_an_initialization_draws_all_layers_alike(name, deviation):
    network = nn.Sequential(nn.Conv2d(32, 64, 3), nn.Linear(64, 10))
    initialize(network, name, torch.Generator().manual_seed(0))
    assert network[0].weight.std().item() == pytest.approx(deviation, rel=0.02)
    assert network[0].bias.abs().max() == 0
    again = nn.Sequential(nn.Conv2d(32, 64, 3), nn.Linear(64, 10))
    initialize(again, name, torch.Generator().manual_seed(0))
    assert torch.equal(again[1].weight, network[1].weight)


def test_fully_connected_layers_are_drawn_by_their_inputs_and_logits_smaller():
    """By its outputs, the last layer of an MLP would be drawn so wide that training starts at a loss of 31."""
    network = nn.Sequential(nn.Linear(2352, 512), nn.ReLU(), nn.Linear(512, 100))
    initialize(network, "he_normal", torch.Generator().manual_seed(0))
    assert network[0].weight.std().item() == pytest.approx((2 / 2352) ** 0.5, rel=0.02)
    assert network[2].weight.std().item() == pytest.approx((2 / 512) ** 0.5, rel=0.02)
    model = MLP(initialization="he_normal")
    model.draw_initial_weights()
    images = torch.randn(256, 3, 28, 28, generator=torch.Generator().manual_seed(0))
    assert nn.functional.cross_entropy(model(images), torch.arange(256) % 10) < 3.5
    initialize(network, "truncated_normal", torch.Generator().manual_seed(0))
    cut = 0.8796  # deviation of a normal cut off at two deviations
    assert network[0].weight.std().item() == pytest.approx(cut * 0.1, rel=0.02)
    assert network[2].weight.std().item() == pytest.approx(cut * 0.01, rel=0.02)


def test_the_initialization_is_an_option_and_a_run_of_its_own(fit):
    options = ("--data", "Synthetic", "--model", "MLP", "--model.hidden_sizes", "[8]", "--trainer.max_epochs", "1")
    runs = [fit(*options, *more) for more in ((), ("--model.initialization", "truncated_normal"))]
    assert runs[0].run_id != runs[1].run_id
    assert runs[0].final("train/loss") != runs[1].final("train/loss")
