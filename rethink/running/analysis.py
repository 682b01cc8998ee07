"""`rethink analyze ANALYSIS ...`: computes something once, from data or finished runs, and keeps it as a record."""

import shutil
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console

import rethink.complexity.analyses
import rethink.inside.analyses
import rethink.kernels.analyses
import rethink.theorem1.analyses
from rethink.analyses.analysis import Analysis, Context
from rethink.callbacks.record import finite
from rethink.cluster import slurm
from rethink.cluster.lease import Lease
from rethink.cluster.preemption import received, requeued
from rethink.discovery import resolve, subclasses
from rethink.errors import UserError, did_you_mean
from rethink.files import files_digest, is_there, write_archive, write_json
from rethink.running.messages import Parser, root_cause
from rethink.runs.analysis import ARRAYS, FinishedAnalysis, analyses_folder
from rethink.runs.analysis_display import show
from rethink.runs.code import code_of
from rethink.runs.environment import describe_machine
from rethink.runs.identity import analysis_id
from rethink.runs.reading import FORMAT
from rethink.runs.repetition import discard, put_back, set_aside

_WINGS = (rethink.kernels, rethink.inside, rethink.complexity, rethink.theorem1)
_SECONDS_BETWEEN_LINES = 10.0  # of progress, where the output is a file


def main(args: list[str]) -> None:
    """Runs `rethink analyze ARGS`.

    Raises:
        UserError: Something that the user can mend.
    """
    if not args or args[0] in ("--help", "-h", "help"):
        print("usage: rethink analyze ANALYSIS ...     (rethink analyze ANALYSIS --help for its options)\n")
        for name, kind in find_analyses().items():
            print(f"  {name:<26}{(kind.__doc__ or '').partition('.')[0]}")
        return
    kind, options, force = parse(args)
    folder = analyses_folder() / analysis_id(kind, options)
    if is_there(folder / "record.json") and not force:
        if code := FinishedAnalysis.open(folder).changed_code:
            raise UserError(
                f"{folder} is done, but the code that it was computed by has changed since: {', '.join(code)}. "
                "Compute it anew with --force, or change the code back."
            )
        print("This was done before; --force computes it anew.")
        show(folder)
        return
    try:
        analysis = kind(**options)
    except ValueError as error:
        raise UserError(f"rethink analyze {args[0]}: {root_cause(error)}") from error
    print(f"analysis {args[0]} in {folder}", flush=True)
    try:
        with Lease(folder).held():
            if force and not slurm.restarted():  # whose command is that of the first start
                shutil.rmtree(folder / "partial", ignore_errors=True)
            _analyse(analysis, options, folder)
    finally:
        for path in (folder / "partial", folder):  # of an analysis that was refused nothing stays
            with suppress(OSError):
                path.rmdir()
    show(folder)


def find_analyses() -> dict[str, type[Analysis]]:
    """Name -> class of every analysis, in alphabetical order: a new one is a file in `rethink/<wing>/analyses/`.

    One that lies outside the package is named by its path, `my_module.MyAnalysis`, like a model of one's own.
    """
    kinds = {name: kind for wing in _WINGS for name, kind in subclasses(wing.analyses, Analysis).items()}
    return dict(sorted(kinds.items()))


def parse(args: Sequence[str]) -> tuple[type[Analysis], dict[str, Any], bool]:
    """Class, options and `--force` of `rethink analyze ARGS`.

    Raises:
        UserError: There is no such analysis, or it does not take these options.
    """
    kind = _kind(args[0])
    parser = Parser(prog=f"rethink analyze {args[0]}", description=kind.__doc__)
    parser.add_class_arguments(kind)
    anew = "Compute it anew, also where it is done. Until then it is kept in before/ of its folder."
    parser.add_argument("--force", action="store_true", help=anew)
    options = parser.parse_args(list(args[1:])).as_dict()
    options.pop("config", None)
    force = options.pop("force")
    if "runs" in options:
        options["runs"] = [Path(run).name for run in options["runs"]]
    return kind, options, force


def _kind(name: str) -> type[Analysis]:
    if "." in name:
        return resolve(name, Analysis)
    analyses = find_analyses()
    if name not in analyses:
        names = ", ".join(analyses) or "none"
        raise UserError(f"there is no analysis {name!r}.{did_you_mean(name, analyses)} The analyses: {names}.")
    return analyses[name]


def _analyse(analysis: Analysis, options: dict[str, Any], folder: Path) -> None:
    """Computes it and writes the record, last and atomically: its presence means done."""
    began = time.perf_counter()
    set_aside(folder)
    (folder / ARRAYS).unlink(missing_ok=True)  # without a record they say nothing
    partial = folder / "partial"
    partial.mkdir(exist_ok=True)
    try:
        with Console(stderr=True).status("") as status:
            result = analysis.analyse(Context(partial, _progress(status)))
    except UserError:  # it is refused
        if not any(partial.iterdir()):
            put_back(folder)
        raise
    if result.arrays:
        write_archive(folder / ARRAYS, lambda file: np.savez_compressed(file, allow_pickle=False, **result.arrays))
    code = code_of([f"{type(analysis).__module__}.{type(analysis).__qualname__}"])
    device = torch.device("cuda", 0) if torch.cuda.is_available() else torch.device("cpu")
    record = {
        "format": FORMAT,
        "analysis_id": folder.name,
        "analysis": type(analysis).__name__,
        "version": analysis.version,
        "options": options,
        "values": finite(_without_numpy(dict(result.values))),
        "durations": {"seconds/total": time.perf_counter() - began},
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "environment": describe_machine(device),
    } | ({"code": code} if code["modules"] else {})  # those of the package have a version
    write_json(folder / "record.json", record | {"files": files_digest(folder, [ARRAYS])})
    discard(folder)
    shutil.rmtree(partial, ignore_errors=True)


def _without_numpy(value: Any) -> Any:
    """The same without NumPy's numbers, bools and arrays, which JSON does not know."""
    if isinstance(value, dict):
        return {key: _without_numpy(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_numpy(item) for item in value]
    return value.tolist() if isinstance(value, np.generic | np.ndarray) else value


def _progress(status: Any) -> Callable[[str, int, int], None]:
    """Shows the progress in a line that changes; where the output is a file, in a line now and then.

    It is also where an analysis ends that was asked to: what it has finished is in its folder.
    """
    printed = 0.0

    def progress(what: str, done: int, of: int) -> None:
        nonlocal printed
        line = f"{what}: {done:,} of {of:,}"
        if received():
            raise requeued(f"preempted at {line}", "the same command goes on from what it has kept")
        status.update(line)
        if not sys.stderr.isatty() and time.monotonic() - printed > _SECONDS_BETWEEN_LINES:
            printed = time.monotonic()
            print(line, file=sys.stderr, flush=True)

    return progress
