"""`rethink analyze ANALYSIS ...`: computes something once, from data or finished runs, and keeps it as a record."""

import json
import shutil
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console

from rethink.analyses.analysis import Analysis, Context
from rethink.callbacks.record import finite
from rethink.cluster import slurm
from rethink.cluster.lease import Lease
from rethink.cluster.preemption import received, requeued
from rethink.errors import UserError, did_you_mean
from rethink.files import write_atomically, write_text
from rethink.running.findings import show
from rethink.running.messages import Parser, root_cause
from rethink.running.wings import find_analyses, own_analysis
from rethink.runs.analysis import ARRAYS, FORMAT, analyses_folder
from rethink.runs.environment import surroundings
from rethink.runs.identity import analysis_id

_SAID_EVERY = 10.0  # seconds between two lines about the progress, where the output is a file


def main(args: list[str]) -> None:
    """Runs `rethink analyze ARGS`."""
    name, *rest = args or ["--help"]
    known = find_analyses()
    if name in ("--help", "-h", "help"):
        print("usage: rethink analyze ANALYSIS ...     (rethink analyze ANALYSIS --help for its options)\n")
        for each, kind in known.items():
            print(f"  {each:<26}{(kind.__doc__ or '').partition('.')[0]}")
        return
    kind = _kind(name, known)
    options, force = _parse(kind, rest)
    folder = analyses_folder() / analysis_id(kind, options)
    if (folder / "record.json").exists() and not force:
        print("This was done before; --force computes it anew.")
        show(folder)
        return
    try:
        analysis = kind(**options)
    except ValueError as error:
        raise UserError(f"rethink analyze {name}: {root_cause(error)}") from error
    print(f"analysis {name} in {folder}", flush=True)
    try:
        with Lease(folder).held():
            if force and not slurm.restarted():  # whose command is that of the first start
                shutil.rmtree(folder / "partial", ignore_errors=True)
            _carry_out(analysis, kind, options, folder)
    finally:
        for path in (folder / "partial", folder):  # of an analysis that was refused nothing stays
            with suppress(OSError):
                path.rmdir()
    show(folder)


def identify(args: list[str]) -> str:
    """The analysis_id of `rethink analyze ARGS`, without computing anything."""
    kind = _kind(args[0], find_analyses())
    options, _ = _parse(kind, args[1:])
    return analysis_id(kind, options)


def _kind(name: str, known: dict[str, type[Analysis]]) -> type[Analysis]:
    if "." in name:
        return own_analysis(name)
    if name not in known:
        raise UserError(
            f"there is no analysis {name!r}.{did_you_mean(name, known)} The analyses: {', '.join(known) or 'none'}."
        )
    return known[name]


def _parse(kind: type[Analysis], args: list[str]) -> tuple[dict[str, Any], bool]:
    parser = Parser(prog=f"rethink analyze {kind.__name__}", description=kind.__doc__)
    parser.add_class_arguments(kind)
    parser.add_argument("--force", action="store_true", help="Compute it anew, also where it is done.")
    options = parser.parse_args(args).as_dict()
    options.pop("config", None)
    force = options.pop("force")
    if "runs" in options:
        options["runs"] = [Path(run).name for run in options["runs"]]
    return options, force


def _carry_out(analysis: Analysis, kind: type[Analysis], options: dict[str, Any], folder: Path) -> None:
    """Computes it and writes the record, last and atomically: its presence means done."""
    began = time.perf_counter()
    for name in ("record.json", ARRAYS):  # in this order: arrays without a record say nothing
        (folder / name).unlink(missing_ok=True)
    partial = folder / "partial"
    partial.mkdir(exist_ok=True)
    with Console(stderr=True).status("") as status:
        findings = analysis.analyse(Context(partial, _progress(status)))
    if findings.arrays:
        write_atomically(folder / ARRAYS, lambda file: np.savez_compressed(file, allow_pickle=False, **findings.arrays))
    record = {
        "format": FORMAT,
        "analysis_id": folder.name,
        "analysis": kind.__name__,
        "version": kind.version,
        "options": options,
        "values": finite(_plain(dict(findings.values))),
        "durations": {"seconds/total": time.perf_counter() - began},
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "environment": surroundings(_device()),
    }
    write_text(folder / "record.json", json.dumps(record, indent=2) + "\n")
    shutil.rmtree(partial, ignore_errors=True)


def _plain(value: Any) -> Any:
    """The same without NumPy's numbers, bools and arrays, which JSON does not know."""
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value.tolist() if isinstance(value, np.generic | np.ndarray) else value


def _device() -> torch.device:
    return torch.device("cuda", 0) if torch.cuda.is_available() else torch.device("cpu")


def _progress(status: Any) -> Callable[[str, int, int], None]:
    """Shows the progress in a line that changes; where the output is a file, in a line now and then.

    It is also where an analysis ends that was asked to: what it has finished is in its folder.
    """
    said = 0.0

    def say(what: str, done: int, of: int) -> None:
        nonlocal said
        if received():
            raise requeued(f"preempted at {what}: {done:,} of {of:,}", "the same command goes on from what it has kept")
        status.update(f"{what}: {done:,} of {of:,}")
        if not sys.stderr.isatty() and time.monotonic() - said > _SAID_EVERY:
            said = time.monotonic()
            print(f"{what}: {done:,} of {of:,}", file=sys.stderr, flush=True)

    return say
