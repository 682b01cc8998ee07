"""Lightning's own flags mean what they mean elsewhere, or are refused in one line before anything is written.

Each row of the table goes through `rethink fit`, and through a Trainer of one's own where there is such a thing. A run
has the run_id of the plain one only if it ends with its weights, to the last bit.
"""

import csv
import json
import shlex
from dataclasses import dataclass, field
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch import Trainer, callbacks
from lightning.pytorch.loggers import CSVLogger
from torch import Tensor

from rethink.cli import main
from rethink.data import Synthetic
from rethink.errors import UserError
from rethink.models import MLP
from rethink.runs.run import Run, final_weights
from rethink.training.checkpoints import read_checkpoint

PLAIN = [
    *("fit", "--config", "configs/base.yaml", "--model", "MLP", "--model.hidden_sizes", "[4]", "--data", "Synthetic"),
    *("--data.num_train", "60", "--data.num_test", "20", "--data.batch_size", "16", "--trainer.max_epochs", "2"),
    *("--trainer.devices", "1", "--trainer.accelerator", "cpu", "--precision", "32-true"),
]
CSV = "--trainer.logger CSVLogger"
MEASURED = {"train/loss", "train/accuracy", "test/loss", "test/accuracy", "online/loss", "learning_rate"}


@dataclass(frozen=True)
class Row:
    """What a flag does: `same` is whether the run is the plain one, None for `own` that there is no such thing."""

    words: str
    own: Any = None  # arguments of a Trainer of one's own, or a function that gives them
    same: bool = False
    steps: int = 8  # two epochs of three batches of 16 and one of 12
    own_steps: int | None = None
    ended: str = "budget spent"
    measured: set[str] = field(default_factory=lambda: MEASURED)
    refused: str = ""
    own_refused: str = ""


def call(name: str, **arguments: Any) -> Any:
    """Arguments with a callback, made when it is used."""
    return lambda: {"callbacks": [getattr(callbacks, name)(**arguments)]}


def added(name: str, **arguments: Any) -> str:
    words = [f"--trainer.callbacks+={name}", *(f"--trainer.callbacks.{k}={v}" for k, v in arguments.items())]
    return shlex.join(words)


