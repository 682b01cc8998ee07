"""What the tests share: one thread, so that processes can be forked and results are the same on any machine."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("WANDB_MODE", "offline")
os.environ.setdefault("WANDB_SILENT", "true")

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from rethink.runs.run import Run

torch.set_num_threads(1)
REPOSITORY = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def _repository_is_the_working_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    """Configs are named as in the README."""
    monkeypatch.chdir(REPOSITORY)


@pytest.fixture(autouse=True)
def _the_same_draws_in_every_run_of_the_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test draws without a generator of its own, such as a network's weights, cannot make it fail by chance."""
    torch.manual_seed(0)
    monkeypatch.delenv("PL_GLOBAL_SEED", raising=False)  # of the command that another test gave


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder of runs."""
    folder = tmp_path / "runs"
    monkeypatch.setenv("RETHINK_RUNS", str(folder))
    return folder


@pytest.fixture
def fit(runs: Path) -> Callable[..., Run]:
    """Trains through the real command line, in this process, and opens what it wrote."""
    from rethink.cli import main

    def fit(*options: str) -> Run:
        before = set(runs.glob("*"))
        main(["fit", "--config", "configs/base.yaml", "--precision", "32-true", *options])
        (folder,) = set(runs.glob("*")) - before
        return Run.open(folder)

    return fit


@pytest.fixture
def play_slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Puts commands that answer as told into the path; returns the file that says how they were called."""

    def play(state: str = "RUNNING None", answer: str = "true") -> Path:
        log = tmp_path / "asked"
        commands = tmp_path / "commands"
        commands.mkdir()
        for name, script in (("squeue", f"echo {state}"), ("scontrol", answer)):
            (commands / name).write_text(f'#!/bin/sh\necho {name} "$@" >> {log}\n{script}\n')
            (commands / name).chmod(0o755)
        monkeypatch.setenv("PATH", f"{commands}:{os.environ['PATH']}")
        for name in [name for name in os.environ if name.startswith("SLURM_")]:
            monkeypatch.delenv(name)
        monkeypatch.setenv("SLURM_JOB_ID", "12")
        return log

    return play
