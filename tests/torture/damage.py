"""Damaged files of every kind, and commands that meet them: they recover, or name the file and stop nothing else."""

import hashlib
import random
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from torture import commands, faults, references, settings
from torture.commands import Ended
from torture.outcome import Outcome
from torture.references import EXPERIMENT

Words = tuple[str, ...]


@dataclass(frozen=True)
class Scene:
    """A file of a working folder, and a command that reads it. The others are runs that the command also treats."""

    file: Path
    words: Words
    others: tuple[str, ...] = ()


def damaged_file(chance: random.Random, place: Path) -> Outcome:
    """A finished store, or the checkpoint of a run that was interrupted."""
    if chance.random() < 0.35:
        return damaged_checkpoint(chance, place)
    source = references.store()
    scenes = list(_scenes(source))
    subject = chance.choice(sorted({scene.file for scene in scenes}))
    scene = chance.choice([scene for scene in scenes if scene.file == subject])
    hostile = scene.file.name == "record.json" and scene.words[0] == "analyze" and chance.random() < 0.3
    fault = faults.HOSTILE if hostile else chance.choice(faults.fault_names(scene.file))
    done = f"{fault}: {scene.file}, rethink {' '.join(scene.words)}"

    _set_scene(source, place, scene)
    undisturbed = commands.run(scene.words, place)
    expected = _products(undisturbed, place)
    _set_scene(source, place, scene)
    (faults.make_hostile if hostile else _inflicting(fault))(place / scene.file, chance)
    ended = commands.run(scene.words, place)
    what, why = judge(ended, undisturbed, _products(ended, place) == expected, scene, place)
    return Outcome(what, 1, done, f"{ended}\n-> {why}")


def judge(ended: Ended, undisturbed: Ended, same: bool, scene: Scene, place: Path) -> tuple[str, str]:
    """What came of a command, and why."""
    if ended.fault:
        return ended.fault, ""
    if (place / faults.CANARY).exists():
        return "wrong", "what the file names was executed"
    if ended.code == undisturbed.code and same:
        return "recovered", ""
    if ended.code == undisturbed.code:
        return "wrong", f"exit code {ended.code}, and another result"
    if not _named(scene.file, ended.output):
        return "lost", f"{scene.file.name} is not named"
    if gone := [run for run in scene.others if run not in _shown(ended, place)]:
        return "lost", f"{gone} was whole, and is not there"
    return "clear error", ""


def damaged_checkpoint(chance: random.Random, place: Path) -> Outcome:
    """Of a run that was killed: it goes on from the one before, or begins anew, and ends the same."""
    setting = settings.draw(random.Random(chance.randrange(3)), "MLP", ranks=1)
    reference, _ = references.finished(setting)
    references.copied(references.interrupted(setting), place)
    folder = references.the_run(place) / "checkpoints"
    name = chance.choice(("last.ckpt", "last.ckpt", "previous.ckpt", "both"))
    fault = chance.choice(faults.fault_names(Path("last.ckpt")))
    if name == "previous.ckpt":
        (folder / "last.ckpt").unlink()
    subjects = ("last.ckpt", "previous.ckpt") if name == "both" else (name,)
    for subject in subjects:
        faults.inflict(fault, folder / subject, chance)
    ended = commands.run(setting.words, place)
    what, why = ended.fault, ""
    if not what and ended.code != 0:
        what = "clear error" if all(subject in ended.output for subject in subjects) else "lost"
    elif not what:
        other = references.differences(references.the_run(place), reference)
        what, why = ("wrong", f"other {' and '.join(other)}") if other else ("recovered", "")
        if not other and fault != "missing" and not all(subject in ended.output for subject in subjects):
            what, why = "wrong", "it went on without a word"
    return Outcome(what, len(subjects), f"{fault}: {name}, rethink fit", f"{ended}\n-> {why}")


def _scenes(source: Path) -> Iterator[Scene]:
    """Every kind of file with every command that reads it."""
    run, *others = references.run_ids(source)
    folder = Path("runs") / run
    config = ("--config", str(folder / "config.yaml"))
    everything: list[tuple[Words, tuple[str, ...]]] = [
        (("show",), tuple(others)),
        (("report", EXPERIMENT), tuple(others)),
        (("sweep", "status", EXPERIMENT, "--once"), ()),
    ]
    for name in ("record.json", "history.csv", "config.yaml"):
        yield Scene(folder / name, ("show", run))
        yield from (Scene(folder / name, words, rest) for words, rest in everything)
        yield Scene(Path("experiments/records") / run / name, ("restore",), tuple(others))
    yield Scene(folder / "record.json", references.fit(source, run))
    for file in (folder / "checkpoints" / "final.ckpt", folder / "config.yaml"):
        yield from (Scene(file, (command, *config)) for command in ("validate", "test", "predict"))
    for file in (folder / "checkpoints" / "final.ckpt", folder / "record.json"):
        yield Scene(file, ("analyze", "NormMeasures", "--runs", f"[{run}]", "--force"))
    analyses = sorted(path.parent for path in (source / "runs" / "analyses").glob("*/record.json"))
    for analysis in analyses:
        for file in (path for path in (analysis / "record.json", analysis / "arrays.npz") if path.exists()):
            rest = tuple(other.name for other in analyses if other != analysis)
            yield Scene(file.relative_to(source), ("show", analysis.name))
            yield Scene(file.relative_to(source), ("show", "--analyses"), rest)
            yield Scene(Path("experiments/records/analyses") / analysis.name / file.name, ("restore",), tuple(others))
    for plan in (source / "runs" / ".plans").glob("*.json"):
        yield from (Scene(plan.relative_to(source), words, rest) for words, rest in everything[1:])


def _set_scene(source: Path, place: Path, scene: Scene) -> None:
    references.copied(source, place)
    if scene.words[0] == "restore":  # into an empty folder of runs
        shutil.rmtree(place / "runs")


def _inflicting(fault: str) -> Callable[[Path, random.Random], None]:
    return lambda path, chance: faults.inflict(fault, path, chance)


def _named(file: Path, output: str) -> bool:
    """Whether a person knows which file is meant: its name, and the run or analysis that it is of."""
    whole = re.sub(r"\s+", "", output)
    return file.name in whole and next(part for part in reversed(file.parts[:-1]) if part != "checkpoints")[:8] in whole


def _products(ended: Ended, place: Path) -> str:
    """What a command gave: what it said without times, and the files that it is for."""
    said = re.sub(r"\d+(\.\d+)? (s|min|h)\b|\d{4}-\d\d-\d\dT\S+", "", ended.output)
    files = {"report": "results/**/*.[cm][sd]*", "predict": "runs/*/predictions.csv", "restore": "runs/**/*.*"}
    digest = hashlib.sha256(said.encode())
    for path in sorted(place.glob(files.get(ended.words[0], "-"))):
        if path.is_file() and not path.name.startswith(".") and "provenance" not in path.name:
            digest.update(str(path.relative_to(place)).encode() + path.read_bytes())
    return digest.hexdigest()


def _shown(ended: Ended, place: Path) -> str:
    """Where the other runs must be: in what was said, or in what was written."""
    if ended.words[0] == "report":
        return "".join(path.read_text() for path in (place / "results").glob("**/runs.csv"))
    if ended.words[0] == "restore":
        return " ".join(references.run_ids(place))
    return ended.output