T = "--trainer."
UNMEASURED = {"online/loss", "online/accuracy", "learning_rate"}
ROWS = {
    "fast_dev_run": Row(T + "fast_dev_run true", {"fast_dev_run": True}, own_steps=1),
    "limit_train_batches": Row(T + "limit_train_batches 3", {"limit_train_batches": 3}, steps=6),
    "limit_train_batches, a share": Row(T + "limit_train_batches 0.5", {"limit_train_batches": 0.5}, steps=4),
    "limit_train_batches 0": Row(
        T + "limit_train_batches 0", {"limit_train_batches": 0}, refused="0 trains nothing", own_steps=0
    ),
    "limit_val_batches": Row(T + "limit_val_batches 1", {"limit_val_batches": 1}),
    "limit_val_batches 0": Row(T + "limit_val_batches 0", {"limit_val_batches": 0}, measured=UNMEASURED),
    "limit_test_batches": Row(T + "limit_test_batches 1", {"limit_test_batches": 1}, same=True),
    "overfit_batches": Row(T + "overfit_batches 2", {"overfit_batches": 2}, steps=4),
    "accumulate_grad_batches": Row(
        T + "accumulate_grad_batches 2", {"accumulate_grad_batches": 2}, refused="batch_size", own_refused="accumulate"
    ),
    "gradient_clip_val": Row(
        T + "gradient_clip_val 0.5", {"gradient_clip_val": 0.5}, refused="gradient_clip_val=0.5", own_refused="clip"
    ),
    "gradient_clip_algorithm": Row(
        T + "gradient_clip_val 1 --trainer.gradient_clip_algorithm norm",
        {"gradient_clip_val": 1, "gradient_clip_algorithm": "norm"},
        refused="without clipping",
        own_refused="clipping",
    ),
    "val_check_interval": Row(T + "val_check_interval 0.5", {"val_check_interval": 0.5}, refused="a row per epoch"),
    "check_val_every_n_epoch": Row(T + "check_val_every_n_epoch 2", {"check_val_every_n_epoch": 2}),
    "max_time": Row(T + "max_time 00:01:00:00", {"max_time": "00:01:00:00"}),
    "max_steps": Row(T + "max_steps 3", {"max_steps": 3}, steps=3),
    "max_epochs 0": Row(T + "max_epochs 0", {"max_epochs": 0}, refused="0 trains nothing", own_steps=0),
    "min_epochs": Row(
        T + "min_epochs 2 --trainer.max_epochs 3 --convergence.stop_rule=loss<99 --convergence.stop_after 0",
        {"min_epochs": 2},
        ended="stop rule met",
    ),
    "num_sanity_val_steps": Row(T + "num_sanity_val_steps 2", {"num_sanity_val_steps": 2}, same=True),
    "reload_dataloaders": Row(T + "reload_dataloaders_every_n_epochs 1", {"reload_dataloaders_every_n_epochs": 1}),
    **{
        f"precision {name}": Row(f"--precision auto --trainer.precision {name}", {"precision": name})
        for name in ("64-true", "bf16-true", "16-true", "bf16-mixed", "64", "bf16")
    },
    "precision 64-true, moments recomputed": Row(
        "--precision 64-true --model.batch_norm true --model.evaluation_statistics recomputed"
    ),
    "precision, two of them": Row("--trainer.precision 64-true", refused="two things"),
    "precision 32-true": Row("--trainer.precision 32-true", {"precision": "32-true"}, same=True),
    # Without a GPU a Trainer of one's own takes bf16-mixed for it, and says so.
    "precision 16-mixed": Row(
        "--precision auto --trainer.precision 16-mixed", {"precision": "16-mixed"}, refused="a scaled loss"
    ),
    "precision transformer-engine": Row(
        "--precision auto --trainer.precision transformer-engine", refused="transformer_engine"
    ),
    "profiler": Row(T + "profiler simple", {"profiler": "simple"}, same=True),
    "profiler advanced": Row(T + "profiler advanced", {"profiler": "advanced"}, same=True),
    "detect_anomaly": Row(T + "detect_anomaly true", {"detect_anomaly": True}, same=True),
    "deterministic": Row(T + "deterministic true", {"deterministic": True}, same=True),
    "benchmark": Row(T + "benchmark true", {"benchmark": True}, same=True),
    "barebones": Row(T + "barebones true", {"barebones": True}, refused="keeps a record"),
    "inference_mode": Row(T + "inference_mode false", {"inference_mode": False}, same=True),
    "enable_checkpointing": Row(
        T + "enable_checkpointing false", {"enable_checkpointing": False}, refused="goes on after a kill"
    ),
    "enable_progress_bar": Row(T + "enable_progress_bar false", {"enable_progress_bar": False}, same=True),
    "enable_model_summary": Row(T + "enable_model_summary true", {"enable_model_summary": True}, same=True),
    "plugins, a precision": Row(
        "--precision auto --trainer.plugins lightning.pytorch.plugins.MixedPrecision "
        "--trainer.plugins.precision bf16-mixed --trainer.plugins.device cpu"
    ),
    "plugins, checkpoints": Row(T + "plugins lightning.pytorch.plugins.io.AsyncCheckpointIO", refused="with a digest"),
    "logger CSV": Row(CSV, lambda: {"logger": CSVLogger("logs")}, same=True),
    "logger TensorBoard": Row(T + "logger TensorBoardLogger", same=True),
    "logger MLflow": Row(T + "logger MLFlowLogger", same=True),
    "EarlyStopping": Row(
        added("EarlyStopping", monitor="train/loss", stopping_threshold=99),
        call("EarlyStopping", monitor="train/loss", stopping_threshold=99),
        steps=4,
        ended="stopped early",
    ),
    "EarlyStopping of nothing": Row(
        added("EarlyStopping", monitor="val_loss"),
        call("EarlyStopping", monitor="val_loss"),
        refused="no epoch measures 'val_loss'. There are online/loss",
        own_refused="val_loss",
    ),
    "ModelCheckpoint": Row(
        added("ModelCheckpoint", every_n_train_steps=3, save_top_k=-1),
        call("ModelCheckpoint", every_n_train_steps=3, save_top_k=-1),
        same=True,
    ),
    "StochasticWeightAveraging": Row(
        added("StochasticWeightAveraging", swa_lrs=0.1),
        call("StochasticWeightAveraging", swa_lrs=0.1),
        refused="has an `average`",
        own_refused="has an `average`",
    ),
    "EMAWeightAveraging": Row(added("EMAWeightAveraging"), call("EMAWeightAveraging")),
    "LearningRateMonitor": Row(
        f"{CSV} {added('LearningRateMonitor', logging_interval='step')} --trainer.log_every_n_steps 1",
        lambda: call("LearningRateMonitor")() | {"logger": CSVLogger("logs")},
        same=True,
    ),
    "LearningRateMonitor without a logger": Row(
        added("LearningRateMonitor"), call("LearningRateMonitor"), refused="needs a logger", own_refused="no logger"
    ),
    "DeviceStatsMonitor": Row(
        f"{CSV} {added('DeviceStatsMonitor')}",
        lambda: call("DeviceStatsMonitor")() | {"logger": CSVLogger("logs")},
        same=True,
    ),
    "Timer": Row(added("Timer", duration="00:01:00:00"), call("Timer", duration="00:01:00:00")),
    "GradientAccumulationScheduler": Row(
        added("GradientAccumulationScheduler", scheduling="{0: 2}"),
        call("GradientAccumulationScheduler", scheduling={0: 2}),
        refused="larger batch_size",
        own_refused="larger batch_size",
    ),
    "BatchSizeFinder": Row(
        added("BatchSizeFinder"), call("BatchSizeFinder"), refused="another batch_size", own_refused="batch_size"
    ),
    "LearningRateFinder": Row(
        added("LearningRateFinder"), call("LearningRateFinder"), refused="another learning_rate", own_refused="rate"
    ),
}


