"""The complexity measures of Section 2.2 against closed forms, and leave-one-out as an option of the data."""

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from rethink import randomness
from rethink.analyses.analysis import Context
from rethink.complexity import capacity, norms, stability
from rethink.complexity import rademacher as complexity
from rethink.complexity.analyses.capacity import Capacity
from rethink.complexity.analyses.norm_measures import NormMeasures
from rethink.complexity.analyses.stability import UniformStability
from rethink.complexity.analyses.weight_layers import (
    architecture_of,
    fold_batch_norm,
    weight_layers,
    without_local_response_norm,
)
from rethink.complexity.norms import WeightLayer
from rethink.complexity.rank_correlation import Correlation, correlate
from rethink.data import Synthetic
from rethink.data.batches import Block, TrainingBatches
from rethink.errors import UserError
from rethink.files import read_json, write_json
from rethink.models.layers import BatchNorm, Conv2d
from rethink.models.mlp import MLPNetwork
from rethink.models.small_alexnet import SmallAlexNetNetwork
from rethink.models.small_inception import SmallInceptionNetwork
from rethink.models.wide_resnet import WideResNetNetwork
from rethink.randomization import RandomSigns
from rethink.runs.identity import run_id
from rethink.training.step import sgd_step

SHAPE = (3, 28, 28)


def layer(module: nn.Conv2d | nn.Linear, *shape: int) -> WeightLayer:
    return WeightLayer("layer", module, 1, shape, tuple(module(torch.zeros(1, *shape)).shape[1:]))


# Random signs.


def test_the_signs_of_a_seed_are_these():
    index = torch.arange(12)
    labels, drawn = RandomSigns(3).labels(index % 10, index, 10, "train")
    assert labels.tolist() == [1, 1, 1, 1, 0, 1, 0, 0, 0, 0, 1, 0]
    assert labels.dtype == torch.int64
    assert drawn.all()


def test_signs_are_even_independent_of_part_and_seed_and_of_the_true_labels():
    index = torch.arange(20_000)
    draws = [RandomSigns(s).labels(index % 10, index, 10, p)[0] for s, p in ((0, "train"), (0, "test"), (1, "train"))]
    for signs in draws:
        assert set(signs.tolist()) == {0, 1}
        assert abs(float(signs.double().mean()) - 0.5) < 4 * 0.5 / math.sqrt(20_000)
    for one, other in itertools.combinations(draws, 2):
        assert abs(float((one == other).double().mean()) - 0.5) < 4 * 0.5 / math.sqrt(20_000)
    assert abs(float(draws[0][index % 10 == 1].double().mean()) - 0.5) < 4 * 0.5 / math.sqrt(2_000)


def test_a_network_that_fits_random_signs_has_a_rademacher_complexity_of_1(fit):
    data = ("--data", "Synthetic", "--data.randomization", "RandomSigns", "--data.train_size", "60")
    stop = ("--convergence.stop_rule", "accuracy>=1.0", "--convergence.stop_after", "0", "--trainer.max_epochs", "60")
    run = fit("--model", "MLP", "--model.hidden_sizes", "[64]", "--model.learning_rate", "0.05", *data, *stop)
    assert run.outcome == "converged"
    assert run.setting.corruption is None
    assert "random signs" in run.setting.label
    assert complexity.rademacher_estimate([[complexity.correlation(run.final("train/accuracy"))]]) == 1


def test_the_estimate_is_the_mean_over_signs_of_the_best_run():
    assert complexity.correlation(0.5) == 0  # half of the signs by chance
    assert complexity.rademacher_estimate([[0.2, 0.6], [1.0]]) == pytest.approx(0.8)


def test_the_estimate_of_a_class_that_is_known():
    """Two functions, h and -h: R_n is E|mean of n signs|, and the error covers how far an estimate is from it."""
    n, draws = 25, 40
    signs = 2 * randomness.integers(randomness.key(0, "known"), np.arange(n * draws), 2).reshape(draws, n) - 1
    exact = sum(math.comb(n, k) * abs(2 * k - n) for k in range(n + 1)) / 2**n / n
    found = complexity.rademacher_estimate([[float(s.mean()), -float(s.mean())] for s in signs])
    assert abs(found - exact) < complexity.estimation_error(n, draws)


