"""Streamed images: a killed run goes on with the very next one, for any number of workers, and two ranks are as one."""

import signal
from pathlib import Path

import pytest
import torch
from image_trees import write_tree
from processes import fork, kill_at_step
from test_resume import assert_same, result

import rethink.running.command  # noqa: F401  (imported before the forks, which then cost next to nothing)
from rethink.cli import main
from rethink.data.ahead import read_ahead
from rethink.errors import UserError

# 50 images in batches of 8 are 7 steps an epoch, in calls of 2: 2 epochs, 14 steps.
OPTIONS = [
    *("fit", "--config", "configs/base.yaml", "--precision", "32-true", "--trainer.max_epochs", "2"),
    *("--data", "ImageFolder", "--data.size", "16", "--data.batch_size", "8", "--data.steps_per_call", "2"),
    *("--data.randomization", "PartiallyCorruptedLabels", "--data.randomization.probability", "0.5"),
    *("--checkpoint.every_seconds", "0", "--checkpoint.every_n_steps", "2", "--trainer.accelerator", "cpu"),
    *("--model", "MLP", "--model.hidden_sizes", "[8]", "--model.augmentation", "inception"),
]
ONE, TWO = ["--trainer.devices", "1"], ["--trainer.devices", "2", "--trainer.strategy", "ddp_fork"]


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tree(tmp_path_factory.mktemp("images"), train=50, test=12)


def train(tree: Path, runs: Path, workers: int, *more: str, resident: str = "false") -> None:
    streamed = ["--data.resident", resident, "--data.workers", str(workers), "--data.folder", str(tree)]
    main([*OPTIONS, *streamed, "--runs", str(runs), *more])


@pytest.fixture(scope="module")
def undisturbed(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict, dict, dict]:
    """Resident, without workers."""
    runs = tmp_path_factory.mktemp("undisturbed")
    assert fork(lambda: train(tree, runs, 0, *ONE, resident="true")) == 0
    return result(runs)


@pytest.mark.parametrize(
    ("workers", "step"), [(4, 5), *(pytest.param(w, s, marks=pytest.mark.slow) for w, s in ((0, 5), (1, 5), (1, 9)))]
)
def test_a_killed_run_goes_on_with_the_next_image(tree, tmp_path, undisturbed, workers, step):
    def interrupted() -> None:
        kill_at_step(step)
        train(tree, tmp_path, workers, *ONE)

    assert fork(interrupted) == -signal.SIGKILL
    assert fork(lambda: train(tree, tmp_path, 4 - workers, *ONE)) == 0  # and with another number of workers
    assert_same(result(tmp_path), undisturbed)


def test_two_ranks_with_workers_train_as_one(tree, tmp_path, undisturbed):
    assert fork(lambda: train(tree, tmp_path, 1, *TWO)) == 0
    (weights, history, record), (weights1, history1, record1) = result(tmp_path), undisturbed
    assert record["run_id"] == record1["run_id"]
    assert record["data"] == record1["data"]
    for name, column in history1.items():
        assert history[name] == pytest.approx(column, rel=2e-4), name
    for name, weight in weights1.items():
        torch.testing.assert_close(weights[name], weight, rtol=1e-3, atol=1e-4)


def test_only_what_is_left_of_an_epoch_is_read(tree):
    """Ending the same would not tell: so would a run that reads all images again and drops them."""
    from rethink.data import ImageFolder
    from rethink.data.batches import TrainingBatches

    data = ImageFolder(str(tree), size=16, resident=False)
    data.setup()
    split, read = data.splits["train"], []
    source = split.source
    object.__setattr__(split, "source", lambda index: read.extend(index.tolist()) or source(index))
    every, left = (
        TrainingBatches(split, 8, 0, 2, rank=0, ranks=1, position=lambda done=done: (1, done)) for done in (0, 2)
    )
    order = [p for block in every for batch in block for p in batch.positions.tolist()]
    for block in left:
        for batch in block:
            batch.split.stored(batch.positions)
    assert read == split.index[order[32:]].tolist()
    assert sorted(order) == list(range(50))


@pytest.mark.parametrize("workers", [0, 2])
def test_reading_ahead_keeps_the_order_and_says_what_went_wrong(workers):
    batches = [torch.tensor(batch, dtype=torch.int64) for batch in ([3, 1], [], [2], [0])]
    assert [t.tolist() for t in read_ahead(_double, batches, workers)] == [[6, 2], [], [4], [0]]
    with pytest.raises(UserError, match=r"^7 is too much$"):
        list(read_ahead(_double, [*batches, torch.tensor([7])], workers))


def _double(index: torch.Tensor) -> torch.Tensor:
    if 7 in index:
        raise UserError("7 is too much")
    return 2 * index