@pytest.fixture(autouse=True)
def _global_switches_are_put_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    yield
    torch.use_deterministic_algorithms(False)
    torch.backends.cudnn.benchmark = False
    torch.autograd.set_detect_anomaly(False)


def weights(run: Run) -> dict[str, Tensor]:
    return read_checkpoint(final_weights(run.path))["state_dict"]


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("plain")
    main([*PLAIN, "--runs", str(folder)])
    (record,) = folder.glob("*/record.json")
    return Run.open(record.parent)


def possible(name: str) -> None:
    if name == "logger MLflow" and not find_spec("mlflow"):
        pytest.skip("mlflow is not installed: pip install 'rethink[mlflow]'")
    if name == "logger TensorBoard" and not find_spec("tensorboard"):
        pytest.skip("tensorboard is not installed: pip install 'rethink[tensorboard]'")
    if name == "DeviceStatsMonitor" and not find_spec("psutil"):
        pytest.skip("psutil is not installed, which Lightning needs for it")
    if "transformer-engine" in name and find_spec("transformer_engine"):
        pytest.skip("it would need a GPU")


@pytest.mark.parametrize("name", ROWS)
def test_fit_trains_as_asked_or_refuses(name, plain, runs, capsys):
    possible(name)
    row = ROWS[name]
    if row.refused:
        with pytest.raises(SystemExit) as exit:
            main([*PLAIN, *shlex.split(row.words)])
        assert exit.value.code == 2
        (line,) = capsys.readouterr().err.strip().splitlines()
        assert row.refused in line
        assert not list(runs.glob("*"))
        return
    main([*PLAIN, *shlex.split(row.words)])
    if name == "fast_dev_run":
        assert not list(runs.glob("*"))  # a try leaves nothing
        return
    (folder,) = runs.iterdir()
    run = Run.open(folder)
    assert run.run_id == folder.name
    assert (run.final("step"), run.record["ended"]) == (row.steps, row.ended)
    assert row.measured <= run.record["final"].keys()
    assert len(run.history["epoch"]) == run.last_epoch
    assert set(plain.record) == set(run.record)
    assert (run.run_id == plain.run_id) == row.same
    if row.same:
        ours, theirs = weights(run), weights(plain)
        assert all(torch.equal(ours[key], theirs[key]) for key in theirs)
        assert run.record["final"] == plain.record["final"]
    if run.record["config"]["trainer"]["logger"]:
        assert [path for path in folder.rglob("*") if path.suffix not in (".json", ".csv", ".yaml", ".ckpt")] or list(
            folder.rglob("metrics.csv")
        )