def test_bounds_by_the_rademacher_complexity():
    assert complexity.rademacher_bound(1.0, 10**9) == pytest.approx(1, abs=1e-3)
    assert complexity.rademacher_bound(0.1, 50_000) == pytest.approx(0.1 + 3 * math.sqrt(math.log(40) / 100_000))
    assert complexity.estimation_error(100, 2) == pytest.approx(math.sqrt(2 * math.log(20) / 200))
    assert complexity.linear_complexity(400) == 0.05


# VC dimension.


def test_the_architectures_of_the_paper():
    found = {
        "inception": architecture_of(SmallInceptionNetwork(), SHAPE),
        "alexnet": architecture_of(SmallAlexNetNetwork(), SHAPE),
        "mlp": architecture_of(MLPNetwork(), SHAPE),
        "mlp3": architecture_of(MLPNetwork(hidden_sizes=[512] * 3), SHAPE),
    }
    assert [each.parameters for each in found.values()] == [1_649_402, 1_387_786, 1_209_866, 1_735_178]
    assert [each.layers for each in found.values()] == [12, 5, 2, 4]
    assert found["mlp"].parameters_by_layer == (2352 * 512 + 512, 5130)
    assert found["mlp"].units_by_layer == (512, 10)
    assert found["alexnet"].units_by_layer[0] == 64 * 28 * 28 + 36 * 64 * 14 * 14
    inception = weight_layers(SmallInceptionNetwork(), SHAPE)
    values = sum(math.prod(layer.output_shape) for layer in inception)
    assert sum(found["inception"].units_by_layer) == values + 36 * (80 * 14 * 14 + 144 * 7 * 7)


def test_the_upper_bound_by_hand():
    tiny = capacity.Architecture((6, 3), (2, 1))  # two inputs, two hidden units, one output
    r = 2 + 2 * 1
    m = 6 + 9
    assert capacity.vc_upper_bound(tiny) == pytest.approx(2 + m * math.log2(4 * math.e * r * math.log2(2 * math.e * r)))
    assert capacity.vc_order(tiny) == pytest.approx(9 * 2 * math.log2(4.5))


def test_a_dimension_of_at_least_n_makes_the_bound_vacuous():
    assert capacity.vc_lower_bound(2352, 512) == 602_112
    assert capacity.vc_bound(50_000, 50_000) == capacity.vc_bound(10**9, 50_000) > math.sqrt(2 * math.log(2))
    assert capacity.log_growth(3, 3) == pytest.approx(3 * math.log(2))
    needed = capacity.examples_needed(1000, 0.5)
    assert capacity.vc_bound(1000, needed) <= 0.5 < capacity.vc_bound(1000, needed - 1)


def test_the_analysis_has_a_row_for_each_network(tmp_path):
    rows = Capacity().analyse(Context(tmp_path)).values["networks"]
    assert rows["MLP 1x512"]["parameters"] == 1_209_866
    assert all(row["gap_bound"] > 1 and row["examples_needed"] > 10**8 for row in rows.values())
    assert all((row["vc_lower"] or 0) < row["vc_upper"] for row in rows.values())


# Layers with weights.


@pytest.mark.parametrize(
    "network",
    [
        MLPNetwork(27, 10, (8, 6), batch_norm=True),
        SmallAlexNetNetwork((3, 8, 8), batch_norm=True),
        SmallInceptionNetwork(),
        WideResNetNetwork(depth=10),
        SmallAlexNetNetwork((3, 8, 8)),
    ],
    ids=["MLP", "AlexNet", "Inception", "WideResNet", "without"],
)
def test_folding_batch_norm_keeps_the_logits(network):
    side = {27: 3, 2352: 28}[network.layers[0].in_features] if isinstance(network, MLPNetwork) else 8
    for module in network.modules():
        if isinstance(module, BatchNorm):
            nn.init.normal_(module.running_mean)
            nn.init.uniform_(module.running_variance, 0.3, 3)
            nn.init.normal_(module.bias)
            nn.init.normal_(module.weight)
    x = torch.randn(5, 3, side, side)
    folded = fold_batch_norm(network)
    assert not any(isinstance(module, BatchNorm) for module in folded.modules())
    with torch.no_grad():
        torch.testing.assert_close(folded(x), network.eval()(x), rtol=1e-4, atol=1e-4)


