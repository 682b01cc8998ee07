"""A look inside: alignment, probes, CKA and nearest neighbours in closed form; weights taken over from a run."""

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from processes import fork, kill_at_step
from torch import Tensor, nn

from rethink.analyses.analysis import Context, Result
from rethink.analyses.networks import at_the_end, initial
from rethink.cli import main
from rethink.errors import UserError
from rethink.inside.alignment import (
    covariance,
    first_layer,
    misalignment,
    misalignment_of_aligned,
    misalignment_when_turned,
    principal_components,
    what_it_sees,
)
from rethink.inside.analyses.alignment import Alignment
from rethink.inside.analyses.layers import layer_outputs
from rethink.inside.analyses.neighbours import NearestNeighbours
from rethink.inside.analyses.pictures import LayerPictures
from rethink.inside.analyses.probes import Probes
from rethink.inside.analyses.similarity import Similarity
from rethink.inside.neighbours import nearest_differently_labelled
from rethink.inside.probes import STRENGTHS, condensed, fit_probe, leave_one_out
from rethink.inside.similarity import cka, gram
from rethink.models import MLP, SmallAlexNet, SmallInception
from rethink.models.initialization import take_over
from rethink.models.layers import BatchNorm
from rethink.running.identification import identify
from rethink.runs.run import Run, final_weights, weights_of_epoch

Fit = Callable[..., Run]


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def rotation(size: int, seed: int = 0) -> Tensor:
    return torch.linalg.qr(normal(size, size, seed=seed))[0]


# --- alignment ----------------------------------------------------------------------------------------------


def test_the_covariance_of_blocks_is_that_of_all_rows() -> None:
    rows = normal(50, 4) + 3
    expected = torch.cov(rows.T, correction=0)
    torch.testing.assert_close(covariance(rows.split(7)), expected)


def test_aligned_covariances_have_no_misalignment_whatever_their_size() -> None:
    assert misalignment(torch.diag(torch.tensor([5.0, 1.0, 0.2]).double())) == 0
    assert misalignment(torch.eye(4).double()) == 0


@given(st.floats(-0.99, 0.99), st.floats(0.1, 10), st.floats(0.1, 10))
def test_two_directions_have_a_known_misalignment(correlation: float, a: float, b: float) -> None:
    """B_ii (B^-1)_ii is 1 / (1 - r^2) in two dimensions, for any scales."""
    weights = torch.tensor([[a * a, correlation * a * b], [correlation * a * b, b * b]], dtype=torch.float64)
    expected = (2 / (1 - correlation**2) ** 0.5 - 2) ** 0.5
    assert misalignment(weights) == pytest.approx(expected, rel=1e-4, abs=1e-6)


def test_misalignment_is_the_distance_from_the_nearest_aligned_covariance() -> None:
    """The minimum over diagonal matrices, found by a search."""
    rows = normal(40, 3) @ normal(3, 3, seed=1)
    weights = covariance([rows])
    logarithms = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([logarithms], max_iter=200, line_search_fn="strong_wolfe")

    def squared() -> Tensor:
        aligned = torch.diag(logarithms.exp())
        return torch.trace(torch.linalg.solve(aligned, weights) + torch.linalg.solve(weights, aligned)) / 2 - 3

    def closure() -> Tensor:
        optimizer.zero_grad()
        value = squared()
        value.backward()
        return value

    optimizer.step(closure)
    assert misalignment(weights) == pytest.approx(float(squared().detach()) ** 0.5, rel=1e-5)


def test_gaussian_weights_have_the_expected_misalignment_along_any_components() -> None:
    """As many independent units as small AlexNet has, isotropic or aligned; weights turned away have more."""
    units, components = 64, 32
    scales = torch.logspace(0, 2, components, dtype=torch.float64)
    samples = [covariance([normal(units, components, seed=seed)]) for seed in range(20)]
    expected = misalignment_of_aligned(components, units)
    assert np.mean([misalignment(sample) for sample in samples]) == pytest.approx(expected, rel=0.02)
    aligned = scales[:, None] * samples[0] * scales
    assert misalignment(aligned) == pytest.approx(misalignment(samples[0]))
    assert misalignment_when_turned(aligned, seed=0) > 2 * expected
    assert misalignment_when_turned(samples[0], seed=0) == pytest.approx(misalignment(samples[0]), rel=0.1)


