"""`rethink publish [EXPERIMENT ...]`: full-scale artefacts, and the records behind them, into the repository."""

import json
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from rethink.cli.arguments import Parser
from rethink.errors import UserError
from rethink.report import artefacts
from rethink.report.results import Results
from rethink.runs.analysis import analyses_folder
from rethink.runs.published import copy_record
from rethink.sweep.experiment import EXPERIMENTS, RECORDS, Experiment

_LARGEST = 400_000  # bytes: what is kept in a repository is small


def main(args: list[str]) -> None:
    """Runs `rethink publish ARGS`."""
    parser = Parser(
        prog="rethink publish",
        description="Write full-scale artefacts to experiments/EXPERIMENT/results: figures, tables, runs, provenance; "
        f"and to {RECORDS} the record of each run and analysis, from which `rethink restore` goes on elsewhere.",
    )
    parser.add_argument("experiments", nargs="*", metavar="EXPERIMENT", help="default: all that have runs")
    parser.add_argument("--force", action="store_true", help="also where runs that were published are not here")
    options = parser.parse_args(args)
    for name in options.experiments or artefacts.all_names():
        results = Results.load(Experiment.load(name))
        if results.empty:
            if options.experiments:
                raise UserError(f"{name} has nothing at full scale yet. Make it with `{results.experiment.command}`.")
            continue
        kept = list(_keep_records(results))
        folder = EXPERIMENTS / name / "results"
        if (absent := _absent(folder, results)) and not options.force:
            print(
                f"{folder}: left alone, for {len(absent)} of its runs and analyses are not here. `rethink restore` "
                "brings their records, --force replaces it without. "
                f"The records of the {len(kept)} that are here are kept."
            )
            continue
        if lost := unrecorded(folder):
            print(f"{folder}: replaced by what has records. Of {len(lost)} runs and analyses in it there are none.")
        with TemporaryDirectory() as made:
            artefacts.write(artefacts.make(results), results, Path(made))
            _replace(folder, [path for path in sorted(Path(made).iterdir()) if path.suffix != ".png"])
        if lost := unrecorded(folder):
            raise UserError(f"{folder}: no record in {RECORDS} for {', '.join(sorted(lost))}. It cannot be published.")
        for path in _too_large([folder, *kept]):
            print(f"{path} has {path.stat().st_size:,} bytes, which is much for a repository")
        print(f"{folder}: {' and '.join(results.counts())}")


def _keep_records(results: Results) -> Iterator[Path]:
    """Copies the record of each run and analysis; where to."""
    for run in results.runs:
        yield copy_record(run.path, RECORDS / run.run_id)
    for each in results.analyses:
        yield copy_record(each.path, analyses_folder(RECORDS) / each.analysis_id)


def _absent(folder: Path, results: Results) -> set[str]:
    """What stands in the published results with a record, still belongs to the experiment, and is not here."""
    planned = {job.id for job in (*results.planned, *results.planned_analyses)}
    here = {run.run_id for run in results.runs} | {each.analysis_id for each in results.analyses}
    return (_published(folder) & planned) - unrecorded(folder) - here


def unrecorded(folder: Path) -> set[str]:
    """The runs and analyses in published results whose records are not published: nobody can check these numbers."""
    return {name for name in _published(folder) if not any((path / name).is_dir() for path in _records())}


def _records() -> tuple[Path, Path]:
    return RECORDS, analyses_folder(RECORDS)


def _published(folder: Path) -> set[str]:
    try:
        return set(json.loads((folder / "provenance.json").read_text()))
    except (OSError, ValueError):  # nothing is published, or nothing that can be read
        return set()


def _replace(folder: Path, files: list[Path]) -> None:
    """These files and no others: no PNG, as the SVG says the same in fewer bytes, and nothing of an earlier version."""
    try:
        folder.mkdir(exist_ok=True)
        for path in files:
            shutil.copyfile(path, folder / path.name)
        for path in folder.iterdir():
            if path.name not in {file.name for file in files}:
                path.unlink()
    except OSError as error:
        raise UserError(f"cannot write {error.filename or folder}: {error.strerror}.") from None


def _too_large(folders: Iterable[Path]) -> list[Path]:
    files = [path for folder in folders for path in sorted(folder.iterdir())]
    return [path for path in files if path.stat().st_size > _LARGEST]