def test_branches_have_one_depth():
    layers = weight_layers(SmallInceptionNetwork(), SHAPE)
    assert [each.depth for each in layers if each.name.startswith("units.1.")] == [2, 2]
    assert layers[-1].depth == 12
    assert max(each.depth for each in weight_layers(WideResNetNetwork(depth=10), SHAPE)) == 1 + 3 * 2 + 1


# Norms.


def test_the_path_norm_of_a_small_network_is_the_sum_over_its_paths():
    network = MLPNetwork(3, 2, (4,))
    first, last = network.requires_grad_(False).layers[0], network.layers[-1]
    for module in (first, last):
        nn.init.normal_(module.weight)
        nn.init.normal_(module.bias)
    for q in (1, 2):
        total = 0.0
        for out in range(2):
            total += abs(float(last.bias[out])) ** q
            for hidden in range(4):
                enters = [*first.weight[hidden].tolist(), float(first.bias[hidden])]
                total += sum(abs(w * float(last.weight[out, hidden])) ** q for w in enters)
        assert norms.path_norm(network, (3, 1, 1), q) == pytest.approx(total ** (1 / q), rel=1e-6)


def test_path_norms_of_all_architectures_are_finite_and_scale_with_the_last_layer():
    for network in (SmallInceptionNetwork(), SmallAlexNetNetwork(), WideResNetNetwork(depth=10)):
        folded = without_local_response_norm(fold_batch_norm(network))
        before = norms.path_norm(folded, SHAPE, 2)
        with torch.no_grad():
            for parameter in folded.output.parameters():
                parameter.mul_(3)
        assert norms.path_norm(folded, SHAPE, 2) == pytest.approx(3 * before, rel=1e-6)


@pytest.mark.parametrize(("kernel", "stride"), [(3, 1), (3, 2), (5, 1), (1, 1)])
def test_the_spectral_norm_of_a_convolution_is_that_of_its_matrix(kernel, stride):
    convolution = Conv2d(2, 3, kernel, stride)
    units = torch.eye(2 * 6 * 6).view(-1, 2, 6, 6)
    with torch.no_grad():
        matrix = (convolution(units) - convolution(torch.zeros(1, 2, 6, 6))).flatten(1)
    exact = float(torch.linalg.matrix_norm(matrix, 2))
    found = norms.spectral_norm(layer(convolution, 2, 6, 6))
    assert found == pytest.approx(exact, rel=1e-3)
    assert found <= exact * (1 + 1e-5)
    reshaped = float(torch.linalg.matrix_norm(convolution.weight.flatten(1).detach(), 2))
    assert kernel == 1 or abs(found - reshaped) > 0.01 * reshaped  # another map


def test_the_spectral_norm_of_a_linear_layer_and_of_a_difference():
    one, other = nn.Linear(7, 4), nn.Linear(7, 4)
    first, second = layer(one, 7), layer(other, 7)
    assert norms.spectral_norm(first) == pytest.approx(
        float(torch.linalg.matrix_norm(one.weight.detach(), 2)), rel=1e-6
    )
    exact = float(torch.linalg.matrix_norm((one.weight - other.weight).detach(), 2))
    assert norms.spectral_norm(first, second) == pytest.approx(exact, rel=1e-6)
    assert norms.spectral_norm(first, first) == 0
    assert norms.spectral_distance([first, first], [second, second]) == pytest.approx(exact * math.sqrt(2), rel=1e-6)
    assert norms.frobenius_norm(first) == pytest.approx(float(one.weight.detach().norm()), rel=1e-6)
    assert norms.largest_l1_norm([first]) == pytest.approx(float(one.weight.detach().abs().sum(1).max()), rel=1e-6)


