"""Records that came with the repository: what a report reads of a run or an analysis, without its weights."""

from collections.abc import Iterator
from pathlib import Path

from rethink.errors import UserError
from rethink.files import write_bytes
from rethink.runs.analysis import ARRAYS

_RECORD = "record.json"
_FILES = ("config.yaml", "history.csv", ARRAYS, _RECORD)  # the record last: with it, a run is done


def copy_record(source: Path, target: Path) -> Path:
    """Copies what a report reads from the folder of a run or an analysis to another; returns that."""
    for name in _FILES:
        try:
            content = (source / name).read_bytes()
        except FileNotFoundError:  # a run has no arrays, an analysis neither configuration nor history
            continue
        except OSError as error:
            raise UserError(f"{source / name}: cannot be read ({error.strerror}).") from error
        write_bytes(target / name, content, durable=False)
    return target


def find_records(root: Path) -> Iterator[Path]:
    """The folder of every finished run and analysis under `root`, relative to it."""
    for pattern in ("*", "analyses/*"):
        yield from sorted(path.parent.relative_to(root) for path in root.glob(f"{pattern}/{_RECORD}"))
