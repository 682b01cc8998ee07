"""A finished run or analysis while it is made anew: kept in `before/` of its folder until the new one has finished.

Meanwhile the folder is that of an unfinished one, for every reader. The old one is back when what lies in `before/` is
copied to the folder.
"""

import os
import shutil
from pathlib import Path

from rethink.files import is_there

BEFORE = "before"
_KEPT = ("config.yaml", "history.csv", "arrays.npz", "checkpoints", "record.json")
"""The record last: with it, what lies there is whole."""


def set_aside(folder: Path) -> None:
    """Moves what is finished in a folder to `before/`, which it says; what is not finished, it leaves alone."""
    before = folder / BEFORE
    if not is_there(folder / "record.json"):
        return
    if is_there(before / "record.json"):  # of a repetition that has finished
        discard(folder)
    before.mkdir(exist_ok=True)
    for name in _KEPT:
        if is_there(folder / name):
            os.replace(folder / name, before / name)
    print(f"What was finished in {folder} is kept in {before} until the new one has finished.", flush=True)


def put_back(folder: Path) -> None:
    """Moves it back, where nothing of the new one has been made."""
    before = folder / BEFORE
    for name in _KEPT:
        if is_there(before / name):
            os.replace(before / name, folder / name)
    discard(folder)


def discard(folder: Path) -> None:
    """Removes what was set aside, once the new one has its record."""
    shutil.rmtree(folder / BEFORE, ignore_errors=True)
