"""Damaged files of every kind, and commands that meet them: they recover, or name the file and stop nothing else."""

import hashlib
import json
import random
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from torture import commands, faults, references, settings
from torture.commands import Ended
from torture.kills import judge as judge_run
from torture.outcome import Outcome
from torture.references import EXPERIMENT

Words = tuple[str, ...]
_PRODUCTS = {"report": "results/**/*.[cm][sd]*", "predict": "runs/*/predictions.csv", "restore": "runs/**/*.*"}


@dataclass(frozen=True)
class Scene:
    """A file of a working folder, and a command that reads it. The others are runs that the command also treats."""

    file: Path
    words: Words
    others: Words = ()


def damaged_file(chance: random.Random, place: Path) -> Outcome:
    """Of a finished store, or, one time in three, of a run that was interrupted."""
    if chance.random() < 0.35:
        return damaged_checkpoint(chance, place)
    source = references.store()
    scenes = list(_scenes(source))
    file = chance.choice(sorted({scene.file for scene in scenes}))
    scene = chance.choice([scene for scene in scenes if scene.file == file])
    # Without a record there was no run, and without a list of identities these are worked out.
    names = [name for name in faults.fault_names(file) if name != "missing" or file.suffix != ".json"]
    names += ["hostile"] * 3 if file.name == "record.json" and scene.words[0] == "analyze" else []
    fault = chance.choice(names)
    code, expected = _undisturbed(source, scene)
    _set(source, place, scene)
    if fault == "hostile":
        faults.hostile(place / file, chance)
    else:
        faults.inflict(fault, place / file, chance)
    ended = commands.run(scene.words, place)
    what, why = judge(ended, code, _products(ended, place) == expected, scene, place)
    return Outcome(what, 1, f"{fault}: {file}, rethink {' '.join(scene.words)}", f"{ended}\n-> {why}")


def judge(ended: Ended, code: int, same: bool, scene: Scene, place: Path) -> tuple[str, str]:
    """What came of a command, and why; `code` is its exit code before the damage, `same` whether it gave the same."""
    if ended.fault:
        return ended.fault, ""
    if (place / faults.CANARY).exists():
        return "wrong", "what the file names was executed"
    if ended.code == code:
        return ("recovered", "") if same else ("wrong", f"exit code {ended.code}, and another result")
    if not _named(scene.file, ended.output):
        return "lost", f"{scene.file} is not named"
    if absent := [run for run in scene.others if run not in _shown(ended, place)]:
        return "lost", f"{', '.join(absent)}: whole, and not there"
    return "clear error", ""


def damaged_checkpoint(chance: random.Random, place: Path) -> Outcome:
    """Of a run that was killed: it says so, goes on from the one before or begins anew, and ends the same."""
    setting = settings.draw(random.Random(chance.randrange(3)), "MLP", ranks=1)
    reference, _ = references.finished(setting)
    references.copied(references.interrupted(setting), place)
    folder = references.the_run(place) / "checkpoints"
    names = chance.choice((("last.ckpt",), ("last.ckpt",), ("previous.ckpt",), ("last.ckpt", "previous.ckpt")))
    fault = chance.choice(faults.fault_names(Path("last.ckpt")))
    if "last.ckpt" not in names:
        (folder / "last.ckpt").unlink()
    for name in names:
        faults.inflict(fault, folder / name, chance)
    ended = commands.run((*setting.words, *settings.OFTEN), place)
    what, why = judge_run(ended, place, reference)
    named = fault == "missing" or all(name in ended.output for name in names)
    if named and not ended.fault and ended.code != 0:
        what, why = "clear error", ""
    elif what == "recovered" and not named:
        what, why = "wrong", "it went on without a word"
    return Outcome(what, len(names), f"{fault}: {' and '.join(names)}, rethink fit", f"{ended}\n-> {why}")


def _scenes(source: Path) -> Iterator[Scene]:
    """Every kind of file with every command that reads it."""
    run, *rest = references.run_ids(source)
    others, folder, published = tuple(rest), Path("runs") / run, Path("experiments/records")
    report, status = ("report", EXPERIMENT), ("sweep", "status", EXPERIMENT, "--once")
    for name in ("record.json", "history.csv", "config.yaml"):
        yield from (Scene(folder / name, words, others) for words in (("show",), report))
        yield from (Scene(folder / name, words) for words in (("show", run), status))
        yield Scene(published / run / name, ("restore",), others)
    yield Scene(folder / "record.json", references.fit_of(source, run))
    final = folder / "checkpoints" / "final.ckpt"
    for file in (final, folder / "config.yaml"):
        evaluations = ("validate", "test", "predict")
        yield from (Scene(file, (name, "--config", str(folder / "config.yaml"))) for name in evaluations)
    for file in (final, folder / "record.json"):
        yield Scene(file, ("analyze", "NormMeasures", "--runs", f"[{run}]", "--force"))
    analyses = sorted(path.parent.name for path in (source / "runs" / "analyses").glob("*/record.json"))
    for analysis in analyses:
        for name in ("record.json", "arrays.npz"):
            if (source / "runs" / "analyses" / analysis / name).exists():
                file = Path("runs/analyses") / analysis / name
                yield Scene(file, ("show", analysis))
                yield Scene(file, ("show", "--analyses"), tuple(other for other in analyses if other != analysis))
                yield Scene(published / "analyses" / analysis / name, ("restore",), others)
    for plan in (source / "runs" / ".plans").glob("*.json"):
        yield from (Scene(plan.relative_to(source), words) for words in (report, status))


def _undisturbed(source: Path, scene: Scene) -> tuple[int, str]:
    """Exit code and products of a command on undamaged files, kept on disk."""

    def make(place: Path) -> None:
        _set(source, place, scene)
        ended = commands.run(scene.words, place)
        (place / "undisturbed.json").write_text(json.dumps([ended.code, _products(ended, place)]))

    code, products = json.loads((references.kept(f"undisturbed {scene.words}", make) / "undisturbed.json").read_bytes())
    return code, products


def _set(source: Path, place: Path, scene: Scene) -> None:
    references.copied(source, place)
    if scene.words[0] == "restore":  # into an empty folder of runs
        shutil.rmtree(place / "runs")


def _named(file: Path, output: str) -> bool:
    """Whether a person knows which file is meant: its name, and the run or analysis that it is of."""
    folder = next(part for part in reversed(file.parts[:-1]) if part != "checkpoints")
    whole = re.sub(r"\s+", "", output)
    return file.name in whole and folder[:8] in whole


def _products(ended: Ended, place: Path) -> str:
    """A digest of what a command gave: what it printed without times, and the files that it is for."""
    digest = hashlib.sha256(
        re.sub(
            r"[Ww]orking out which runs [^\n]*\n|\d+(\.\d+)? (s|min|h)\b|\d{4}-\d\d-\d\dT\S+", "", ended.output
        ).encode()
    )
    for path in sorted(place.glob(_PRODUCTS.get(ended.words[0], "-"))):
        if path.is_file() and not path.name.startswith(".") and "provenance" not in path.name:
            digest.update(str(path.relative_to(place)).encode() + path.read_bytes())
    return digest.hexdigest()


def _shown(ended: Ended, place: Path) -> str:
    """Where the other runs must be: in what was printed, or in what was written."""
    if ended.words[0] == "report":
        return "".join(path.read_text() for path in (place / "results").glob("**/runs.csv"))
    return " ".join(references.run_ids(place)) if ended.words[0] == "restore" else ended.output
