"""What commands of the terminal take, in seconds of CPU: a start, a list of thousands of runs, a plan of hundreds."""

import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

FIT = ("-m", "rethink", "fit", "--print_config", "--model", "MLP", "--data", "Synthetic")
TORCH = ("-c", "import torch")
RUNS = 5000
EXPERIMENTS = (
    *("fig1a", "fig1b", "fig1c", "fig2b", "table1", "table4"),
    *("regularizer_effects", "early_stopping", "memorization_order", "open_choices"),
)
START_GOAL = 1.5  # of `import torch`
SHOW_GOAL = 1.0  # seconds
PLAN_GOAL = 10.0


def seconds(*arguments: str, runs: Path | None = None) -> float:
    """CPU time of a Python process, its children included; what else the machine does is not in it."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    environment = os.environ | ({} if runs is None else {"RETHINK_RUNS": str(runs)})
    subprocess.run([sys.executable, *arguments], check=True, capture_output=True, env=environment)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def starts(rounds: int) -> tuple[list[float], list[float]]:
    """Of `rethink fit --print_config` and of `import torch`, in turns."""
    turns = [(seconds(*FIT), seconds(*TORCH)) for _ in range(rounds)]
    return [ours for ours, _ in turns], [theirs for _, theirs in turns]


def lists(rounds: int) -> tuple[list[float], list[float]]:
    """Of `rethink show` of 5,000 runs: the newest, and those of a network, the best first."""
    with tempfile.TemporaryDirectory() as folder:
        make_runs(Path(folder), RUNS)
        show = ("-m", "rethink", "show")
        newest = [seconds(*show, runs=Path(folder)) for _ in range(rounds)]
        words = ("MLP", "outcome=finished", "--sort", "test_accuracy")
        return newest, [seconds(*show, *words, runs=Path(folder)) for _ in range(rounds)]


def plans() -> tuple[float, float]:
    """Of a plan of ten experiments, the first and the next."""
    with tempfile.TemporaryDirectory() as folder:
        plan = ("-m", "rethink", "sweep", "plan", *EXPERIMENTS)
        first, again = (seconds(*plan, runs=Path(folder)) for _ in range(2))
        return first, again


def make_runs(root: Path, count: int) -> None:
    """Folders of finished runs: copies of the published records of today's format, with run_ids of their own."""
    published = Path(__file__).parents[1] / "records"
    records = [path for path in sorted(published.glob("*/record.json")) if "identity" in json.loads(path.read_text())]
    for number in range(count):
        shutil.copytree(records[number % len(records)].parent, root / f"{number:012x}")
