"""Every config file parses and trains through the real command line; adding one file and one config is enough."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

import rethink.models
import rethink.randomization
from rethink.cli import main
from rethink.discovery import subclasses
from rethink.models import Classifier, classifier
from rethink.runs.run import Run
from rethink.training.step import sgd_step

CONFIGS = Path(__file__).parents[1] / "configs"
EXAMPLES = Path(__file__).parent / "examples"
MODEL, DATA = ["--config", "configs/model/mlp_1x512.yaml"], ["--config", "configs/data/synthetic.yaml"]


def layers(folder: str) -> list[str]:
    paths = sorted((CONFIGS / folder).glob("*.yaml"))
    assert paths, folder
    return [f"configs/{folder}/{path.name}" for path in paths]


@pytest.fixture
def run_one_batch(runs: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Trains on one call's batches and evaluates, through the real command line, and sees that steps were taken."""
    losses: list[torch.Tensor] = []

    def watched(*args, **kwargs):
        result = sgd_step(*args, **kwargs)
        losses.append(result[0])
        return result

    def run_one_batch(*options: str) -> None:
        main(["fit", "--config", "configs/base.yaml", *options, "--trainer.fast_dev_run", "true"])
        assert losses
        assert torch.stack(losses).isfinite().all()
        assert not list(runs.glob("*/record.json"))  # a trial leaves no record

    monkeypatch.setattr(classifier, "sgd_step", watched)
    return run_one_batch


def test_every_config_file_is_tested():
    tested = {"configs/base.yaml", *(layer for folder in (*FOLDERS, "launcher") for layer in layers(folder))}
    assert {str(p.relative_to(CONFIGS.parent)) for p in CONFIGS.rglob("*.yaml")} == tested


FOLDERS = ("model", "recipe", "data", "randomization", "logger")
FEW = ["--data.num_train=16", "--data.num_test=8"]  # the larger networks take seconds for hundreds
LARGE = ["--data", "large_images.LargeImages", *("--data.num_train=4", "--data.num_test=2", "--data.batch_size=2")]


@pytest.mark.parametrize("layer", layers("model"))
def test_model_configs(run_one_batch, layer):
    large = any(name in layer for name in ("inception_v3", "resnet50", "vit"))  # those of ImageNet
    head = ["--model.aux_logits", "false"] if "inception_v3" in layer else []
    run_one_batch(*(LARGE if large else [*DATA, *FEW]), "--config", layer, *head)


@pytest.mark.parametrize("layer", layers("recipe"))
def test_recipe_configs(run_one_batch, layer):
    run_one_batch(*DATA, *MODEL, "--config", layer)


@pytest.mark.parametrize("layer", layers("data"))
def test_data_configs(run_one_batch, layer):
    name = Path(layer).stem
    store = Path("data") / {"imagenet": name, "cifar10_jpeg": "cifar10-jpeg"}.get(name, f"{name}.bin")
    if "synthetic" not in layer and not store.exists():
        how = (
            "put its class folders or archives there"
            if name == "imagenet"
            else f"`rethink data get {store.stem}` gets it"
        )
        pytest.skip(f"{store} is not there: {how}")
    run_one_batch("--config", layer, *MODEL)


@pytest.mark.parametrize("layer", layers("randomization"))
def test_randomization_configs(run_one_batch, layer):
    run_one_batch(*DATA, "--config", layer, *MODEL)


@pytest.mark.parametrize("layer", layers("logger"))
def test_logger_configs(run_one_batch, layer, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "offline")
    run_one_batch(*DATA, *MODEL, "--config", layer)


def test_adding_an_architecture_is_one_file_and_one_config(fit, monkeypatch, capsys):
    monkeypatch.setattr(rethink.models, "__path__", [*rethink.models.__path__, str(EXAMPLES)])
    assert "Linear" in subclasses(rethink.models, Classifier)  # found by itself, nothing to register
    run: Run = fit("--config", str(EXAMPLES / "linear.yaml"), *DATA, "--trainer.max_epochs", "2")
    assert run.model == "Linear"
    assert run.record["model"]["parameters"] == 28 * 28 * 3 * 10 + 10
    same = [*("--model", "Linear", "--data", "Synthetic"), "--trainer.max_epochs", "2", "--precision", "32-true"]
    main(["fit", "--config", "configs/base.yaml", *same])
    assert "is finished" in capsys.readouterr().out  # by its short name it is the same run


def test_adding_a_randomization_is_one_file_and_one_config(fit, monkeypatch):
    monkeypatch.setattr(rethink.randomization, "__path__", [*rethink.randomization.__path__, str(EXAMPLES)])
    run: Run = fit(*DATA, "--config", str(EXAMPLES / "neighbouring_labels.yaml"), *MODEL, "--trainer.max_epochs", "2")
    assert run.randomization == "NeighbouringLabels"
    assert 0.4 < run.record["label_corruption"]["corrupted"] / run.train_size < 0.6
    assert run.record["label_corruption"]["changed"] == run.record["label_corruption"]["corrupted"]
