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
from signal import SIGKILL
from typing import Any

import torch

from torture import commands
from torture.moments import Moment, strike
from torture.settings import FIGURES, OFTEN, SWEEP, Setting

REPOSITORY = Path(__file__).parents[2]
EXPERIMENT = "tiny"
_KEPT = REPOSITORY / ".pytest_cache" / "d" / "torture"
_OF_MACHINE = {"durations", "finished", "environment", "config", "digest", "files"}
_DURATIONS = ("seconds", "images_per_second")


@cache
def code_digest() -> str:
    """Of what can change a result: the package, what is drawn here, the base configuration, torch."""
    digest = hashlib.sha256(torch.__version__.encode())
    sources = [*(REPOSITORY / "rethink").rglob("*.py"), Path(__file__), Path(__file__).with_name("settings.py")]
    for path in [REPOSITORY / "configs" / "base.yaml", *sorted(sources)]:
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def kept(name: str, make: Callable[[Path], object]) -> Path:
    """A working folder that `make` fills, once; two that make it at the same time make the same."""
    folder = _KEPT / code_digest() / hashlib.sha256(name.encode()).hexdigest()[:16]
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(dir=folder.parent, prefix="."))
        make(furnish(draft))
        try:
            os.rename(draft, folder)
        except OSError:
            shutil.rmtree(draft)
    return folder


def furnish(place: Path) -> Path:
    """Makes a folder a working folder: the configs, and a small experiment."""
    experiment = place / "experiments" / EXPERIMENT
    experiment.mkdir(parents=True)
    (experiment / "sweep.yaml").write_text(SWEEP)
    (experiment / "figures.py").write_text(FIGURES)
    (place / "configs").symlink_to(REPOSITORY / "configs")
    return place


def copied(source: Path, place: Path) -> None:
    """Puts a copy of a working folder in the place of another."""
    shutil.rmtree(place)
    shutil.copytree(source, place, symlinks=True)


def forget_other_code() -> None:
    """Removes the references of other states of the code."""
    for folder in _KEPT.glob("*"):
        if folder.name != code_digest():
            shutil.rmtree(folder, ignore_errors=True)


# One run.


def finished(setting: Setting) -> tuple[Path, int]:
    """The folder of an undisturbed run, and the SGD steps that it takes over all ranks."""

    def make(place: Path) -> None:
        (place / "steps").write_text(str(_succeed(setting.words, place).steps))

    place = kept(" ".join(setting.words), make)
    return the_run(place), int((place / "steps").read_text())


def interrupted(setting: Setting) -> Path:
    """A working folder with a killed run that has a last and a previous checkpoint."""

    def make(place: Path) -> None:
        moment, act = Moment(setting.steps * 2 // 3), strike(SIGKILL, group=True)
        commands.run((*setting.words, *OFTEN), place, sabotage=lambda: moment.arrange(act), seconds=600)

    return kept(f"interrupted {' '.join(setting.words)}", make)


def the_run(place: Path) -> Path:
    """The folder of the only run of a working folder."""
    (folder,) = (path for path in (place / "runs").glob("[!.]*/") if path.is_dir())
    return folder


def saved(place: Path) -> bool:
    """Whether a run is unfinished and has a checkpoint."""
    checkpoints = [path.parents[1] for path in (place / "runs").glob("*/checkpoints/[lp]*.ckpt")]
    return any(not (folder / "record.json").exists() for folder in checkpoints)


def differences(run: Path, reference: Path) -> list[str]:
    """In which of weights, history and record a run is not the reference, without what differs between machines."""
    return [name for name, read in _READ.items() if _safely(read, run) != read(reference)]


def _safely(read: Callable[[Path], Any], run: Path) -> Any:
    try:
        return read(run)
    except Exception as error:  # whatever a damaged file does to its reader
        return repr(error)


def _weights(run: Path) -> dict[str, tuple[torch.Size, bytes]]:
    state = torch.load(run / "checkpoints" / "final.ckpt", map_location="cpu", weights_only=True)["state_dict"]
    return {name: (value.shape, value.numpy().tobytes()) for name, value in state.items()}


def _history(run: Path) -> list[dict[str, str]]:
    rows = csv.DictReader((run / "history.csv").read_text().splitlines())
    return [{name: value for name, value in row.items() if not str(name).startswith(_DURATIONS)} for row in rows]


def _record(run: Path) -> dict[str, Any]:
    record = json.loads((run / "record.json").read_bytes())
    return {key: value for key, value in record.items() if key not in _OF_MACHINE}


_READ: dict[str, Callable[[Path], Any]] = {"weights": _weights, "history": _history, "record": _record}


# An experiment.


def store() -> Path:
    """A working folder with the finished runs of an experiment, two analyses, and the records published."""

    def make(place: Path) -> None:
        planned = _succeed(("sweep", "plan", EXPERIMENT), place).output.splitlines()
        fits: dict[str, list[str]] = {}
        for words in (shlex.split(line)[1:] for line in planned if " fit " in line):
            _succeed(words, place)
            (run,) = set(run_ids(place)) - set(fits)
            fits[run] = words
        (place / "fits.json").write_text(json.dumps(fits))
        for analysis in ("NormMeasures", "Similarity"):
            _succeed(("analyze", analysis, "--runs", f"[{run_ids(place)[0]}]"), place)
        for record in sorted((place / "runs").glob("**/record.json")):
            target = place / "experiments" / "records" / record.parent.relative_to(place / "runs")
            target.mkdir(parents=True)
            for name in ("record.json", "history.csv", "config.yaml", "arrays.npz"):
                if (record.parent / name).exists():
                    shutil.copy2(record.parent / name, target)

    return kept("store", make)


def run_ids(place: Path) -> list[str]:
    """The finished runs of a working folder."""
    return sorted(path.parent.name for path in (place / "runs").glob("*/record.json"))


def fit_of(place: Path, run: str) -> tuple[str, ...]:
    """The command of a run of the store."""
    return tuple(json.loads((place / "fits.json").read_bytes())[run])


def _succeed(words: tuple[str, ...] | list[str], place: Path) -> commands.Ended:
    ended = commands.run(words, place, seconds=600)
    if ended.code != 0:
        raise RuntimeError(f"an undisturbed command failed:\n{ended}")
    return ended
