"""Which run or analysis some arguments describe: its identity and its folder, before anything is built."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rethink.running import analysis
from rethink.running.arguments import RunCLI
from rethink.running.trainer import quiet
from rethink.runs.code import class_paths, code_of
from rethink.runs.identity import analysis_id, digest, parts, run_id
from rethink.runs.run import runs_folder


@dataclass(frozen=True)
class IdentifiedRun:
    """A run before it is begun, or while it goes on."""

    run_id: str
    folder: Path
    settings: dict[str, Any]
    """The whole resolved configuration, as the record has it."""


def identified(cli: RunCLI) -> IdentifiedRun:
    """The run that parsed options describe."""
    identity = run_id(_with_precision(cli.settings))
    return IdentifiedRun(identity, runs_folder(cli.options.runs) / identity, cli.settings)


def identify(args: Sequence[str]) -> tuple[str, dict[str, Any]]:
    """The run_id of `rethink fit ...`, the parts of its setting and its code, without training.

    Args:
        args: The arguments, from `fit` on.

    Raises:
        UserError: They describe no run.
    """
    quiet()
    settings = _with_precision(RunCLI(args).settings)
    described = parts(settings)
    return digest(described["identity"]), described | {"code": code_of(class_paths(settings))}


def identify_analysis(args: Sequence[str]) -> str:
    """The analysis_id of `rethink analyze ARGS`, without computing anything."""
    kind, options, _ = analysis.parse(args)
    return analysis_id(kind, options)


def _with_precision(settings: dict[str, Any]) -> dict[str, Any]:
    """The precision is an option of its own here, and one of the trainer's for the identity."""
    if settings["precision"] == "auto":
        return settings
    return settings | {"trainer": settings["trainer"] | {"precision": settings["precision"]}}
