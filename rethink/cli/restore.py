"""`rethink restore`: the records that were published with the repository, as if their runs had been made here."""

from pathlib import Path

from rethink.cli.arguments import Parser, report_damage
from rethink.errors import UserError
from rethink.files import Damaged, is_there
from rethink.runs.published import copy_record, find_records, verify_record
from rethink.runs.run import runs_folder
from rethink.sweep.experiment import RECORDS


def main(args: list[str]) -> None:
    """Runs `rethink restore ARGS`.

    Raises:
        SystemExit: With code 1, where a published record is damaged; the others are restored.
    """
    Parser(
        prog="rethink restore",
        description=f"Copy the records in {RECORDS} to the folder of runs: reports redraw the published results from "
        "them, and sweeps make only what is missing. Machine and versions of each stay in its record. Weights are not "
        "published: a sweep that needs them makes the run again. A run that is here, finished or not, is kept.",
    ).parse_args(args)
    published = list(find_records(RECORDS))
    if not published:
        raise UserError(f"There are no records in {RECORDS}. Give this command in the folder of the repository.")
    absent = [name for name in published if not _begun(runs_folder() / name)]
    damaged = []
    for name in absent:
        try:
            verify_record(RECORDS, name)
        except Damaged as error:
            damaged.append(error)
        else:
            copy_record(RECORDS / name, runs_folder() / name)
    there = f"; {len(published) - len(absent)} were there" if len(absent) < len(published) else ""
    print(f"{runs_folder()}: {len(absent) - len(damaged)} published runs and analyses restored{there}")
    report_damage(damaged)


def _begun(folder: Path) -> bool:
    """Whether something was finished or is being done there; an empty folder, or a restoration cut off, is nothing."""
    return any(is_there(folder / name) for name in ("record.json", "lease.json", "checkpoints", "partial"))
