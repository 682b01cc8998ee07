"""`rethink show`: the runs and analyses there are, a run's record and its curves, an analysis. Starts without torch."""

import json
import shutil
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console
from rich.table import Table

from rethink.cli.arguments import Parser, report_damage
from rethink.errors import UserError
from rethink.running import findings
from rethink.runs.analysis import Analysed, analyses_folder
from rethink.runs.reading import Columns, read_columns
from rethink.runs.run import CUT_SHORT_RECORD, Run, runs_folder

CURVES = ("train/loss", "train/accuracy", "test/accuracy")
_BARS = "▁▂▃▄▅▆▇█"
_RIGHT = ("n", "epochs", "train", "test", "seed")
_WIDE = 110  # columns from which on the list has one line for a run


def main(args: list[str]) -> None:
    """Runs `rethink show ARGS`.

    Raises:
        UserError: There is no such run, or its files are damaged.
        SystemExit: With code 1, where a run of the list is damaged; the others are listed.
    """
    parser = Parser(prog="rethink show", description="Print what runs and analyses there are, or one.")
    parser.add_argument("run", nargs="?", help="run_id or analysis_id, its first digits, or folder; default: a list")
    parser.add_argument("--all", action="store_true", help="list all runs, not only the newest that fit the screen")
    parser.add_argument("--analyses", action="store_true", help="list the analyses, not the runs")
    parser.add_argument("--runs", type=Path, help="folder of the runs (default: $RETHINK_RUNS, else runs)")
    parser.add_argument("--json", action="store_true", help="print the record, or all records, as JSON")
    options = parser.parse_args(args)
    root = runs_folder(options.runs)
    analyses = sorted(path.parent for path in analyses_folder(root).glob("*/record.json"))
    if options.analyses and not options.run:
        report_damage(findings.show_all(analyses))
        return
    if options.run and (matches := [folder for folder in analyses if _means(options.run, folder)]):
        if options.json:
            print(json.dumps(Analysed.open(matches[0]).record, indent=2))
        else:
            findings.show(matches[0])
        return
    folders = [find(options.run, root)] if options.run else _folders(root)
    if options.json and options.run:
        print(json.dumps(Run.open(folders[0]).record, indent=2))
    elif options.json:
        _list_json([folder for folder in folders if _finished(folder)])
    elif options.run:
        _show(folders[0])
    elif folders:
        damage = _list(folders, everything=options.all)
        if analyses:
            print(f"and {len(analyses)} analyses: rethink show --analyses")
        report_damage(damage)
    else:
        print(f"There are no runs in {root}. Train one: rethink fit --help")


def _list_json(folders: list[Path]) -> None:
    records, damage = [], []
    for folder in folders:
        try:
            records.append(Run.open(folder).record)
        except UserError as error:
            damage.append(error)
    print(json.dumps(records, indent=2))
    report_damage(damage)


def _means(name: str, folder: Path) -> bool:
    """Whether a person means this analysis: its folder, or eight digits of its identity or more."""
    return Path(name) == folder or (len(name) >= 8 and folder.name.startswith(name))


def find(name: str, root: Path) -> Path:
    """The folder of a run, by its path, its run_id or the first digits of it."""
    if (Path(name) / "config.yaml").is_file() or (Path(name) / "record.json").is_file():
        return Path(name)
    ids = sorted(folder.name for folder in _folders(root))
    matches = [name] if name in ids else [i for i in ids if i.startswith(name)]
    if len(matches) == 1:
        return root / matches[0]
    if matches:
        raise UserError(f"{name!r} can be {', '.join(matches)}. Give more digits.")
    near = get_close_matches(name, ids, n=3, cutoff=0.3)
    hint = f" Did you mean {' or '.join(near)}?" if near else f" It has {len(ids)} runs: rethink show"
    raise UserError(f"there is no run {name!r} in {root}.{hint}")


def _folders(root: Path) -> list[Path]:
    """The newest first: by when it was finished, or begun if it is not."""
    changed: dict[Path, float] = {}
    for name in ("config.yaml", "record.json"):
        changed |= {path.parent: path.stat().st_mtime for path in root.glob(f"*/{name}")}
    return sorted(changed, key=lambda folder: (-changed[folder], folder.name))


def _finished(folder: Path) -> bool:
    return (folder / "record.json").is_file()


# The list.


