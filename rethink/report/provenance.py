"""Where a set of runs and analyses comes from: machine, versions, precision. It is apart from tables."""

from collections.abc import Sequence
from typing import Any

from rethink.report.rows import grouped
from rethink.report.wording import setting_name
from rethink.runs.analysis import FinishedAnalysis
from rethink.runs.run import Run

# What should be one and the same among runs that are compared, and what a reader calls it.
_ALIKE = {"precision": "precisions", "engine": "engines"}
_NAMED = 3  # of the groups of a note, so many at most


def provenance(runs: Sequence[Run], analyses: Sequence[FinishedAnalysis] = ()) -> dict[str, Any]:
    """For provenance.json: per run its environment, the digests of what it saw, and how long it took.

    Per analysis the same, without digests.
    """
    of_runs = {
        run.run_id: {
            "environment": run.environment,
            "digests": run.record["data"].get("digests", {}),
            "durations": run.record.get("durations", {}),
        }
        for run in runs
    }
    return of_runs | {
        analysis.analysis_id: {
            "environment": analysis.environment,
            "durations": analysis.record.get("durations", {}) | dict(analysis.values.get("seconds", {})),
        }
        for analysis in analyses
    }


def summary(runs: Sequence[Run], analyses: Sequence[FinishedAnalysis] = ()) -> list[tuple[str, str]]:
    """For the page's foot: what they have in common or between them, without dates and durations."""
    versions: dict[str, set[str]] = {}
    every: list[Run | FinishedAnalysis] = [*runs, *analyses]
    for run in every:
        for package, version in run.environment.get("versions", {}).items():
            versions.setdefault(package, set()).add(str(version))
    entries = [
        ("device", _distinct(every, "device")),
        ("precision", _distinct(runs, "precision")),
        ("engine", _distinct(runs, "engine")),
        ("threads", _distinct(every, "threads")),
        ("processes", _distinct(runs, "world_size")),
        ("versions", [f"{name} {' / '.join(sorted(of_package))}" for name, of_package in sorted(versions.items())]),
        ("git commit", _distinct(every, "git_commit")),
        ("runs", [f"{len(runs)}, each with its identity in the runs.csv of its artefact"] if runs else []),
        ("analyses", [f"{len(analyses)}, each in the analyses.csv of its artefact"] if analyses else []),
    ]
    return [(name, ", ".join(values)) for name, values in entries if values]


def mixtures(runs: Sequence[Run]) -> list[str]:
    """A note for each thing that differs among these runs and can change a result; where, if it is between settings."""
    notes = []
    for key, plural in _ALIKE.items():
        groups: dict[tuple[str, ...], list[str]] = {}  # by their values, the settings
        for setting, alike in grouped(runs, lambda run: run.setting.without_seed).items():
            groups.setdefault(tuple(_distinct(alike, key)), []).append(setting_name(setting))
        if len(values := _distinct(runs, key)) > 1:
            notes.append(f"These runs mix {plural}: {', '.join(values)}.")
        if len(groups) > 1:
            parts = [f"{' and '.join(of) or 'unknown'}: {_first(names)}" for of, names in groups.items()]
            notes[-1] += f" Setting and {key} differ together, so what differs between these may be of either: "
            notes[-1] += "; ".join(parts) + "."
    return notes


def _first(names: Sequence[str]) -> str:
    """The first few of them, and how many more."""
    more = len(names) - _NAMED
    return " | ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")


def _distinct(runs: Sequence[Run | FinishedAnalysis], key: str) -> list[str]:
    return sorted({str(run.environment[key]) for run in runs if run.environment.get(key) is not None})
