"""The command line, for real, in process: a run is one folder, found again by what it is."""

import shutil

import pytest
import yaml

from rethink.callbacks.checkpoint import RunCheckpoint
from rethink.cli import main
from rethink.data import Synthetic
from rethink.errors import UserError
from rethink.running.identification import identify
from rethink.runs.run import Run

TINY = [
    *("--model", "MLP", "--model.hidden_sizes", "[16]", "--data", "Synthetic", "--data.num_train", "96"),
    *("--data.num_test", "40", "--trainer.max_epochs", "2", "--trainer.devices", "1"),
]


def test_a_finished_run_is_not_repeated(fit, runs, capsys):
    run = fit(*TINY)
    written = (run.path / "record.json").read_text()
    capsys.readouterr()
    main(["fit", "--config", "configs/base.yaml", "--precision", "32-true", *TINY])
    assert "is finished" in capsys.readouterr().out
    assert (run.path / "record.json").read_text() == written
    assert len(list(runs.glob("*"))) == 1


def test_the_saved_config_is_the_same_run(fit, runs, capsys):
    run = fit(*TINY, "--force")
    main(["fit", "--config", str(run.path / "config.yaml")])
    assert f"{run.path} is finished" in capsys.readouterr().out
    (run.path / "record.json").unlink()
    main(["fit", "--config", str(run.path / "config.yaml")])
    again = Run.open(run.path)
    assert again.run_id == run.run_id
    assert again.record["final"] == run.record["final"]
    assert len(list(runs.glob("*"))) == 1


def test_force_trains_anew(fit):
    run = fit(*TINY)
    before = run.record["finished"], (run.path / "record.json").stat().st_mtime_ns
    main(["fit", "--config", str(run.path / "config.yaml"), "--force"])
    assert (Run.open(run.path).record["finished"], (run.path / "record.json").stat().st_mtime_ns) != before
    assert yaml.safe_load((run.path / "config.yaml").read_text())["force"] is False


def test_a_finished_run_is_kept_until_the_forced_one_has_finished(fit, capsys, monkeypatch):
    run = fit(*TINY, "--checkpoint.keep_epochs", "[1]")
    again = ["fit", "--config", str(run.path / "config.yaml"), "--checkpoint.every_seconds", "0"]
    with monkeypatch.context() as context:
        context.setattr(RunCheckpoint, "on_train_epoch_start", interrupted_in_the_second_epoch)
        for _ in range(2):
            with pytest.raises(RuntimeError, match="killed"):
                main([*again, "--force"])
            with pytest.raises(UserError, match="has not finished"):
                Run.open(run.path)
            assert Run.open(run.path / "before").record == run.record
            assert (run.path / "before" / "checkpoints" / "epoch_0001.ckpt").is_file()
    shutil.copytree(run.path, restored := run.path.with_name("restored"))
    shutil.copytree(restored / "before", restored, dirs_exist_ok=True)
    assert Run.open(restored).record == run.record
    capsys.readouterr()
    main(again)
    assert f"from {run.path}/checkpoints/last.ckpt" in capsys.readouterr().out
    assert Run.open(run.path).record["final"] == run.record["final"]
    assert not (run.path / "before").exists()


def interrupted_in_the_second_epoch(callback, trainer, module):
    if trainer.current_epoch == 1:
        raise RuntimeError("killed")


def test_a_forced_run_that_is_refused_leaves_what_was_finished(fit, monkeypatch):
    run = fit(*TINY)
    monkeypatch.setattr(Synthetic, "load", refused)
    with pytest.raises(SystemExit):
        main(["fit", "--config", str(run.path / "config.yaml"), "--force"])
    assert Run.open(run.path).record == run.record


def refused(data):
    raise UserError("there are no images")


def test_another_config_is_another_folder(fit, runs):
    one = fit(*TINY)
    written = {path: path.read_bytes() for path in one.path.glob("*.*")}
    two = fit(*TINY, "--model.learning_rate", "0.02")
    assert one.path != two.path
    assert {path: path.read_bytes() for path in one.path.glob("*.*")} == written


def test_what_cannot_change_a_result_is_the_same_run(fit, capsys):
    run = fit(*TINY)
    for options in (
        ["--checkpoint.every_seconds", "1"],
        ["--group", "other"],
        ["--progress.log_every_seconds", "1"],
    ):
        main(["fit", "--config", str(run.path / "config.yaml"), *options])
        assert "is finished" in capsys.readouterr().out


