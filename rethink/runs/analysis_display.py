"""Finished analyses in the terminal: a list of them, and what one of them found."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from rethink.errors import UserError
from rethink.runs.analysis import FinishedAnalysis


def show(folder: Path) -> None:
    """Prints an analysis: its options, what it found that fits a line, and how many of the rest there are."""
    analysed = FinishedAnalysis.open(folder)
    print(f"{analysed.name} {analysed.analysis_id}")
    options = {name: _short(value) for name, value in analysed.options.items() if value is not None}
    print("  options: " + ", ".join(f"{name} {value}" for name, value in options.items()))
    longer = []
    for name, value in analysed.values.items():
        if isinstance(value, int | float | str):
            print(f"  {name:<32}{_number(value)}")
        else:
            longer.append(name)
    if rest := [*longer, *(f"{name} (array)" for name in analysed.arrays)]:
        print(f"  and {', '.join(rest)}: {folder / 'record.json'}")


def show_all(folders: Sequence[Path]) -> list[str]:
    """Prints a line per analysis; returns a line for each that is damaged."""
    damage = []
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("analysis_id", "analysis", "options"):
        table.add_column(name, overflow="fold")
    for folder in folders:
        try:
            analysed = FinishedAnalysis.open(folder)
        except UserError as error:
            damage.append(str(error))
            table.add_row(folder.name, "damaged", "")
            continue
        options = [f"{name} {_short(value)}" for name, value in analysed.options.items() if value is not None]
        table.add_row(folder.name, analysed.name, ", ".join(options))
    Console().print(table)
    return damage


def _short(value: Any) -> str:
    if isinstance(value, list) and len(value) > 3:
        return f"[{value[0]}, ... {len(value)}]"
    return _number(value)


def _number(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)
