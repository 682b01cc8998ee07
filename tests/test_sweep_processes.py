"""Sweeps as processes: two at once train nothing twice, and one that is killed goes on to the same table."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from rethink.cluster.lease import holder
from rethink.report.artefacts import runs_table
from rethink.report.results import Results
from rethink.sweep.experiment import Experiment

pytestmark = pytest.mark.slow

SWEEP = """
title: a few small runs
claim: none
cost: seconds
command: none
layers: [configs/base.yaml, configs/data/synthetic.yaml]
options: {model: MLP, "model.hidden_sizes": [16], data.train_size: 512, trainer.max_epochs: 40, trainer.devices: 1}
seeds: [0]
groups:
  - grid: {data.randomization: [TrueLabels, RandomLabels, ShuffledPixels, RandomPixels]}
"""


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with one experiment, and the configs."""
    (tmp_path / "experiments" / "tiny").mkdir(parents=True)
    (tmp_path / "experiments" / "tiny" / "sweep.yaml").write_text(SWEEP)
    (tmp_path / "configs").symlink_to(Path("configs").resolve())
    monkeypatch.chdir(tmp_path)
    return tmp_path


def sweep(store: Path, *options: str) -> subprocess.Popen[str]:
    """`rethink sweep run tiny` with its runs in a store."""
    return subprocess.Popen(
        [sys.executable, "-m", "rethink", "sweep", "run", "tiny", "--workers", "1", *options],
        env=os.environ | {"RETHINK_RUNS": str(store), "CUDA_VISIBLE_DEVICES": ""},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def table(store: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("RETHINK_RUNS", str(store))
    results = Results.load(Experiment.load("tiny"))
    assert not results.all.missing
    return runs_table(results.runs).to_csv()


def wait_for(condition, seconds: float = 180.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)


def begun(store: Path) -> list[Path]:
    return list(store.glob("*/history.csv"))


def test_two_sweeps_at_once_train_nothing_twice_and_one_that_is_killed_goes_on(repository, tmp_path, monkeypatch):
    undisturbed = tmp_path / "undisturbed"
    both = [sweep(undisturbed), sweep(undisturbed)]
    said = [process.communicate(timeout=300)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    for folder in undisturbed.glob("*/"):
        if not folder.name.startswith("."):
            log = (folder / "log.txt").read_text()
            assert log.count(f"run {folder.name} in ") == 1, log

    disturbed = tmp_path / "disturbed"
    for number in (1, 2):  # killed twice, in two places
        process = sweep(disturbed)
        wait_for(lambda number=number: len(begun(disturbed)) >= number)
        process.send_signal(signal.SIGKILL)
        process.communicate()
    # Its workers notice that it is gone, save what they have, and leave.
    wait_for(lambda: not any(holder(folder) for folder in disturbed.glob("*/") if not folder.name.startswith(".")))
    assert len(list(disturbed.glob("*/record.json"))) < 4
    last = sweep(disturbed)
    said = last.communicate(timeout=300)[0]
    assert last.returncode == 0, said
    assert table(disturbed, monkeypatch) == table(undisturbed, monkeypatch)


def test_a_sweep_that_is_stopped_saves_its_runs(repository, tmp_path):
    store = tmp_path / "store"
    process = sweep(store, "--only", "true labels")
    wait_for(lambda: len(begun(store)) == 1)
    process.send_signal(signal.SIGTERM)
    said = process.communicate(timeout=120)[0]
    assert process.returncode == 130, said
    (folder,) = (path for path in store.glob("*/") if not path.name.startswith("."))
    assert (folder / "checkpoints" / "last.ckpt").exists() or (folder / "record.json").exists()
    assert holder(folder) is None


SLOW = """
import time

from rethink.models import MLP, classifier

step = classifier.sgd_step


def slowly(*args, **kwargs):
    time.sleep(0.5)
    return step(*args, **kwargs)


classifier.sgd_step = slowly


class Slow(MLP):
    pass
"""


@pytest.mark.parametrize("twice", [False, True])
def test_a_sweep_waits_for_a_run_to_save_itself_and_a_second_interruption_ends_at_once(repository, tmp_path, twice):
    """A block of 16 steps takes eight seconds here, and may take minutes elsewhere."""
    (repository / "slow.py").write_text(SLOW)
    sweep_file = repository / "experiments" / "tiny" / "sweep.yaml"
    sweep_file.write_text(
        SWEEP.replace("model: MLP", "model: slow.Slow").replace("trainer.max_epochs: 40", "data.batch_size: 8")
    )
    store = tmp_path / "store"
    process = sweep(store, "--only", "true labels")
    try:
        wait_for(lambda: any(holder(folder) for folder in folders(store)))
        (folder,) = folders(store)
        wait_for(lambda: f"run {folder.name} in " in (folder / "log.txt").read_text())
        time.sleep(2)
        process.send_signal(signal.SIGINT)
        time.sleep(1.5)
        interrupted = time.monotonic()
        if twice:
            process.send_signal(signal.SIGINT)
        said = process.communicate(timeout=120)[0]
    finally:
        process.kill()
    assert process.returncode == 130, said
    assert f"Waiting until these have saved themselves: {folder.name}. Ctrl-C again ends at once." in said
    assert holder(folder) is None
    if twice:
        assert time.monotonic() - interrupted < 4
    else:
        assert "1 of 1 are left." in said
        assert (folder / "checkpoints" / "last.ckpt").exists(), said


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 8 MB."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", place], capture_output=True, text=True)
    if mounted.returncode != 0:
        pytest.skip(f"mounting is not allowed here: {mounted.stderr.strip()}")
    yield place
    subprocess.run(["umount", place], check=True)


def test_a_full_disk_loses_nothing_that_is_finished(repository, small_disk, monkeypatch):
    first = sweep(small_disk, "--only", "true labels")
    assert first.wait(timeout=300) == 0
    filler = small_disk / "filler"
    with contextlib.suppress(OSError), filler.open("wb") as file:
        while True:
            file.write(b"0" * 4096)
            file.flush()
    full = sweep(small_disk)
    said = full.communicate(timeout=300)[0]
    assert full.returncode == 2, said
    assert said.count("No space left on device") >= 3, said
    assert "Traceback" not in said
    filler.unlink()
    again = sweep(small_disk)
    said = again.communicate(timeout=300)[0]
    assert again.returncode == 0, said
    assert table(small_disk, monkeypatch).count("\n") == 5


def folders(store: Path) -> list[Path]:
    return [path for path in store.glob("*/") if not path.name.startswith(".")]


def test_a_cancelled_sweep_saves_what_it_trains_and_takes_nothing_up_again(repository, tmp_path, monkeypatch):
    store = tmp_path / "store"
    process = sweep(store)
    wait_for(lambda: begun(store))
    asked = [sys.executable, "-m", "rethink", "sweep", "cancel", "tiny"]
    cancelled = subprocess.run(asked, env=os.environ | {"RETHINK_RUNS": str(store)}, capture_output=True, text=True)
    assert "1 runs are told to stop" in cancelled.stdout, cancelled.stderr
    said = process.communicate(timeout=120)[0]
    assert process.returncode == 2, said
    assert said.count("cancelled; the same command goes on") >= 3, said
    (folder,) = folders(store)
    assert (folder / "log.txt").read_text().count("$ rethink fit") == 1
    again = sweep(store)
    said = again.communicate(timeout=300)[0]
    assert again.returncode == 0, said
    table(store, monkeypatch)


def test_a_worker_that_is_killed_fails_its_run_only_with_all_its_processes(repository, tmp_path):
    store = tmp_path / "store"
    process = sweep(store, "--devices", "2", "--only", "true labels", "--only", "random labels")
    wait_for(lambda: begun(store))
    (folder,) = folders(store)
    owner = holder(folder)
    worker = os.getpgid(owner.pid)  # which leads the session of its run's processes
    os.kill(worker, signal.SIGKILL)
    said = process.communicate(timeout=300)[0]
    assert process.returncode == 2, said
    assert f"{folder.name}: its process was killed by SIGKILL (out of memory?)" in said
    assert holder(folder) is None
    assert len(list(store.glob("*/record.json"))) == 1
