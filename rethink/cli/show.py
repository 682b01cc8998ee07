"""`rethink show`: a list of runs, a run, two side by side, an analysis. Starts without torch."""

import json
import os
import re
import shutil
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import Any

from rethink.cli import show_run
from rethink.cli.arguments import Parser, report_damage
from rethink.errors import UserError
from rethink.files import is_there
from rethink.runs import analysis_display
from rethink.runs.analysis import FinishedAnalysis, analyses_folder
from rethink.runs.run import Run, runs_folder
from rethink.runs.selection import Selection
from rethink.runs.setting import Setting
from rethink.runs.summary import Summary, is_finished

_RIGHT = ("n", "epochs", "train", "test", "seed")
_WIDE = 110  # columns from which on the list has one line for a run
_RUN_ID = re.compile(r"[0-9a-f]{2,12}")


def main(args: list[str]) -> None:
    """Runs `rethink show ARGS`.

    Raises:
        UserError: There is no such run, or its files are damaged.
        SystemExit: With code 1, where a run of the list is damaged; the others are listed.
    """
    parser = Parser(prog="rethink show", description="Print what runs and analyses there are, or one, or compare two.")
    parser.add_argument(
        "words",
        nargs="*",
        metavar="RUN|FILTER",
        help="run_id or analysis_id, its first digits, or folder; two runs are compared. Or what a list is to have: "
        "'MLP 1x512', model.weight_decay=0.0, randomization=RandomLabels, outcome=finished. Default: all",
    )
    parser.add_argument("--all", action="store_true", help="list all runs, and all epochs where two are compared")
    parser.add_argument(
        "--sort",
        metavar="NAME",
        help="highest first, by test_accuracy or another last value, or by an option (default: the newest first)",
    )
    parser.add_argument("--reverse", action="store_true", help="list in the opposite order")
    parser.add_argument("--analyses", action="store_true", help="list the analyses, not the runs")
    parser.add_argument("--runs", type=Path, help="folder of the runs (default: $RETHINK_RUNS, else runs)")
    parser.add_argument("--json", action="store_true", help="print the record, or all records, as JSON")
    options = parser.parse_args(args)
    root = runs_folder(options.runs)
    analyses = sorted(folder for folder in analyses_folder(root).glob("*") if is_there(folder / "record.json"))
    if options.analyses and not options.words:
        report_damage(analysis_display.show_all(analyses))
        return
    name = options.words[0] if len(options.words) == 1 else ""
    if name and (matches := [folder for folder in analyses if _means(name, folder)]):
        if options.json:
            print(json.dumps(FinishedAnalysis.open(matches[0]).record, indent=2))
        else:
            analysis_display.show(matches[0])
        return
    named = [find(word, root) for word in options.words if _is_run(word, root)]
    if named and len(named) < len(options.words):
        raise UserError(f"{' '.join(options.words)}: name runs, or say what a list of runs is to have, and not both.")
    if len(named) > 2:
        raise UserError(f"{len(named)} runs are named. Two can be compared.")
    if named and options.json:
        records = [Run.open(folder).record for folder in named]
        print(json.dumps(records if len(records) > 1 else records[0], indent=2))
    elif len(named) == 2:
        show_run.compare(*named, every_epoch=options.all)
    elif named:
        show_run.show(named[0])
    elif folders := _folders(root):
        _list(folders, options, len(analyses))
    elif options.json:
        print("[]")
    else:
        print(f"There are no runs in {root}. Train one: rethink fit --help")


def _means(name: str, folder: Path) -> bool:
    """Whether a person means this analysis: its folder, or eight digits of its identity or more."""
    return Path(name) == folder or (len(name) >= 8 and folder.name.startswith(name))


def _is_run(word: str, root: Path) -> bool:
    """Whether a word names a run, there or not, and is no filter."""
    return bool(_RUN_ID.fullmatch(word)) or is_run(Path(word)) or is_run(root / word)


def is_run(folder: Path) -> bool:
    """Whether this is the folder of a run, finished or begun."""
    return folder.is_dir() and (is_there(folder / "config.yaml") or is_finished(folder))


def find(name: str, root: Path) -> Path:
    """The folder of a run, by its path, its run_id or the first digits of it."""
    if is_run(Path(name)):
        return Path(name)
    if is_run(root / name):
        return root / name
    ids = sorted(folder.name for folder in _folders(root))
    matches = [run_id for run_id in ids if run_id.startswith(name)]
    if len(matches) == 1:
        return root / matches[0]
    if matches:
        raise UserError(f"{name!r} can be {', '.join(matches)}. Give more digits.")
    near = get_close_matches(name, ids, n=3, cutoff=0.3)
    hint = f" Did you mean {' or '.join(near)}?" if near else f" It has {len(ids)} runs: rethink show"
    raise UserError(f"there is no run {name!r} in {root}.{hint}")


