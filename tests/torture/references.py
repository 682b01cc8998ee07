"""What undisturbed commands give, kept on disk by their options and the digest of the code; how two are compared."""

import csv
import hashlib
import json
import os
import shlex
import shutil
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import torch

from torture import commands
from torture.faults import copy_tree
from torture.moments import Moment, kill_all
from torture.settings import FIGURES, SWEEP, Setting

REPOSITORY = Path(__file__).parents[2]
_KEPT = REPOSITORY / ".pytest_cache" / "d" / "torture"
_OF_MACHINE = ("durations", "finished", "environment", "config", "digest", "files", "files_digest")
_DURATIONS = ("seconds", "images_per_second")
EXPERIMENT = "tiny"


@cache
def code_digest() -> str:
    """Of what can change a result: the package, the base configuration, torch."""
    digest = hashlib.sha256(torch.__version__.encode())
    for path in [REPOSITORY / "configs" / "base.yaml", *sorted((REPOSITORY / "rethink").rglob("*.py"))]:
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def new_place(place: Path) -> Path:
    """A working folder with the configs and a small experiment."""
    experiment = place / "experiments" / EXPERIMENT
    experiment.mkdir(parents=True, exist_ok=True)
    (experiment / "sweep.yaml").write_text(SWEEP)
    (experiment / "figures.py").write_text(FIGURES)
    if not (place / "configs").exists():
        (place / "configs").symlink_to(REPOSITORY / "configs")
    return place


def kept(name: str, make: Callable[[Path], object]) -> Path:
    """A folder that `make` fills, once; two that make it at the same time make the same."""
    folder = _KEPT / code_digest() / hashlib.sha256(name.encode()).hexdigest()[:16]
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(dir=folder.parent, prefix="."))
        make(draft)
        try:
            os.rename(draft, folder)
        except OSError:
            shutil.rmtree(draft)
    return folder


def forget_other_code() -> None:
    """Removes the references of other states of the code."""
    for folder in _KEPT.glob("*"):
        if folder.name != code_digest():
            shutil.rmtree(folder, ignore_errors=True)


# Runs.


def finished(setting: Setting) -> tuple[Path, int]:
    """The folder of an undisturbed run, and the SGD steps that it takes over all ranks."""

    def make(place: Path) -> None:
        ended = commands.run(setting.words, new_place(place), seconds=600)
        if ended.code != 0:
            raise RuntimeError(f"an undisturbed run failed:\n{ended}")
        (place / "steps").write_text(str(ended.steps))

    place = kept(" ".join(setting.words), make)
    return the_run(place), int((place / "steps").read_text())


def interrupted(setting: Setting) -> Path:
    """A working folder with a killed run that has a last and a previous checkpoint."""

    def make(place: Path) -> None:
        moment = Moment(setting.steps * 2 // 3)
        commands.run(setting.words, new_place(place), sabotage=lambda: moment.arrange(kill_all), seconds=600)

    return kept(f"interrupted {' '.join(setting.words)}", make)


def the_run(place: Path) -> Path:
    """The folder of the only run of a working folder."""
    (folder,) = (path for path in (place / "runs").glob("*") if path.is_dir() and not path.name.startswith("."))
    return folder


def differences(run: Path, reference: Path) -> list[str]:
    """In which of weights, history and record a run is not the reference, without what differs between machines."""
    return [name for name, read in _READ.items() if _safely(read, run) != read(reference)]


def _safely(read: Callable[[Path], Any], run: Path) -> Any:
    try:
        return read(run)
    except Exception as error:  # whatever a damaged file does to its reader
        return repr(error)


def _weights(run: Path) -> dict[str, tuple[list[int], bytes]]:
    state = torch.load(run / "checkpoints" / "final.ckpt", map_location="cpu", weights_only=True)["state_dict"]
    return {name: (list(value.shape), value.numpy().tobytes()) for name, value in state.items()}


def _history(run: Path) -> list[dict[str, str]]:
    with (run / "history.csv").open(newline="") as file:
        return [{k: v for k, v in row.items() if not str(k).startswith(_DURATIONS)} for row in csv.DictReader(file)]


def _record(run: Path) -> dict[str, Any]:
    record = json.loads((run / "record.json").read_bytes())
    return {key: value for key, value in record.items() if key not in _OF_MACHINE}


_READ: dict[str, Callable[[Path], Any]] = {"weights": _weights, "history": _history, "record": _record}


# A store: what a small experiment leaves.


def store() -> Path:
    """A working folder with the finished runs of an experiment, two analyses, and the records published."""

    def make(place: Path) -> None:
        new_place(place)
        fits: dict[str, list[str]] = {}
        for words in planned(place):
            _succeed(words, place)
            (run,) = set(run_ids(place)) - set(fits)
            fits[run] = list(words)
        (place / "fits.json").write_text(json.dumps(fits))
        runs = run_ids(place)
        for analysis in ("NormMeasures", "Similarity"):
            _succeed(("analyze", analysis, "--runs", f"[{runs[0]}]"), place)
        for record in sorted((place / "runs").glob("**/record.json")):
            target = place / "experiments" / "records" / record.parent.relative_to(place / "runs")
            target.mkdir(parents=True)
            for file in record.parent.iterdir():
                if file.suffix in (".json", ".csv", ".yaml", ".npz") and file.name != "lease.json":
                    shutil.copy2(file, target)

    return kept("store", make)


def copied(source: Path, place: Path) -> Path:
    """A copy of a working folder, in the place of what is there."""
    shutil.rmtree(place, ignore_errors=True)
    copy_tree(source, place)
    return place


def planned(place: Path) -> list[tuple[str, ...]]:
    """The commands of the experiment's runs, as `rethink sweep plan` prints them."""
    ended = _succeed(("sweep", "plan", EXPERIMENT), place)
    lines = [line for line in ended.output.splitlines() if " fit " in line and not line.startswith("#")]
    return [tuple(shlex.split(line)[1:]) for line in lines]


def fit(place: Path, run: str) -> tuple[str, ...]:
    """The command of a run of the store."""
    return tuple(json.loads((place / "fits.json").read_bytes())[run])


def run_ids(place: Path) -> list[str]:
    """The finished runs of a working folder."""
    return sorted(path.parent.name for path in (place / "runs").glob("*/record.json"))


def _succeed(words: tuple[str, ...], place: Path) -> commands.Ended:
    ended = commands.run(words, place, seconds=600)
    if ended.code != 0:
        raise RuntimeError(f"an undisturbed command failed:\n{ended}")
    return ended