def test_principal_components_fall_and_diagonalize() -> None:
    turn = rotation(4)
    data = turn @ torch.diag(torch.tensor([1.0, 4.0, 2.0, 3.0]).double()) @ turn.T
    shares, components = principal_components(data)
    torch.testing.assert_close(shares, torch.tensor([0.4, 0.3, 0.2, 0.1]).double())
    torch.testing.assert_close(components.T @ data @ components, torch.diag(10 * shares))


@pytest.mark.parametrize("layer", [nn.Conv2d(3, 5, 2), nn.Conv2d(3, 5, 3, stride=2), nn.Linear(3 * 6 * 6, 5)])
def test_what_the_first_layer_sees_is_what_its_weights_are_multiplied_with(layer: nn.Conv2d | nn.Linear) -> None:
    images = normal(4, 3, 6, 6).float()
    rows = what_it_sees(layer, images)
    outputs = rows @ layer.weight.detach().flatten(1).T + layer.bias.detach()
    if isinstance(layer, nn.Linear):
        expected = layer(images.permute(0, 2, 3, 1).flatten(1))
    else:
        expected = layer(images).permute(0, 2, 3, 1).flatten(0, 2)
    torch.testing.assert_close(outputs, expected)


# --- similarity ---------------------------------------------------------------------------------------------


@settings(deadline=None)
@given(st.floats(0.01, 100), st.integers(0, 100))
def test_cka_is_one_for_rotations_and_multiples(scale: float, seed: int) -> None:
    features = normal(30, 6, seed=seed)
    turned = scale * features @ rotation(6, seed) + 3.0 * scale  # a shift, too, makes no difference
    assert cka(gram(features), gram(turned)) == pytest.approx(1, abs=1e-6)
    assert cka(gram(features), gram(features @ torch.diag(torch.arange(1.0, 7).double()))) < 1


def test_cka_of_independent_features_is_about_zero_also_for_more_features_than_images() -> None:
    values = [cka(gram(normal(60, 500, seed=i)), gram(normal(60, 500, seed=100 + i))) for i in range(10)]
    assert abs(np.mean(values)) < 0.05


def test_cka_is_the_ratio_of_unbiased_hsic() -> None:
    """Against the estimator as Song et al. define it, by sums over four different images."""
    x, y = normal(6, 3), normal(6, 2, seed=1) + normal(6, 3)[:, :2]

    def hsic(k: Tensor, m: Tensor) -> float:
        n, total = len(k), 0.0
        for i in range(n):
            for j in range(n):
                for q in range(n):
                    for r in range(n):
                        if len({i, j, q, r}) == 4:
                            total += float(k[i, j] * m[i, j] + k[i, j] * m[q, r] - 2 * k[i, j] * m[i, q])
        return total

    expected = hsic(x @ x.T, y @ y.T) / (hsic(x @ x.T, x @ x.T) * hsic(y @ y.T, y @ y.T)) ** 0.5
    assert cka(gram(x), gram(y)) == pytest.approx(expected)


# --- probes -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [5, 60])
def test_a_probe_is_the_ridge_regression_with_a_free_bias(width: int) -> None:
    x, labels = normal(40, width), torch.arange(40) % 3
    probe = fit_probe(x, labels, 3)
    centred, targets = x - x.mean(0), nn.functional.one_hot(labels, 3).double()
    ridge = probe.strength * torch.linalg.svdvals(centred).square().mean()
    weight = torch.linalg.solve(
        centred.T @ centred + ridge * torch.eye(width).double(), centred.T @ (targets - targets.mean(0))
    )
    torch.testing.assert_close(probe.weight, weight)
    torch.testing.assert_close(probe.bias, targets.mean(0) - x.mean(0) @ weight)


def test_the_strength_is_chosen_by_really_leaving_one_out() -> None:
    x, labels = normal(12, 4), torch.arange(12) % 2
    targets = nn.functional.one_hot(labels, 2).double()
    left, values, _ = torch.linalg.svd(x - x.mean(0), full_matrices=False)
    errors = []
    for strength in STRENGTHS:
        ridge, error = strength * values.square().mean(), 0.0
        for out in range(12):
            rest = [i for i in range(12) if i != out]
            mean, centre = x[rest].mean(0), targets[rest].mean(0)
            a = x[rest] - mean
            weight = torch.linalg.solve(a.T @ a + ridge * torch.eye(4).double(), a.T @ (targets[rest] - centre))
            error += float((targets[out] - centre - (x[out] - mean) @ weight).square().sum()) / 12
        errors.append(error)
        projected = left.T @ (targets - targets.mean(0))
        assert leave_one_out(left, values, projected, targets, float(ridge)) == pytest.approx(error)
    assert fit_probe(x, labels, 2).strength == STRENGTHS[int(np.argmin(errors))]


