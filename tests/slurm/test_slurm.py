"""Real SLURM jobs: processes started by srun or torchrun train as one; a preempted job comes back and ends the same."""

from pathlib import Path

import pytest
import torch
from jobs import MARKS, Job, python, submit
from processes import fork
from test_resume import assert_same, result

import rethink.running.command  # noqa: F401  (imported before the forks)
from rethink.cli import main
from rethink.cluster.preemption import EXIT_CODE

pytestmark = MARKS

OPTIONS = [
    *("fit", "--config", "configs/base.yaml", "--precision", "32-true", "--trainer.accelerator", "cpu"),
    *("--model", "MLP", "--model.hidden_sizes", "[16]", "--model.augmentation", "random_crop"),
    *("--data", "Synthetic", "--data.num_train", "500", "--data.num_test", "60", "--data.batch_size", "16"),
    *("--data.randomization", "PartiallyCorruptedLabels", "--data.randomization.probability", "0.5"),
    *("--checkpoint.every_seconds", "10000"),  # only a signal makes it save
]
ONE = ["--trainer.devices", "1"]
TWO = ["--trainer.devices", "2", "--trainer.strategy", "ddp"]
FORKED = ["--trainer.devices", "2", "--trainer.strategy", "ddp_fork"]


def undisturbed(folder: Path, *options: str) -> tuple[dict, dict, dict]:
    """The same in this process' children, without SLURM."""
    assert fork(lambda: main([*OPTIONS, *options, "--runs", str(folder)])) == 0
    return result(folder)


@pytest.mark.parametrize(
    ("script", "options"),
    [
        pytest.param("srun " + python("-m", "rethink"), ["--nodes=1", "--ntasks-per-node=2"], id="srun"),
        pytest.param(
            python("-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "-m", "rethink"),
            ["--nodes=1", "--ntasks-per-node=1"],
            id="torchrun",
        ),
    ],
)
def test_two_ranks_of_a_job_train_as_one(tmp_path, script, options):
    short = ["--trainer.max_epochs", "3"]
    arguments = " ".join(f"'{argument}'" for argument in [*OPTIONS, *short, *TWO, "--runs", f"{tmp_path}/job"])
    job = submit(tmp_path, f"{script} {arguments}", *options)
    weights, history, record = undisturbed(tmp_path / "one", *short, *ONE)
    job.wait("COMPLETED")
    weights2, history2, record2 = result(tmp_path / "job")
    assert record2["run_id"] == record["run_id"]
    assert record2["data"]["digests"] == record["data"]["digests"]
    for name, column in history.items():
        assert history2[name] == pytest.approx(column, rel=2e-4), name
    for name, weight in weights.items():
        torch.testing.assert_close(weights2[name], weight, rtol=1e-3, atol=1e-4)


def begun(runs: Path) -> bool:
    """Whether a run has ended an epoch."""
    return any(runs.glob("*/history.csv"))


def preempt(job: Job, runs: Path, *options: str) -> None:
    """Signals a job that is training, and sees it back in the queue with its run saved."""
    job.wait_until(lambda: begun(runs))
    job.signal("USR1", *options)
    job.wait("PENDING")
    assert "preempted by SIGUSR1" in job.text()
    assert f"saved; SLURM starts job {job.name} again" in job.text()
    (folder,) = runs.glob("*")
    assert (folder / "checkpoints" / "last.ckpt").exists()
    assert not (folder / "lease.json").exists()


@pytest.mark.parametrize("started", ["by the script", "by srun"])
def test_a_preempted_job_is_requeued_and_ends_as_an_undisturbed_one(tmp_path, started):
    long, runs = ["--trainer.max_epochs", "100"], tmp_path / "job"
    mine, theirs = (ONE, ONE) if started == "by the script" else (TWO, FORKED)
    fit = python("-m", "rethink", *OPTIONS, *long, *mine, "--runs", str(runs))
    if started == "by the script":  # which is replaced by it, so that the signal reaches it
        job = submit(tmp_path, f"exec {fit}")
        preempt(job, runs, "--batch")
    else:
        job = submit(tmp_path, f"srun {fit}", "--nodes=1", "--ntasks-per-node=2")
        preempt(job, runs)
    job.start_now()
    job.wait("COMPLETED")
    assert "checkpoints/last.ckpt" in job.text()  # from which it went on
    assert_same(result(runs), undisturbed(tmp_path / "undisturbed", *long, *theirs))


def test_a_cancelled_job_saves_its_run_and_does_not_come_back(tmp_path):
    runs = tmp_path / "job"
    fit = python("-m", "rethink", *OPTIONS, "--trainer.max_epochs", "10000", *ONE, "--runs", str(runs))
    job = submit(tmp_path, f"exec {fit}")
    job.wait_until(lambda: begun(runs))
    job.cancel()
    job.wait("CANCELLED")
    assert f"SLURM is ending job {job.name} itself" in job.text()
    assert any(runs.glob("*/checkpoints/last.ckpt"))


def test_a_job_that_slurm_does_not_requeue(tmp_path):
    """It says so, and ends with the code that the sweep knows."""
    runs = tmp_path / "job"
    fit = python("-m", "rethink", *OPTIONS, "--trainer.max_epochs", "10000", *ONE, "--runs", str(runs))
    job = submit(tmp_path, f"exec {fit}", "--no-requeue")
    job.wait_until(lambda: begun(runs))
    job.signal("USR1", "--batch")
    job.wait("FAILED")
    assert f"SLURM does not requeue job {job.name}" in job.text()
    assert job.exit_code == EXIT_CODE