def _folders(root: Path) -> list[Path]:
    """The newest first: by when it was finished, or begun if it is not."""
    changed: dict[str, float] = {}
    for folder in os.listdir(root) if root.is_dir() else []:
        for name in ("record.json", "config.yaml"):
            with suppress(OSError):
                changed[folder] = os.lstat(f"{root}/{folder}/{name}").st_mtime
                break
    return [root / name for name in sorted(changed, key=lambda name: (-changed[name], name))]


# The list.


def _list(folders: list[Path], options: Any, analyses: int) -> None:
    damage: list[str] = []
    if options.words or options.sort:
        folders = _chosen(folders, Selection.of(options.words), options.sort, damage)
    if options.reverse:
        folders.reverse()
    if options.json:
        finished = (folder for folder in folders if is_finished(folder))
        print(json.dumps([*_read(finished, lambda folder: Run.open(folder).record, damage)], indent=2))
    else:
        size = shutil.get_terminal_size((120, 24))
        wide = size.columns >= _WIDE
        room = max((size.lines - 4) // (1 if wide else 2), 1)
        shown = folders if options.all else folders[:room]
        print("\n".join(_table(shown, size.columns, wide, damage)))
        if len(shown) < len(folders):
            print(f"and {len(folders) - len(shown)} {'more' if options.sort else 'older'} runs: rethink show --all")
        if analyses and not options.words:
            print(f"and {analyses} analyses: rethink show --analyses")
    report_damage(damage)


def _chosen(folders: list[Path], selection: Selection, sort: str | None, damage: list[str]) -> list[Path]:
    runs = [*_read(folders, lambda folder: Summary.of(folder, verified=False), damage)]
    chosen = [run for run in runs if selection.has(partial(getattr, run, "outcomes"), partial(_setting, run, damage))]
    if not chosen:
        selection.require_known(run.setting for run in runs)
        raise UserError(f"no run of {len(runs)} has what is asked for. `rethink show` lists them.")
    if sort:
        keys = {run.folder: run.key(sort) for run in chosen}
        if all(key is None for key in keys.values()):
            raise UserError(f"--sort {sort}: no run has such a value.")
        chosen.sort(key=lambda run: _ascending(keys[run.folder]), reverse=True)
    return [run.folder for run in chosen]


def _setting(run: Summary, damage: list[str]) -> Setting | None:
    return next(iter(_read([run.folder], lambda _: run.setting, damage)), None)


def _ascending(value: Any) -> tuple[int, float, str]:
    """Numbers are above texts, and these above nothing."""
    if isinstance(value, bool | int | float):
        return 2, float(value), ""
    return (0, 0.0, "") if value is None else (1, 0.0, str(value))


def _read(folders: Iterable[Path], read: Callable[[Path], Any], damage: list[str]) -> Iterable[Any]:
    """What is read of those that can be read; a line for each that is damaged."""
    for folder in folders:
        try:
            yield read(folder)
        except (UserError, AttributeError, KeyError, TypeError, ValueError) as error:
            for_a_person = isinstance(error, UserError)
            damage.append(str(error) if for_a_person else f"{folder}: damaged ({type(error).__name__}: {error}).")


def _table(folders: Sequence[Path], width: int, wide: bool, damage: list[str]) -> Iterable[str]:
    """A line per run, or two where the terminal is narrow. Only descriptions are cut."""
    names = ("run_id", "model", "randomization", "n", "epochs", "outcome", "train", "test", "seed")
    rows = [dict(zip(names, names, strict=True))]
    for folder in folders:
        lost = {"run_id": folder.name, **dict.fromkeys(names[1:], "-"), "outcome": "damaged"}
        rows += [*_read([folder], lambda folder: Summary.of(folder).cells, damage)] or [lost]
    columns: list[tuple[str, ...]] = [(name,) for name in names]
    if not wide:
        columns = [("run_id",), ("model", "randomization"), ("n",), ("epochs", "outcome"), ("train", "test"), ("seed",)]
    widths = [max(len(row[name]) for row in rows for name in column) for column in columns]
    gap = "  " if wide else " "
    for number in (1, 2) if wide else (1,):
        others = sum(widths) - widths[number] + len(gap) * (len(columns) - 1)
        widths[number] = max(min(widths[number], width - others), 8)
    for row in rows:
        for line in range(1 if wide else 2):
            texts = [row[column[line]] if line < len(column) else "" for column in columns]
            cells = [
                f"{_cut(text, size):{'>' if column[0] in _RIGHT else '<'}{size}}"
                for text, size, column in zip(texts, widths, columns, strict=True)
            ]
            yield gap.join(cells).rstrip()


def _cut(text: str, size: int) -> str:
    return text if len(text) <= size else f"{text[: size - 1]}…"
