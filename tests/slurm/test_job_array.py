"""A sweep as a real SLURM job array: every run is made, a preempted one goes on, and the table is that of a laptop."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from jobs import MARKS, Job, run, wait_for

from rethink.report.artefacts import runs_table
from rethink.report.results import Results
from rethink.sweep import local, slurm_array
from rethink.sweep.experiment import Experiment
from rethink.sweep.plan import PlannedRun, plan

pytestmark = MARKS

SWEEP = """
title: six runs
claim: none
cost: seconds
command: none
layers: [configs/base.yaml, configs/data/synthetic.yaml]
options: {model: MLP, "model.hidden_sizes": [16], trainer.devices: 1, data.train_size: 512}
groups:
  - options: {trainer.max_epochs: 3}
    grid: {data.randomization: [TrueLabels, RandomLabels, ShuffledPixels, RandomPixels, GaussianPixels]}
  - options: {trainer.max_epochs: 400, data.randomization: PartiallyCorruptedLabels}
    grid: {data.randomization.probability: [0.5]}
"""
RESOURCES = {"gpus_per_node": 0, "cpus_per_process": 1, "memory_gb": None, "minutes": 10}


@pytest.fixture
def experiment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Experiment:
    (tmp_path / "experiments" / "tiny").mkdir(parents=True)
    (tmp_path / "experiments" / "tiny" / "sweep.yaml").write_text(SWEEP)
    (tmp_path / "configs").symlink_to(Path("configs").resolve())
    (tmp_path / "resources.yaml").write_text(yaml.safe_dump(RESOURCES))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RETHINK_RUNS", str(tmp_path / "cluster"))
    return Experiment.load("tiny", seeds=[0])


def sweep(*arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "rethink", "sweep", *arguments, "--seeds", "0"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def submit(*options: str) -> subprocess.Popen[str]:
    return sweep("run", "tiny", "--launcher", "slurm", "--launcher-config", "resources.yaml", *options)


def is_training(planned: PlannedRun) -> bool:
    return planned.state == "running" and (planned.folder / "history.csv").exists()


def table(experiment: Experiment) -> str:
    results = Results.load(experiment)
    assert not results.all.missing
    return runs_table(results.runs).to_csv()


def test_six_runs_as_an_array_one_of_them_preempted(experiment, tmp_path, monkeypatch):
    planned = plan(experiment).runs
    assert len(planned) == 6
    long = planned[-1]
    first = submit("--detach")
    assert "6 runs" in first.communicate(timeout=120)[0]
    # A second launch, from another terminal, submits nothing and waits for the same jobs.
    second = submit()
    wait_for(lambda: is_training(long), lambda: slurm_array.job_of(long.folder))
    job = Job(slurm_array.job_of(long.folder), tmp_path / "no output of its own")
    job.signal("USR1")
    job.wait("PENDING")
    assert (long.folder / "checkpoints" / "last.ckpt").exists()
    job.start_now()
    said = second.communicate(timeout=300)[0]
    assert second.returncode == 0, said
    assert "job array" not in said
    arrays = {str(slurm_array.job_of(run.folder)).partition("_")[0] for run in planned}
    assert len(arrays) == 1
    on_the_cluster = table(experiment)
    assert (long.folder / "log.txt").read_text().count("$ rethink fit") == 2

    monkeypatch.setenv("RETHINK_RUNS", str(tmp_path / "laptop"))
    assert local.run(plan(experiment).runs, lambda going: [None for _ in iter(going, False)]) == {}
    assert table(experiment) == on_the_cluster


def test_the_exported_script_is_an_array_too_and_cancel_ends_it(experiment, tmp_path):
    *_, long = plan(experiment).runs
    only = ("--only", "label corruption")
    said = submit("--export-only", *only).communicate(timeout=120)[0]
    script = tmp_path / "cluster" / ".sweeps" / "tiny-full" / "array.sh"
    assert str(script) in said
    job = Job(run("sbatch", "--parsable", str(script)).strip() + "_0", tmp_path / "none")
    wait_for(lambda: is_training(long), lambda: job.state)
    cancelled = sweep("cancel", "tiny")
    said = cancelled.communicate(timeout=120)[0]
    assert cancelled.returncode == 0, said
    assert "1 runs are told to stop" in said
    wait_for(lambda: job.state.startswith("CANCELLED"), lambda: job.state)
    assert long.state == "interrupted"