@pytest.mark.parametrize("name", [name for name, row in ROWS.items() if row.own is not None])
def test_a_trainer_of_ones_own_trains_as_asked_or_refuses(name, tmp_path, monkeypatch):
    possible(name)
    row = ROWS[name]
    monkeypatch.chdir(tmp_path)
    chosen = row.own() if callable(row.own) else row.own
    model, data = MLP(hidden_sizes=[4]), Synthetic(num_train=60, num_test=20, batch_size=16)
    quiet = {} if "barebones" in chosen else {"logger": False, "enable_progress_bar": False}
    trainer = Trainer(accelerator="cpu", devices=1, **{"max_epochs": 2} | quiet | chosen)
    if row.own_refused:
        with pytest.raises((UserError, MisconfigurationException, RuntimeError), match=row.own_refused):
            trainer.fit(model, data)
        return
    evaluated: list[int] = []
    monkeypatch.setattr(
        model, "on_validation_end", partial(lambda steps: steps.append(trainer.global_step), evaluated), raising=False
    )
    trainer.fit(model, data)
    assert trainer.global_step == (row.steps if row.own_steps is None else row.own_steps)
    assert model.dtype == {"64-true": torch.float64, "bf16-true": torch.bfloat16, "16-true": torch.float16}.get(
        chosen.get("precision"), torch.float64 if chosen.get("precision") == "64" else torch.float32
    )
    if trainer.global_step:
        assert row.measured <= {*model.epoch_metrics}
    if name == "val_check_interval":
        assert sorted({*evaluated} - {0}) == [2, 4, 6, 8]


def test_overfitted_batches_are_the_same_ones_in_every_epoch():
    seen: list[Tensor] = []

    class Watch(callbacks.Callback):
        def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
            seen.extend(batch.positions)

    data = Synthetic(num_train=60, num_test=20, batch_size=16)
    options: dict[str, Any] = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    trainer = Trainer(overfit_batches=2, max_epochs=3, callbacks=[Watch()], accelerator="cpu", **options)
    trainer.fit(MLP(hidden_sizes=[4]), data)
    assert torch.equal(torch.cat(seen), torch.arange(32).repeat(3))


def test_a_monitor_counts_optimizer_steps(runs):
    main([*PLAIN, *shlex.split(ROWS["LearningRateMonitor"].words)])
    (file,) = runs.rglob("metrics.csv")
    rows = [row for row in csv.DictReader(file.open()) if row.get("lr-SGD")]
    assert [int(row["step"]) for row in rows] == list(range(8))


@pytest.mark.parametrize("precision", ["64-true", "bf16-true"])
def test_sums_are_exact_in_every_precision(precision, runs):
    """The mean over an epoch's minibatches, at a learning rate of nearly nothing, is the evaluation at its end."""
    main([*PLAIN, "--precision", precision, "--model.learning_rate", "1e-12", "--trainer.max_epochs", "1"])
    (record,) = runs.glob("*/record.json")
    final = json.loads(record.read_text())["final"]
    assert final["online/loss"] == pytest.approx(final["train/loss"], rel=1e-6)
