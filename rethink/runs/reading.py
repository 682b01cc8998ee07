"""Reading what a finished run or analysis left: verified, and where it is damaged, with what to do."""

import csv
import io
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Generic, TypeVar

from rethink.errors import UserError
from rethink.files import Damaged, read_json, read_text, verify_files

FORMAT = 2  # of record.json; a higher number was written by a newer rethink
_UNSEALED = (1,)  # formats that are read too, and carry no digest

Columns = dict[str, list[float | None]]
T = TypeVar("T")


class Entry(Generic[T]):
    """An attribute of what has a `record`: an entry of it.

    Args:
        kind: Its type, which it is made into.
        keys: The way to it.
        default: What holds where there is none.
    """

    def __init__(self, kind: Callable[[Any], T], *keys: str, default: Any = None) -> None:
        self._kind, self._keys, self._default = kind, keys, default

    def __get__(self, owner: Any, owners: type | None = None) -> T:
        value = owner.record
        for key in self._keys:
            value = value[key] if self._default is None else value.get(key, self._default)
        return self._kind(value)


@contextmanager
def with_remedy(remedy: str) -> Iterator[None]:
    """Whatever is damaged is named together with what to do."""
    try:
        yield
    except Damaged as error:
        raise Damaged(f"{error} {remedy}") from error


def damaged(file: Path, reason: str) -> Damaged:
    """The error of a file that is not what was written."""
    return Damaged(f"{file}: damaged ({reason}).")


def read_record(folder: Path, required: Mapping[str, type]) -> dict[str, Any]:
    """The record in a folder, verified with the files that it vouches for.

    Args:
        folder: Of a run or an analysis.
        required: What every reader relies on: keys, and the types of their values.

    Raises:
        FileNotFoundError: There is none.
        UserError: It cannot be read, or is of a newer rethink.
        Damaged: It, or a file beside it, is not what was written.
    """
    file = folder / "record.json"
    record = read_json(file, unsealed_formats=_UNSEALED)
    version = record.get("format")
    if not isinstance(version, int) or version < min(_UNSEALED):
        raise damaged(file, "no format number of this rethink")
    if version > FORMAT:
        raise UserError(
            f"{file}: format {version} is from a newer rethink; this one reads format {FORMAT}. "
            "Update the repository: git pull && make install"
        )
    if missing := [key for key in required if key not in record]:
        raise damaged(file, f"without {', '.join(missing)}")
    if wrong := [key for key, kind in required.items() if not isinstance(record[key], kind)]:
        raise damaged(file, f"{', '.join(wrong)} of another type")
    verify_files(folder, record.get("files") or {})
    return record


def read_columns(path: Path) -> Columns:
    """A CSV of numbers with a header line as columns; an empty cell is None."""
    rows = csv.reader(io.StringIO(read_text(path), newline=""))
    header = next(rows, [])
    columns: Columns = {name: [] for name in header}
    for row in rows:
        if len(row) != len(header):
            raise ValueError(f"line {rows.line_num} has {len(row)} cells, the header {len(header)}")
        for name, cell in zip(header, row, strict=True):
            columns[name].append(float(cell) if cell else None)
    return columns


def read_history(file: Path) -> Columns:
    """The history beside a record: at least the columns epoch and step."""
    try:
        columns = read_columns(file)
    except FileNotFoundError:
        raise damaged(file, "missing beside a record.json") from None
    except (ValueError, csv.Error) as error:
        raise damaged(file, str(error)) from error
    if missing := {"epoch", "step"} - set(columns):
        raise damaged(file, f"no column {' and '.join(sorted(missing))}")
    return columns