def test_a_probe_reads_what_is_there_and_nothing_else() -> None:
    labels = torch.arange(400) % 4
    x = normal(400, 10)
    assert fit_probe(x[:200], labels[:200], 4).accuracy(x[200:], labels[200:]) < 0.4
    x[:, :4] += 4 * nn.functional.one_hot(labels, 4)
    assert fit_probe(x[:200], labels[:200], 4).accuracy(x[200:], labels[200:]) > 0.9


def test_condensed_features_keep_their_distances() -> None:
    maps = normal(30, 64, 14, 14).float()
    small = condensed(maps, 512, seed=0)
    assert small.shape == (30, 512)
    pooled = nn.functional.avg_pool2d(maps, 2).flatten(1)
    ratio = torch.pdist(small) / torch.pdist(pooled)
    assert 0.8 < ratio.min() < ratio.max() < 1.2
    assert torch.equal(small, condensed(maps, 512, seed=0))
    assert torch.equal(condensed(maps[:, :2, :7, :7], 512, seed=0), maps[:, :2, :7, :7].flatten(1))


# --- neighbours ---------------------------------------------------------------------------------------------


@given(st.integers(0, 1000), st.integers(2, 25), st.integers(1, 30))
@settings(deadline=None)
def test_nearest_neighbours_are_those_of_brute_force(seed: int, n: int, block: int) -> None:
    images, labels = normal(n, 7, seed=seed).float(), torch.arange(n) % 3
    queries = torch.arange(0, n, 2)
    distances, positions = nearest_differently_labelled(images, labels, queries, block)
    apart = torch.cdist(images.double(), images.double())
    apart[labels[:, None] == labels] = torch.inf
    torch.testing.assert_close(distances, apart[queries].min(1).values)
    assert torch.equal(positions, apart[queries].argmin(1))


def test_with_one_label_there_is_no_such_neighbour() -> None:
    distances, _ = nearest_differently_labelled(normal(5, 3).float(), torch.zeros(5).long(), torch.arange(5))
    assert distances.isinf().all()


def test_equal_images_with_different_labels_are_at_distance_zero() -> None:
    """Exactly: the difference of two large squares would leave a rest."""
    images = torch.cat([100 + normal(3, 2352).float()] * 2)
    distances, positions = nearest_differently_labelled(images, torch.arange(6), torch.arange(6))
    assert distances.tolist() == [0.0] * 6
    assert positions.tolist() == [3, 4, 5, 0, 1, 2]


# --- analyses of a real run ---------------------------------------------------------------------------------

DATA = ("--data", "Synthetic", "--data.num_train", "120", "--data.num_test", "60")
NETWORK = ("--model", "SmallAlexNet", "--trainer.max_epochs", "2", "--checkpoint.keep_epochs", "[1]")
NOISE = ("--data.randomization", "RandomLabels")


def analyse(analysis: Any, tmp_path: Path) -> Result:
    found: Result = analysis.analyse(Context(tmp_path))
    return found


def test_the_layers_of_a_run_are_found_by_themselves(fit: Fit, tmp_path: Path) -> None:
    run = fit(*DATA, *NETWORK, *NOISE)
    network = at_the_end(run)
    inputs = network.inputs(network.train, torch.arange(4))
    shapes = {name: tuple(shape) for name, shape in layer_outputs(network, inputs, lambda x: x.shape).items()}
    assert shapes == {
        "input": (4, 3, 28, 28), "layer 1": (4, 64, 14, 14), "layer 2": (4, 64, 7, 7), "layer 3": (4, 384),
        "layer 4": (4, 192), "logits": (4, 10),
    }  # fmt: skip
    assert not any(module._forward_hooks for module in network.model.network.modules())

    found = analyse(Alignment([run.run_id], [1, 99]), tmp_path).values
    assert [point["epoch"] for point in found["epochs"]] == [0, 1, 2]  # no epoch after the end
    assert (found["inputs"], found["units"], found["components"]) == (75, 64, 32)
    assert found["epochs"][0]["misalignment"] == pytest.approx(found["of aligned weights"], rel=0.15)
    weights_of_epoch(run.path, 1).unlink()
    with pytest.raises(UserError, match=r"epoch_0001.*keep_epochs \[1\]"):
        analyse(Alignment([run.run_id], [1]), tmp_path)

    pictures = analyse(LayerPictures([run.run_id], filters=4, images=2, maps=3), tmp_path)
    shown = {name: (array.shape, array.dtype) for name, array in pictures.arrays.items()}
    assert shown["filters/trained"] == shown["filters/untrained"] == ((4, 5, 5, 3), np.uint8)
    assert shown["layer 2/trained"] == ((2, 3, 7, 7), np.uint8)
    assert shown["images"] == ((2, 28, 28, 3), np.uint8)
    weights = first_layer(network.model.network).weight.detach()
    largest = int(weights.flatten(1).norm(dim=1).argmax())
    assert pictures.values["filters"][0] == largest
    expected = (weights[largest].permute(1, 2, 0) / weights[largest].abs().max() + 1) * 127.5
    np.testing.assert_array_equal(pictures.arrays["filters/trained"][0], expected.round().numpy())

    probed = analyse(Probes([run.run_id], images=100, features=64), tmp_path).values
    assert [row["layer"] for row in probed["trained"]] == list(shapes)
    assert probed["images"] == {"fit": 50, "held out": 50, "test": 50}
    assert probed["trained"][0]["given"] == probed["untrained"][0]["given"]  # the input is the input
    assert "test" not in probed["trained"][1]["given"]
    assert probed["untrained"][1]["true"]["test"] > 0.8  # smooth patterns: easy for any features

    with pytest.raises(UserError, match="one run at a time"):
        analyse(Probes([run.run_id] * 2), tmp_path)


