"""Where a set of runs comes from: machine, versions, precision. Tables hold results only: this is apart."""

from collections.abc import Sequence
from typing import Any

from rethink.records.run import Run

# What should be one and the same among runs that are compared, and what a reader calls it.
_ALIKE = {"precision": "precisions", "engine": "engines"}


def provenance(runs: Sequence[Run]) -> dict[str, Any]:
    """For provenance.json: per run its environment, the digests of what it saw, and how long it took."""
    return {
        run.run_id: {
            "environment": run.environment,
            "digests": run.record["data"].get("digests", {}),
            "durations": run.record.get("durations", {}),
        }
        for run in sorted(runs, key=lambda run: run.run_id)
    }


def summary(runs: Sequence[Run]) -> list[tuple[str, str]]:
    """For the page's foot: what the runs have in common or between them, without dates and durations."""
    versions: dict[str, set[str]] = {}
    for run in runs:
        for package, version in run.environment.get("versions", {}).items():
            versions.setdefault(package, set()).add(str(version))
    entries = [
        ("device", _distinct(runs, "device")),
        ("precision", _distinct(runs, "precision")),
        ("engine", _distinct(runs, "engine")),
        ("threads", _distinct(runs, "threads")),
        ("processes", _distinct(runs, "world_size")),
        ("versions", [f"{name} {' / '.join(sorted(found))}" for name, found in sorted(versions.items())]),
        ("git commit", _distinct(runs, "git_commit")),
        ("runs", sorted(run.run_id for run in runs)),
    ]
    return [(name, ", ".join(values)) for name, values in entries if values]


def mixtures(runs: Sequence[Run]) -> list[str]:
    """A note for each thing that differs among these runs and can change a result."""
    return [
        f"These runs mix {plural}: {', '.join(found)}."
        for key, plural in _ALIKE.items()
        if len(found := _distinct(runs, key)) > 1
    ]


def _distinct(runs: Sequence[Run], key: str) -> list[str]:
    return sorted({str(run.environment[key]) for run in runs if run.environment.get(key) is not None})