def test_margins_by_hand():
    logits = torch.tensor([[3.0, 1.0, 0.0], [0.0, 2.0, 5.0], [1.0, 1.0, 0.0]])
    assert norms.margins(logits, torch.tensor([0, 1, 1])).tolist() == [2.0, -3.0, 0.0]
    many = torch.stack([torch.arange(101.0), torch.zeros(101)], 1)
    assert norms.margin(many, torch.zeros(101, dtype=torch.int64), 0.1) == pytest.approx(10)


def test_noise_on_the_weights_has_the_deviation_that_was_asked_for():
    network = nn.Linear(200, 100)
    nn.init.constant_(network.weight, 2.0)
    for relative, expected in ((False, 0.5), (True, 0.5 * 2 + 1e-3)):
        drawn = [noisy.weight.detach().clone() for noisy in norms.perturbed(network, 0.5, 2, seed=3, relative=relative)]
        for weight in drawn:
            assert float((weight - 2).std()) == pytest.approx(expected, rel=0.03)
        assert not torch.equal(*drawn)
        again = [noisy.weight.detach().clone() for noisy in norms.perturbed(network, 0.5, 2, seed=3, relative=relative)]
        assert all(map(torch.equal, drawn, again))
    assert (network.weight == 2).all()
    assert norms.pac_bayes(0.5, 8.0, 0.1, 100) == pytest.approx(0.5 + 8 / (2 * 0.01 * 100))


def test_distances():
    one, other = nn.Linear(3, 2), nn.Linear(3, 2)
    flat = [torch.cat([p.detach().flatten() for p in n.parameters()]) for n in (one, other)]
    assert norms.distance(one, other) == pytest.approx(float((flat[0] - flat[1]).norm()), rel=1e-6)
    assert norms.parameter_norm(one) == pytest.approx(float(flat[0].norm()), rel=1e-6)


def test_the_measures_of_a_run(fit, tmp_path):
    data = ("--data", "Synthetic", "--data.randomization", "RandomLabels", "--data.train_size", "50")
    model = ("--model", "MLP", "--model.hidden_sizes", "[32]", "--model.batch_norm", "true")
    stop = ("--convergence.stop_rule", "loss<0.05", "--convergence.stop_after", "0", "--trainer.max_epochs", "80")
    run = fit(*model, "--model.learning_rate", "0.05", *data, *stop)
    values = NormMeasures([run.run_id], draws=2).analyse(Context(tmp_path)).values
    assert values["train_error"] == 0
    assert 0 < values["margin_5"] <= values["margin_10"]
    measures = values["measures"]
    assert measures["inverse_margin"] == pytest.approx(1 / values["margin_10"])
    assert all(value is not None and math.isfinite(value) for value in measures.values())
    assert all(value > 0 for name, value in measures.items() if "sharpness" not in name)  # noise may help by chance
    assert measures["spectral_product"] < measures["frobenius_product"]
    assert measures["path_norm_l2"] < measures["path_norm_l1"]


def test_a_measure_over_a_margin_that_is_not_there_is_null(fit, tmp_path):
    data = ("--data", "Synthetic", "--data.randomization", "RandomLabels", "--data.train_size", "50")
    run = fit("--model", "MLP", "--model.hidden_sizes", "[4]", *data, "--trainer.max_epochs", "1")
    values = NormMeasures([run.run_id], draws=1).analyse(Context(tmp_path)).values
    assert values["margin_10"] < 0
    assert values["measures"]["path_norm_l2"] is None
    assert values["measures"]["distance"] > 0
    with pytest.raises(UserError, match="one by one"):
        NormMeasures([run.run_id, run.run_id])
    (run.path / "checkpoints" / "final.ckpt").unlink()
    with pytest.raises(UserError, match="Make it: rethink fit"):
        NormMeasures([run.run_id]).analyse(Context(tmp_path))


# Kendall's tau.


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=2, max_size=12))
def test_tau_is_scipys(pairs):
    stats = pytest.importorskip("scipy.stats")
    x, y = zip(*pairs, strict=True)
    expected = stats.kendalltau(x, y).statistic
    found = correlate(x, y, draws=50).tau
    assert found is None if math.isnan(expected) else found == pytest.approx(expected)