def test_similarity_of_two_runs(fit: Fit, tmp_path: Path) -> None:
    network = ("--model", "MLP", "--model.hidden_sizes", "[16]", "--trainer.max_epochs", "3")
    runs = [fit(*DATA, *network, *NOISE), fit(*DATA, *network), fit(*DATA, *network, "--seed_everything", "1")]
    findings = analyse(Similarity([run.run_id for run in runs], images=40), tmp_path)
    values = findings.values
    assert values["layers"] == ["input", "layer 1", "logits"]
    assert sum(not network["trained"] for network in values["networks"]) == 2  # one for each seed
    assert len(values["pairs"]) == 10
    assert all(pair["same layer"][0] == pytest.approx(1) for pair in values["pairs"])
    assert findings.arrays["matrices"].shape == (10, 3, 3)
    other = fit(*DATA, "--model", "MLP", "--model.hidden_sizes", "[8]", "--trainer.max_epochs", "1")
    with pytest.raises(UserError, match="MLP 1x16, MLP 1x8"):
        analyse(Similarity([runs[0].run_id, other.run_id]), tmp_path)


def test_noise_images_lie_apart_and_shuffled_ones_as_they_did(tmp_path: Path) -> None:
    def distances(randomization: str) -> dict[str, Any]:
        return dict(analyse(NearestNeighbours(randomization, dataset="Synthetic", n=200), tmp_path).values)

    true, shuffled, gaussian = map(distances, ("TrueLabels", "ShuffledPixels", "GaussianPixels"))
    assert shuffled == pytest.approx(true, rel=1e-5)
    assert gaussian["median"] / gaussian["norm"] == pytest.approx(2**0.5, rel=0.05)
    assert true["norm"] == pytest.approx(2352**0.5)
    assert true["smallest"] <= true["10 %"] < true["median"] < true["90 %"]


def test_an_analysis_of_no_such_randomization_is_refused() -> None:
    with pytest.raises(UserError, match=r"RandomLabel.*Did you mean 'RandomLabels'"):
        NearestNeighbours("RandomLabel")


# --- weights taken over -------------------------------------------------------------------------------------

SMALL = ("--model", "MLP", "--model.hidden_sizes", "[16]", "--trainer.max_epochs", "2")


def test_a_run_starts_with_all_but_the_last_layer_of_another(fit: Fit) -> None:
    before = fit(*DATA, *SMALL, *NOISE)
    after = fit(*DATA, *SMALL, "--model.weights_from", before.run_id)
    assert after.run_id != fit(*DATA, *SMALL).run_id
    learned, start = (network.model.network.state_dict() for network in (at_the_end(before), initial(after)))
    drawn = MLP([16], num_classes=10).network.state_dict()
    assert [name for name in start if torch.equal(start[name], learned[name])] == ["layers.0.weight", "layers.0.bias"]
    last = [name for name in start if name.startswith("layers.3")]
    assert len(last) == 2
    assert all(torch.equal(start[name], drawn[name]) for name in last)
    assert not torch.equal(drawn["layers.0.weight"], start["layers.0.weight"])
    assert after.setting.weights_from == before.run_id


