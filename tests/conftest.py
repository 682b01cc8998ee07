"""What the tests share: one thread, so that processes can be forked and results are the same on any machine."""

import os
import signal
import sys

os.environ.setdefault("OMP_NUM_THREADS", "1")
if not any("gpu" in argument for argument in sys.argv[1:]):
    os.environ["CUDA_VISIBLE_DEVICES"] = ""  # what is compared to the last bit is a CPU's
os.environ.setdefault("WANDB_MODE", "offline")
os.environ.setdefault("WANDB_SILENT", "true")

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from rethink.runs.run import Run

torch.set_num_threads(1)
# Ignored where a shell starts what runs in the background, and under nohup.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
REPOSITORY = Path(__file__).parents[1]
_TAKEN: set[Path] = set()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--share", type=Path, metavar="DIR", help="Share the files of tests with another process.")


def pytest_runtest_protocol(item: pytest.Item) -> bool | None:
    """Passes over a file of tests that the process beside this one has taken."""
    share: Path | None = item.config.getoption("--share")
    if share is None or item.path in _TAKEN:
        return None
    try:
        (share / item.path.name).touch(exist_ok=False)
    except FileExistsError:
        return True
    _TAKEN.add(item.path)
    return None


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


@pytest.fixture(scope="session")
def with_known_plans(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Callable[[Path], Path]:
    """Gives a folder of runs the plans of all tests before: each set of options is parsed once in a session."""
    plans = request.config.getoption("--share") or tmp_path_factory.getbasetemp()
    (plans := plans / "plans").mkdir(exist_ok=True)

    def link(runs: Path) -> Path:
        runs.mkdir(parents=True, exist_ok=True)
        (runs / ".plans").symlink_to(plans)
        return runs

    return link


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
def without_png(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leaves PNG files empty, for tests of what an artefact says: its figures are drawn as SVG, and once."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # here: few tests draw

    drawn = FigureCanvasAgg.print_png

    def print_png(self: FigureCanvasAgg, target: Any, **options: Any) -> None:
        if not options:  # to measure texts, a figure is drawn without any
            drawn(self, target)

    monkeypatch.setattr(FigureCanvasAgg, "print_png", print_png)


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