def test_what_the_intervals_say():
    rising = list(range(12))
    assert correlate(rising, rising).answer == "orders"
    assert correlate(rising, rising[::-1]).answer == "reversed"
    assert correlate([1, 2, 3], [1, 2, 3]) == Correlation(1.0, 1.0, 1.0, 3)
    assert correlate([1, 2, 3], [1, 2, 3]).answer == "cannot tell"
    noise = [randomness.uniform(randomness.key(s, "noise"), np.arange(60))[:, 0].tolist() for s in (0, 1)]
    assert correlate(*noise).answer == "does not order"
    assert correlate([1, 1, 1], [1, 2, 3]).tau is None
    assert correlate([], []).answer == "cannot tell"


def test_tau_within_groups_and_above_the_resolution():
    measure, error = [1, 2, 30, 40], [1.0, 2.0, 0.1, 0.2]
    assert correlate(measure, error).tau == pytest.approx((2 - 4) / 6)
    assert correlate(measure, error, ["a", "a", "b", "b"]).tau == 1
    within = correlate(measure, error, resolution=0.5)
    assert within.tau == pytest.approx((1 - 4) / 5)
    assert within.pairs == 5


# Stability, and leaving one out.


def test_changes_and_bounds_of_stability():
    before, after = torch.tensor([[0.0, 0.0], [9.0, 0.0]]), torch.tensor([[math.log(3), 0.0], [9.0, 0.0]])
    assert stability.largest_change(before, after).tolist() == pytest.approx([0.25, 0.0])
    assert stability.probability_loss(after, torch.tensor([0, 0]))[0] == pytest.approx(0.25)
    assert stability.zero_one_loss(after, torch.tensor([1, 0])).tolist() == [1.0, 0.0]
    assert stability.stability_bound(0.0, 200) == pytest.approx(math.sqrt(math.log(20) / 400))
    for n in (100, 5000):
        assert stability.stability_bound(stability.useful_stability(n), n) == pytest.approx(1)
    assert stability.useful_stability(1) == 0


def blocks(leave_out: int | None, size: int = 10, epoch: int = 0, rank: int = 0, ranks: int = 1) -> list[Block]:
    data = Synthetic(num_train=size, num_test=4, batch_size=4, seed=5)
    data.setup()
    where = lambda: (epoch, 0)  # noqa: E731
    return list(TrainingBatches(data.splits["train"], 4, 5, 2, rank, ranks, where, leave_out))


def test_leaving_out_an_example_takes_it_from_its_batch_and_nothing_else():
    for epoch, left_out in ((0, 3), (1, 3), (0, 0)):
        whole = [batch.tolist() for block in blocks(None, epoch=epoch) for batch in block.positions]
        without = [batch.tolist() for block in blocks(left_out, epoch=epoch) for batch in block.positions]
        sizes = [size for block in blocks(left_out, epoch=epoch) for size in block.sizes]
        assert without == [[i for i in batch if i != left_out] for batch in whole]
        assert sizes == list(map(len, without))
        assert sum(sizes) == 9


def test_the_global_batch_is_the_same_for_two_ranks():
    parts = [blocks(3, rank=rank, ranks=2) for rank in (0, 1)]
    for one, first, second in zip(blocks(3), *parts, strict=True):
        assert one.sizes == first.sizes == second.sizes
        for whole, a, b in zip(one.positions, first.positions, second.positions, strict=True):
            assert sorted([*a.tolist(), *b.tolist()]) == sorted(whole.tolist())


def test_the_step_of_a_batch_without_it_is_the_mean_over_the_others():
    """As a step by hand on the gradient of the mean loss of the others."""
    data = Synthetic(num_train=10, num_test=4, leave_out=3)
    data.setup()
    network = MLPNetwork(hidden_sizes=[4], generator=torch.Generator().manual_seed(0))
    reference = MLPNetwork(hidden_sizes=[4], generator=torch.Generator().manual_seed(0))
    x, y = torch.randn(3, *SHAPE), torch.tensor([1, 2, 3])
    sgd_step(network, torch.optim.SGD(network.parameters(), lr=0.1), x, y, weight=1 / 3)
    nn.functional.cross_entropy(reference(x), y).backward()
    for ours, theirs in zip(network.parameters(), reference.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs - 0.1 * theirs.grad)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"leave_out": 10}, "from 0 to 9"),
        ({"leave_out": 0, "batch_size": 1}, "a single example"),
        ({"leave_out": 0, "batch_size": 9}, "a single example"),
        ({"leave_out": 0, "batch_size": 3}, "a single example"),
    ],
)
def test_an_example_that_cannot_be_left_out_is_refused(options, message):
    with pytest.raises(UserError, match=message):
        Synthetic(num_train=10, num_test=4, **options).setup()


