"""A finished analysis as read from `runs/analyses/<analysis_id>/`: its record and its arrays.

Reading needs no torch, and NumPy for the arrays only.
"""

import io
import zipfile
import zlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from rethink.errors import UserError
from rethink.files import is_there, read_archive
from rethink.runs.code import changed
from rethink.runs.reading import Entry, damaged, read_record, with_remedy
from rethink.runs.run import runs_folder

if TYPE_CHECKING:
    from numpy.typing import NDArray

ARRAYS = "arrays.npz"

_REQUIRED = {"analysis_id": str, "analysis": str, "options": dict, "values": dict}


def analyses_folder(chosen: Path | str | None = None) -> Path:
    """The folder of the analyses, in that of the runs."""
    return runs_folder(chosen) / "analyses"


@dataclass(frozen=True)
class FinishedAnalysis:
    """One finished analysis: `record` is record.json."""

    path: Path
    record: dict[str, Any]

    @classmethod
    def open(cls, path: Path | str) -> Self:
        """Read the folder of an analysis; a UserError names what is missing, damaged or too new, and the remedy."""
        path = Path(path)
        arrays = path / ARRAYS
        try:
            with with_remedy(_REMEDY):
                record = read_record(path, _REQUIRED)
                if is_there(arrays) and ARRAYS not in (record.get("files") or {}):  # which has verified it
                    read_archive(arrays)
        except FileNotFoundError:
            raise UserError(f"{path}: no record.json, so this analysis has not finished.") from None
        return cls(path, record)

    analysis_id = Entry(str, "analysis_id")
    name = Entry(str, "analysis")
    """Class of the analysis."""
    options = Entry(dict[str, Any], "options")
    """All of them, defaults included."""
    values = Entry(dict[str, Any], "values")
    """What was computed."""
    environment = Entry(dict[str, Any], "environment", default={})
    """Versions, device, threads and git commit; empty if the record has none."""

    @property
    def changed_code(self) -> list[str]:
        """What of the user's own code that it was computed by has changed since; that of the package has a version."""
        return changed(self.record) if "code" in self.record else []

    @property
    def seed(self) -> int:
        return int(self.options.get("seed", 0))

    @property
    def runs(self) -> list[str]:
        """The run_ids of the runs that were analysed."""
        return [str(run_id) for run_id in self.options.get("runs", [])]

    @cached_property
    def arrays(self) -> "dict[str, NDArray[Any]]":
        """The arrays that were found, by name."""
        import numpy as np  # here, so that the list of runs starts at once

        file = self.path / ARRAYS
        if not is_there(file):
            return {}
        with with_remedy(_REMEDY):
            try:
                with np.load(io.BytesIO(read_archive(file)), allow_pickle=False) as stored:
                    return {name: stored[name] for name in stored.files}
            except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
                raise damaged(file, str(error)) from error

    def matches(self, **wanted: Any) -> bool:
        """Whether its options have these values."""
        return all(name in self.options and self.options[name] == value for name, value in wanted.items())


_REMEDY = "Repeat the analysis: `rethink sweep retry EXPERIMENT`, or `rethink analyze` with its options and --force."
