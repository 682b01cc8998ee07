"""The plan of an experiment: its runs with their identities, each once, and their state on disk."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import rethink
from rethink.records.files import write_text
from rethink.records.run import runs_folder
from rethink.sweep.experiment import Experiment

State = Literal["done", "begun", "missing"]


@dataclass(frozen=True)
class PlannedRun:
    """A run to be: its identity and the arguments of `rethink fit` that make it."""

    run_id: str
    arguments: tuple[str, ...]

    @property
    def folder(self) -> Path:
        """Where it is or will be."""
        return runs_folder() / self.run_id

    @property
    def state(self) -> State:
        """From the disk."""
        if (self.folder / "record.json").exists():
            return "done"
        return "begun" if (self.folder / "config.yaml").exists() else "missing"

    @property
    def label(self) -> str:
        """What sets it apart, in short: its options without configs and sizes."""
        chosen = dict(zip(self.arguments[::2], self.arguments[1::2], strict=True))
        names = ("--model", "--data.randomization", "--data.randomization.probability")
        words = [chosen[name] for name in names if name in chosen]
        seed = chosen.get("--seed_everything", "0")
        return " ".join(words) + (f" seed {seed}" if seed != "0" else "")


def plan(experiment: Experiment) -> list[PlannedRun]:
    """The runs of an experiment, each once, in the order of its groups.

    To know what a run is takes the imports of torch and Lightning, ten seconds; so the answer is kept beside the
    runs, under a key of everything that it depends on.
    """
    cache = runs_folder() / ".plans" / f"{experiment.name}-{_key(experiment)}.json"
    if cache.exists():
        identities = json.loads(cache.read_text())
    else:
        from rethink.cli.training import identify

        identities = [identify(["fit", *arguments]) for arguments in experiment.runs]
        write_text(cache, json.dumps(identities))
    runs: dict[str, PlannedRun] = {}
    for run_id, arguments in zip(identities, experiment.runs, strict=True):
        runs.setdefault(run_id, PlannedRun(run_id, arguments))
    return list(runs.values())


def _key(experiment: Experiment) -> str:
    digest = hashlib.sha256(json.dumps(experiment.runs).encode())
    for path in (*experiment.files, *_sources()):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _sources() -> Iterator[Path]:
    yield from sorted(Path(rethink.__file__).parent.rglob("*.py"))