def test_leaving_out_is_another_run_and_not_leaving_out_is_the_same():
    def identified(**options: object) -> str:
        return run_id(
            {
                "seed_everything": 0,
                "trainer": {"max_epochs": 100},
                "model": {"class_path": "rethink.models.MLP", "init_args": {}},
                "data": {"class_path": "rethink.data.CIFAR10", "init_args": options},
            }
        )

    assert identified() == identified(leave_out=None) == "017a770b498c"
    assert len({identified(), identified(leave_out=0), identified(leave_out=1)}) == 3


@pytest.fixture
def left_out_runs(fit):
    """A run on 40 examples with random labels, and two without one of them."""
    data = ("--data", "Synthetic", "--data.randomization", "RandomLabels", "--data.train_size", "40")
    model = ("--model", "MLP", "--model.hidden_sizes", "[64]", "--model.learning_rate", "0.05")
    often = ("--trainer.max_epochs", "30", "--trainer.check_val_every_n_epoch", "30")
    return [fit(*data, *model, *often, *more) for more in ((), ("--data.leave_out", "7"), ("--data.leave_out", "0"))]


def test_what_leaving_out_an_example_changes(left_out_runs, tmp_path):
    runs = left_out_runs
    assert [run.setting.leave_out for run in runs] == [None, 7, 0]
    assert len({run.record["data"]["digests"]["train"] for run in runs}) == 1  # still evaluated with it
    values = UniformStability([run.run_id for run in runs]).analyse(Context(tmp_path)).values
    assert values["left_out"] == [0, 7]
    assert values["each"]["itself_error"] == [1, 1]  # a random label cannot be guessed, by this seed
    assert values["mean"]["others_error"] == 0  # the others are fitted with and without it
    assert 0.5 < values["mean"]["itself_probability"] <= values["largest"] <= 1
    assert values["largest_error"] == 1


def test_runs_that_differ_in_more_are_no_leave_one_out(left_out_runs, fit, tmp_path):
    whole, one, _ = left_out_runs
    model = ("--model", "MLP", "--model.hidden_sizes", "[64]", "--model.learning_rate", "0.05")
    often = ("--trainer.max_epochs", "30", "--trainer.check_val_every_n_epoch", "30")
    other = fit(*model, *often, "--data", "Synthetic", "--data.train_size", "40")  # the same, but for its labels
    with pytest.raises(UserError, match="differs from"):
        UniformStability([other.run_id, one.run_id]).analyse(Context(tmp_path))
    with pytest.raises(UserError, match="0 with one left out"):
        UniformStability([whole.run_id]).analyse(Context(tmp_path))
    with pytest.raises(UserError, match="0 runs on all examples"):
        UniformStability([one.run_id]).analyse(Context(tmp_path))


@pytest.mark.parametrize("part", ["model", "data", "randomization", "recipe"])
def test_nothing_that_a_record_names_is_called_unless_it_is_of_the_right_kind(part, fit, tmp_path):
    run = fit("--model", "MLP", "--model.hidden_sizes", "[4]", "--data", "Synthetic", "--trainer.max_epochs", "1")
    canary = tmp_path / "canary"
    call = {"class_path": "subprocess.call", "init_args": {"args": ["touch", str(canary)]}}
    record = read_json(run.path / "record.json")
    config = record["config"]
    if part == "recipe":
        config["model"]["init_args"]["recipe"] = call
    elif part == "randomization":
        config["data"]["init_args"]["randomization"] = call
    else:
        config[part] = call
    write_json(run.path / "record.json", record)  # with a right digest: whoever means harm can take one too
    with pytest.raises(UserError, match=r"subprocess\.call.* is no "):
        NormMeasures([run.run_id], draws=1).analyse(Context(tmp_path))
    assert not canary.exists()
