"""A killed run goes on with the same command and ends the same, to the last bit."""

import json
import signal
from pathlib import Path

import pytest
import torch
from processes import fork, kill_at_step

import rethink.running.command  # noqa: F401  (imported before the forks, which then cost next to nothing)
from rethink.cli import main
from rethink.runs.run import Run

# 200 examples in batches of 16 are 13 steps an epoch, in calls of 4: 3 epochs, 39 steps.
OPTIONS = [
    *("fit", "--config", "configs/base.yaml", "--precision", "32-true", "--trainer.max_epochs", "3"),
    *("--data", "Synthetic", "--data.num_train", "200", "--data.batch_size", "16", "--data.steps_per_call", "4"),
    *("--data.num_test", "60", "--checkpoint.every_seconds", "0", "--checkpoint.every_n_steps", "4"),
    *("--data.randomization", "PartiallyCorruptedLabels", "--data.randomization.probability", "0.5"),
    *("--model", "MLP", "--model.hidden_sizes", "[16]", "--model.dropout", "0.2"),
    *("--model.augmentation", "random_crop_flip_rotate", "--trainer.devices", "1"),
]


def result(runs: Path) -> tuple[dict, dict, dict]:
    """Weights, history and record of the only run, without what may differ between two machines or days."""
    (folder,) = runs.glob("*")
    run = Run.open(folder)
    weights = torch.load(folder / "checkpoints" / "final.ckpt", weights_only=True)["state_dict"]
    history = {k: v for k, v in run.history.items() if not k.startswith(("seconds", "images_per_second"))}
    record = {
        k: v for k, v in run.record.items() if k not in ("durations", "finished", "environment", "config", "files")
    }
    return weights, history, json.loads(json.dumps(record))


def assert_same(one: tuple[dict, dict, dict], other: tuple[dict, dict, dict]) -> None:
    assert one[1:] == other[1:]
    assert one[0].keys() == other[0].keys()
    for name, weight in one[0].items():
        assert torch.equal(weight, other[0][name]), name


def train(runs: Path, *more: str) -> None:
    main([*OPTIONS, "--runs", str(runs), *more])


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict, dict, dict]:
    runs = tmp_path_factory.mktemp("undisturbed")
    assert fork(lambda: train(runs)) == 0
    return result(runs)


# Before the first checkpoint; within epochs; on both sides of the end of an epoch; several times in a row.
@pytest.mark.parametrize(
    "kills",
    [
        *([2], [6], [13], [38], [5, 5, 9]),
        *(pytest.param(kills, marks=pytest.mark.slow) for kills in ([12], [14], [25], [13, 0, 13])),
    ],
)
def test_a_killed_run_ends_as_an_undisturbed_one(tmp_path, undisturbed, kills):
    for step in kills:

        def interrupted(step: int = step) -> None:
            kill_at_step(step)
            train(tmp_path)

        assert fork(interrupted) == -signal.SIGKILL
    assert fork(lambda: train(tmp_path)) == 0
    assert_same(result(tmp_path), undisturbed)


@pytest.mark.parametrize(("step", "left"), [(6, 39 - 4), (14, 39 - 13), (25, 39 - 24), (38, 39 - 36)])
def test_what_was_saved_is_not_trained_again(tmp_path, step, left, capfd):
    """Ending the same would not tell: so would a run that begins anew each time."""

    def interrupted() -> None:
        kill_at_step(step)
        train(tmp_path)

    def goes_on() -> None:
        kill_at_step(left)  # more steps than these would be the end
        train(tmp_path)

    assert fork(interrupted) == -signal.SIGKILL
    assert fork(goes_on) == 0
    assert "checkpoints/last.ckpt" in capfd.readouterr().out