@pytest.mark.parametrize("command", ["validate", "test"])
def test_the_final_weights_are_evaluated_by_the_saved_config(fit, command, capsys):
    run = fit(*TINY)
    before = {path: path.read_bytes() for path in run.path.rglob("*.*")}
    capsys.readouterr()
    main([command, "--config", str(run.path / "config.yaml")])
    printed = dict(line.split() for line in capsys.readouterr().out.splitlines())
    assert {"train/accuracy", "test/accuracy", "test_randomized/loss"} <= set(printed)
    for name, value in printed.items():
        assert float(value) == pytest.approx(run.final(name), rel=1e-5)
    assert {path: path.read_bytes() for path in run.path.rglob("*.*")} == before


def test_predictions_agree_with_the_record(fit):
    run = fit(*TINY)
    main(["predict", "--config", str(run.path / "config.yaml")])
    header, *rows = [line.split(",") for line in (run.path / "predictions.csv").read_text().split()]
    assert header == ["index", "true_label", "predicted", "probability"]
    assert len(rows) == 40
    assert sum(row[1] == row[2] for row in rows) / 40 == pytest.approx(run.final("test/accuracy"))


def test_evaluation_of_a_run_that_is_not_there(runs, capsys):
    with pytest.raises(SystemExit):
        main(["validate", *TINY])
    assert "Train the run first" in capsys.readouterr().err


def test_print_config_runs_again(runs, capsys, tmp_path):
    with pytest.raises(SystemExit) as exit:
        main(["fit", "--config", "configs/base.yaml", *TINY, "--print_config"])
    assert exit.value.code in (0, None)
    config = tmp_path / "printed.yaml"
    config.write_text(capsys.readouterr().out)
    main(["fit", "--config", str(config), "--trainer.fast_dev_run", "true"])
    assert not list(runs.glob("*"))


def test_help_of_a_class_says_what_its_switches_do(capsys):
    with pytest.raises(SystemExit) as exit:
        main(["fit", "--model.help", "MLP"])
    assert exit.value.code in (0, None)
    output = " ".join(capsys.readouterr().out.split())
    assert "Sizes of the hidden layers" in output
    assert "--model.weight_decay" in output


def test_help_lists_the_options(capsys):
    with pytest.raises(SystemExit) as exit:
        main(["fit", "--help"])
    assert exit.value.code in (0, None)
    output = capsys.readouterr().out
    for option in (
        "--model",
        "--data",
        "--trainer.max_epochs",
        "--wandb",
        "--force",
        "--convergence.stop_rule",
    ):
        assert option in output


# Loggers as Lightning users know them.


def test_csv_logger_writes_into_the_run(fit):
    run = fit(*TINY, "--trainer.logger", "lightning.pytorch.loggers.CSVLogger")
    (metrics,) = run.path.glob("lightning_logs/version_0/metrics.csv")
    header, *rows = [line.split(",") for line in metrics.read_text().split()]
    logged = [dict(zip(header, row, strict=True)) for row in rows]
    assert [float(row["train/accuracy"]) for row in logged] == pytest.approx(run.history["train/accuracy"])
    assert [float(row["step"]) for row in logged] == run.history["step"]


def test_csv_logger_writes_elsewhere_if_told(fit, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    fit(*TINY, "--trainer.logger", "CSVLogger", "--trainer.logger.save_dir", str(elsewhere))
    assert list(elsewhere.glob("lightning_logs/version_0/metrics.csv"))


def test_tensorboard_logger_writes_into_the_run_or_says_what_is_missing(fit, runs, capsys):
    options = [*TINY, "--trainer.logger", "TensorBoardLogger"]
    try:
        import tensorboard  # type: ignore[import-not-found]  # noqa: F401
    except ModuleNotFoundError:
        with pytest.raises(SystemExit):
            fit(*options)
        message = capsys.readouterr().err
        assert "tensorboard" in message
        assert len(message.strip().splitlines()) == 1
        assert not list(runs.glob("*"))
    else:
        assert list(fit(*options).path.glob("lightning_logs/version_0/events*"))


@pytest.mark.parametrize(
    ("option", "recipe"),
    [
        ("model.recipe.average", ["--model.recipe", "SGD", "--model.recipe.learning_rate", "0.1"]),
        ("model.recipe.rate_batch", ["--model.recipe", "SGD", "--model.recipe.learning_rate", "0.1"]),
        ("data.train_size", []),
    ],
)
def test_null_is_taken_where_it_is_the_default(option, recipe):
    """What a file sets can be unset on the command line, in a class within a class too."""
    words = ["fit", "--config", "configs/base.yaml", "--model", "MLP", "--data", "Synthetic", *recipe]
    assert identify([*words, f"--{option}", "null"])[0] == identify(words)[0]