def test_a_killed_run_does_not_start_over_from_the_other(runs: Path, fit: Fit) -> None:
    """What a checkpoint has comes after the other run's weights."""
    before = fit(*DATA, *SMALL, *NOISE)
    options = ["fit", "--config", "configs/base.yaml", "--precision", "32-true", *DATA, *SMALL]
    options += ["--trainer.devices", "1", "--model.weights_from", before.run_id, "--checkpoint.every_seconds", "0"]

    def train(to: Path, until: int | None = None) -> None:
        to.mkdir(exist_ok=True)
        if not (to / before.run_id).exists():
            (to / before.run_id).symlink_to(before.path.absolute())
        if until is not None:
            kill_at_step(until)
        main([*options, "--runs", str(to)])

    whole, parts = runs.parent / "whole", runs.parent / "parts"
    for to, until, code in ((whole, None, 0), (parts, 1, -signal.SIGKILL), (parts, None, 0)):
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("RETHINK_RUNS", str(to))
            assert fork(lambda to=to, until=until: train(to, until)) == code  # type: ignore[misc]
        assert code == 0 or [*to.glob("*/checkpoints/last.ckpt")], "killed after it was saved"
    states = []
    for to in (whole, parts):
        (folder,) = (path for path in to.iterdir() if path.name != before.run_id and not path.name.startswith("."))
        states.append(torch.load(folder / "checkpoints" / "final.ckpt", weights_only=True)["state_dict"])
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def saved(runs: Path, network: nn.Module, run_id: str = "0123456789ab") -> str:
    """The final weights of a run, and nothing else of it."""
    file = final_weights(runs / run_id)
    file.parent.mkdir(parents=True)
    torch.save({"state_dict": {f"network.{name}": value for name, value in network.state_dict().items()}}, file)
    return run_id


@pytest.mark.parametrize(
    ("theirs", "ours", "message"),
    [
        (MLP([16]), MLP([8]), r"layers.0.weight is \(16, 2352\) there and \(8, 2352\) here"),
        (MLP([16]), MLP([16, 16]), r"layers.3.weight is \(10, 16\) there and \(16, 16\) here"),
        (MLP([16, 10]), MLP([16]), r"layers.6.weight is \(10, 10\) there and missing here"),
        (MLP([16], batch_norm=True), MLP([16]), "layers.0.bias is missing there"),
        (MLP([16]), SmallAlexNet(), "that is another network: .*Choose a run of the same architecture"),
    ],
)
def test_weights_of_another_architecture_are_refused(runs: Path, theirs: Any, ours: Any, message: str) -> None:
    before = {name: value.clone() for name, value in ours.network.state_dict().items()}
    with pytest.raises(UserError, match=message):
        take_over(ours.network, saved(runs, theirs.network))
    assert all(torch.equal(value, before[name]) for name, value in ours.network.state_dict().items())


@pytest.mark.parametrize("kind", [SmallAlexNet, SmallInception])
def test_running_statistics_are_taken_over_and_the_number_of_classes_may_differ(runs: Path, kind: Any) -> None:
    theirs, ours = kind(batch_norm=True, num_classes=4, seed=1).network, kind(batch_norm=True).network
    for module in theirs.modules():
        if isinstance(module, BatchNorm):
            module.running_mean.fill_(0.5)
    last = {name for name, value in ours.state_dict().items() if value.shape[:1] == (10,)}
    take_over(ours, saved(runs, theirs))
    state = ours.state_dict()
    assert len(last) == 2
    assert all(torch.equal(state[name], value) for name, value in theirs.state_dict().items() if name not in last)
    assert {value.shape[0] for name, value in state.items() if name in last} == {10}


def test_a_missing_run_is_named(fit: Fit, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        fit(*DATA, *SMALL, "--model.weights_from", "0123456789ab")
    said = capsys.readouterr().err
    assert "weights_from 0123456789ab: there is no " in said
    assert "0123456789ab/checkpoints/final.ckpt. `rethink show` lists the finished runs" in said


@pytest.mark.parametrize("run_id", ["10670577e994", "123456789012", "1e5000000000", "0123456789ab"])
def test_a_run_id_stays_a_text_whatever_it_looks_like(run_id: str) -> None:
    """jsonargparse takes 10670577e994 for a number, and that one is infinite."""
    arguments = ["fit", "--config", "configs/base.yaml", *DATA, *SMALL, "--model.weights_from", run_id]
    _, parts = identify(arguments)
    assert parts["resolved"]["model.weights_from"] == run_id
    assert yaml.safe_load(yaml.safe_dump({"a": run_id})) == {"a": run_id}
