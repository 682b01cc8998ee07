"""What a repository keeps of an experiment: its artefact without PNG, and the record of each run and analysis."""

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from rethink.errors import UserError
from rethink.files import read_text, write_bytes, write_text
from rethink.report import artefacts
from rethink.report.results import Results
from rethink.runs.analysis import analyses_folder
from rethink.runs.published import copy_record, find_records, write_sums
from rethink.sweep.experiment import EXPERIMENTS, RECORDS

_LARGEST = 400_000  # bytes: what is kept in a repository is small
_QUOTED = re.compile(r"(<!-- made by rethink publish from (\S+) -->\n).*?(<!-- end -->)", re.DOTALL)


def publish(results: Results, force: bool = False) -> Iterator[str]:
    """Keeps the records and writes the artefact to `experiments/NAME/results`; says in lines what it did.

    Args:
        results: Of an experiment at full scale.
        force: Also where runs that were published are not here.

    Raises:
        UserError: The page prints numbers of another experiment whose records are not published.
    """
    folder = EXPERIMENTS / results.experiment.name / "results"
    artefact = artefacts.make(results)
    if first := [name for name, other in results.others.items() if not other.ids - results.ids <= _recorded()]:
        raise UserError(
            f"{folder}: it prints numbers of {', '.join(first)} whose records are not published, so nobody could check "
            f"them. Nothing was written. First: rethink publish {' '.join(first)}"
        )
    records = list(_keep_records(results))
    write_sums(RECORDS)
    if (absent := _absent(folder, results)) and not force:
        yield (
            f"{folder}: left alone, for {len(absent)} of its runs and analyses are not here. `rethink restore` "
            "brings their records, --force replaces it without. "
            f"The records of the {len(records)} that are here are kept."
        )
        return
    if lost := unrecorded(folder):
        yield f"{folder}: replaced by what has records. Of {len(lost)} runs and analyses in it there are none."
    with TemporaryDirectory() as made:
        artefacts.write(artefact, results, Path(made))
        _replace(folder, [path for path in sorted(Path(made).iterdir()) if path.suffix != ".png"])
    if Path("README.md").is_file():
        write_text(Path("README.md"), quoting(read_text(Path("README.md"))))
    for path in _too_large([folder, *records]):
        yield f"{path} has {path.stat().st_size:,} bytes, which is much for a repository"
    yield f"{folder}: {' and '.join(results.counts())}"


def quoting(page: str) -> str:
    """A page with its blocks `<!-- made by rethink publish from FILE -->` filled anew by the table in that file."""

    def filled(block: re.Match[str]) -> str:
        table = [line for line in read_text(Path(block[2])).splitlines() if line.startswith("|")]
        return block[1] + "\n".join(table) + "\n" + block[3]

    return _QUOTED.sub(filled, page)


def _keep_records(results: Results) -> Iterator[Path]:
    """Copies the record of each run and analysis; where to."""
    for run in results.finished:
        yield copy_record(run.path, RECORDS / run.run_id)
    for analysis in results.analyses:
        yield copy_record(analysis.path, analyses_folder(RECORDS) / analysis.analysis_id)


def unrecorded(folder: Path) -> set[str]:
    """The runs and analyses in published results whose records are not published: nobody can check these numbers."""
    return _published(folder) - _recorded()


def _absent(folder: Path, results: Results) -> set[str]:
    """What stands in the published results with a record, still belongs to the experiment, and is not here."""
    planned = {job.id for job in (*results.planned, *results.planned_analyses)}
    return (_published(folder) & planned) - unrecorded(folder) - results.ids


def _recorded() -> set[str]:
    """The runs and analyses whose records are published."""
    return {path.name for path in find_records(RECORDS)}


def _published(folder: Path) -> set[str]:
    try:
        return set(json.loads(read_text(folder / "provenance.json")))
    except (OSError, UserError, ValueError):  # nothing is published, or nothing that can be read
        return set()


def _replace(folder: Path, files: list[Path]) -> None:
    """These files and no others: no PNG, as the SVG says the same in fewer bytes, and nothing of an earlier version."""
    for path in files:
        write_bytes(folder / path.name, path.read_bytes(), durable=False)
    for path in folder.iterdir():
        if path.name not in {file.name for file in files}:
            path.unlink()


def _too_large(folders: Iterable[Path]) -> list[Path]:
    files = [path for folder in folders for path in sorted(folder.iterdir())]
    return [path for path in files if path.stat().st_size > _LARGEST]