def _list(folders: list[Path], everything: bool) -> list[str]:
    """Prints a row per run; returns a line for each that is damaged."""
    damage: list[str] = []
    console = _console(table_width=120)
    wide = console.width >= _WIDE
    lines = shutil.get_terminal_size().lines - 4
    shown = folders if everything else folders[: max(lines if wide else lines // 2, 1)]
    names = ("run_id", "model", "randomization", "n", "epochs", "outcome", "train", "test", "seed")
    table = Table(box=None, pad_edge=False, padding=(0, 2 if wide else 1, 0, 0))
    for name in _joined(names, wide):
        table.add_column(name, justify="right" if name.partition("\n")[0] in _RIGHT else "left", no_wrap=True)
    for folder in shown:
        table.add_row(*_joined([folder.name, *_row(folder, damage)], wide))
    console.print(table)
    if len(shown) < len(folders):
        print(f"and {len(folders) - len(shown)} older runs: rethink show --all")
    return damage


def _joined(cells: Sequence[str], wide: bool) -> list[str]:
    """The cells of a run, in two lines where the terminal is narrow."""
    if wide:
        return [*cells]
    run_id, model, randomization, size, epochs, outcome, train, test, seed = cells
    return [run_id, f"{model}\n{randomization}", size, f"{epochs}\n{outcome}", f"{train}\n{test}", seed]


def _row(folder: Path, damage: list[str]) -> list[str]:
    """All but the run_id; what is damaged is noted."""
    try:
        return _finished_row(Run.open(folder)) if _finished(folder) else _unfinished_row(folder)
    except UserError as error:
        damage.append(str(error))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        damage.append(f"{folder}: damaged ({type(error).__name__}: {error}). Delete the folder, and repeat the run.")
    return ["-", "-", "-", "-", "damaged", "-", "-", "-"]


def _finished_row(run: Run) -> list[str]:
    return [
        run.architecture,
        _randomization(run.randomization, run.record["randomization"].get("probability")),
        f"{run.train_size:,}",
        str(run.record["final"].get("epoch", "-")),
        run.outcome,
        _percent(run.final("train/accuracy")),
        _percent(run.final("test/accuracy")),
        str(run.seed),
    ]


def _unfinished_row(folder: Path) -> list[str]:
    config, history = _config(folder), _history(folder)
    data = _part(config, "data")
    randomization = _part(data["init_args"], "randomization")
    size = data["init_args"].get("train_size") or data["init_args"].get("num_train")
    return [
        _part(config, "model")["class"],
        _randomization(randomization["class"], randomization["init_args"].get("probability")),
        f"{size:,}" if size else "all",
        str(len(history.get("epoch", []))),
        "cut short" if (folder / CUT_SHORT_RECORD).is_file() else "unfinished",
        _percent(_last(history, "train/accuracy")),
        _percent(_last(history, "test/accuracy")),
        str(config.get("seed_everything", "-")),
    ]


def _part(config: dict[str, Any], name: str) -> dict[str, Any]:
    """Class and arguments of a part of a configuration. Only the randomization may be left out."""
    spec = (config.get(name) or {"class_path": "TrueLabels"}) if name == "randomization" else config[name]
    return {"class": spec["class_path"].rpartition(".")[2], "init_args": spec.get("init_args") or {}}


def _config(folder: Path) -> dict[str, Any]:
    try:
        return dict(yaml.safe_load((folder / "config.yaml").read_text()))
    except (OSError, TypeError, ValueError, yaml.YAMLError) as error:
        path = folder / "config.yaml"
        raise UserError(f"{path} is damaged ({error}). Delete the folder, and repeat the run.") from error


def _history(folder: Path) -> Columns:
    file = folder / "history.csv"
    return read_columns(file) if file.is_file() else {}


# One run.


def _show(folder: Path) -> None:
    if _finished(folder):
        run = Run.open(folder)
        if run.changed_code:
            print(f"Its code has changed since: {', '.join(run.changed_code)}. Train it anew with --force.\n")
        _print_groups(_record_groups(run.record))
        history = run.history
    else:
        history = _history(folder)
        cells = _unfinished_row(folder)
        names = ("model", "randomization", "images", "epochs so far", "outcome", "train", "test", "seed")
        _print_groups({folder.name: dict(zip(names, cells, strict=True))})
        print(f"Go on with: rethink fit --config {folder / 'config.yaml'}\n")
    for name in CURVES:
        points = [(x, y) for x, y in zip(history.get("epoch", []), history.get(name, []), strict=False)]
        measured = [(x, y) for x, y in points if x is not None and y is not None]
        if len(measured) > 1:
            print(curve(name, [x for x, _ in measured], [y for _, y in measured]))


def _record_groups(record: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The record as a person reads it: group -> name -> text."""
    model, data, environment = record["model"], record["data"], record.get("environment", {})
    arguments = {k: v for k, v in model["init_args"].items() if k not in ("seed", "image_shape", "num_classes")}
    randomization = {k: v for k, v in record["randomization"].items() if k != "class"}
    final = record["final"]
    durations = record.get("durations", {})
    convergence = record["convergence"]
    return {
        f"run {record['run_id']}": {
            "outcome": record["outcome"],
            "model": f"{model['class']}, {model['parameters']:,} parameters",
            "": _arguments(arguments),
            "data": f"{data['class']}, {data['train_size']:,} training and {data['test_size']:,} test images",
            "randomization": f"{record['randomization']['class']} ({_arguments(randomization)})",
            "budget": _arguments({k: v for k, v in record["budget"].items() if v not in (None, -1)}),
            "seed": record["seed"],
        },
        f"at epoch {final.get('epoch')}, step {final.get('step')}": {
            name.removesuffix("/accuracy"): f"accuracy {_percent(final[name])}"
            + (f", loss {final[loss]:.4g}" if final.get(loss := name.replace("accuracy", "loss")) is not None else "")
            for name in final
            if name.endswith("/accuracy")
        }
        | {name: _percent(final[name]) for name in final if name.endswith("/recovered")},
        "first passed": {
            name: f"epoch {passed['epoch']}, step {passed['step']}"
            if passed["outcome"] == "converged"
            else passed["outcome"]
            for name, passed in {"onset": convergence.get("onset"), **convergence["rules"]}.items()
            if passed
        },
        "best along training": {
            name: f"{_percent(best['best'])} at epoch {best['epoch']}, {100 * best['gain']:+.2f} to the last"
            for name, best in record.get("best_test_accuracy", {}).items()
            if "best" in best
        },
        "environment": {
            "device": environment.get("device"),
            "precision": environment.get("precision"),
            "threads": f"{environment.get('threads')} in each of {environment.get('world_size')} processes",
            "versions": _arguments(environment.get("versions", {}), " "),
            "git commit": environment.get("git_commit"),
            "finished": record.get("finished"),
            "seconds": f"{durations.get('seconds/total', 0):.1f}",
        },
    }


def _print_groups(groups: dict[str, dict[str, Any]]) -> None:
    console = _console(table_width=80)
    for title, lines in groups.items():
        if lines:
            table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
            table.add_column(width=18)
            table.add_column(overflow="fold")
            for name, value in lines.items():
                table.add_row(f"  {name}", str(value))
            console.print(title, style="bold")
            console.print(table)
            console.print()


def curve(name: str, epochs: Sequence[float], values: Sequence[float], width: int = 24) -> str:
    """A line with a curve from 0 on: accuracies up to 100 %, losses up to their highest."""
    accuracy = name.endswith("accuracy")
    high = 1.0 if accuracy else max(values) or 1.0
    columns = min(width, len(values))
    drawn = [values[round(i * (len(values) - 1) / max(columns - 1, 1))] for i in range(columns)]
    bars = "".join(_BARS[round(min(max(value / high, 0), 1) * (len(_BARS) - 1))] for value in drawn)
    first, last = (_percent(value) if accuracy else f"{value:.4g}" for value in (values[0], values[-1]))
    return f"  {name:<16}{bars}  {first} at epoch {epochs[0]:g}, {last} at {epochs[-1]:g}"


# Wording.


def _console(table_width: int) -> Console:
    console = Console(highlight=False, soft_wrap=False)
    if not console.is_terminal:
        console.width = table_width
    return console


def _randomization(name: str, probability: float | None) -> str:
    return name if probability is None or name == "RandomLabels" else f"{name} p={probability:g}"


def _arguments(arguments: dict[str, Any], equals: str = "=") -> str:
    return ", ".join(f"{name}{equals}{json.dumps(value).strip(chr(34))}" for name, value in arguments.items())


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.2f} %"


def _last(history: Columns, name: str) -> float | None:
    measured = [value for value in history.get(name, []) if value is not None]
    return measured[-1] if measured else None
