"""A run in the terminal, its record and its curves, and two of them side by side."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from rethink.runs.identity import resolved
from rethink.runs.reading import Columns, damaged
from rethink.runs.run import Run
from rethink.runs.summary import Summary, is_finished, percent

CURVES = ("train/loss", "train/accuracy", "test/accuracy")
_BARS = "▁▂▃▄▅▆▇█"
_ROWS = 16  # epochs of a comparison


def show(folder: Path) -> None:
    """Prints a run: its record, or how far it is.

    Raises:
        UserError: Its files are damaged.
    """
    if is_finished(folder):
        run = Run.open(folder)
        if run.changed_code:
            print(f"Its code has changed since: {', '.join(run.changed_code)}. Train it anew with --force.\n")
        try:
            groups = _record_groups(run.record)
        except (AttributeError, KeyError, TypeError, ValueError):  # what is only shown has no schema
            raise damaged(folder / "record.json", "a value of another type") from None
        _print_groups(groups)
        history = run.history
    else:
        summary = Summary.of(folder)
        _print_groups({f"run {folder.name}": {name: text for name, text in summary.cells.items() if name != "run_id"}})
        print(f"Go on with: rethink fit --config {folder / 'config.yaml'}\n")
        history = summary.history
    for name in CURVES:
        epochs, values = _measured(history, name)
        if len(values) > 1:
            print(curve(name, epochs, values))


def compare(first: Path, second: Path, *, every_epoch: bool = False) -> None:
    """Prints in what two runs differ, what came of them, and their curves side by side.

    Raises:
        UserError: Their files are damaged.
    """
    runs = [Summary.of(first), Summary.of(second)]
    histories = [Run.open(run.folder).history if run.record else run.history for run in runs]
    names = [run.folder.name for run in runs]
    settings = [_settings(run) for run in runs]
    differing = {
        name: [_plain(chosen.get(name, "-")) for chosen in settings]
        for name in dict.fromkeys([*settings[0], *settings[1]])
        if settings[0].get(name) != settings[1].get(name)
    }
    _print_columns("what differs", names, differing or {"nothing but the code, or the machine": ["", ""]})
    outcomes = {"outcome": [run.outcomes[0] for run in runs]}
    for name in ("epoch", *CURVES):
        outcomes[name] = [_number(name, run.final(name)) for run in runs]
    _print_columns("at the end", names, outcomes)
    columns = [dict(zip(*_measured(history, name), strict=True)) for name in CURVES for history in histories]
    epochs = sorted(set().union(*columns))
    if not every_epoch and len(epochs) > _ROWS:
        epochs = [epochs[round(i * (len(epochs) - 1) / (_ROWS - 1))] for i in range(_ROWS)]
    if epochs:
        headers = ["\n".join([*name.split("/"), run_id[:8]]) for name in CURVES for run_id in names]
        table = Table("\n\nepoch", box=None, pad_edge=False, padding=(0, 2, 0, 0))
        for header in headers:
            table.add_column(header, justify="right", no_wrap=True)
        for epoch in epochs:
            cells = [_number(CURVES[i // 2], column.get(epoch)) for i, column in enumerate(columns)]
            table.add_row(f"{epoch:g}", *cells)
        _console().print(table)


def _settings(run: Summary) -> dict[str, Any]:
    """Name -> value of all that was chosen, classes included."""
    if run.record is not None:
        names: dict[str, Any] = {part: run.record[part]["class"] for part in ("model", "data", "randomization")}
        parts = {"model": run.record["model"].get("init_args", {}), "randomization": run.record["randomization"]}
        own = {f"{part}.{name}": value for part, options in parts.items() for name, value in options.items()}
        own = {name: value for name, value in own.items() if not name.endswith(".class")}
        names |= {"seed": run.record["seed"], "data.train_size": run.record["data"]["train_size"]}
        names |= own | {f"trainer.{name}": value for name, value in run.record["budget"].items()}
    else:
        names = {name: run.cells[name] for name in ("model", "randomization", "seed")}
    options = {name: value for name, value in resolved(dict(run.config)).items() if not name.endswith(".seed")}
    return {name: value for name, value in names.items() if name != "model.seed"} | options


def _print_columns(title: str, names: Sequence[str], lines: dict[str, list[str]]) -> None:
    table = Table(title, *names, box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for column in table.columns:
        column.overflow = "fold"
    for name, cells in lines.items():
        table.add_row(f"  {name}", *cells)
    _console().print(table, "")


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
            name.removesuffix("/accuracy"): f"accuracy {percent(final[name])}"
            + (f", loss {final[loss]:.4g}" if final.get(loss := name.replace("accuracy", "loss")) is not None else "")
            for name in final
            if name.endswith("/accuracy")
        }
        | {name: percent(final[name]) for name in final if name.endswith("/recovered")},
        "first passed": {
            name: f"epoch {passed['epoch']}, step {passed['step']}"
            if passed["outcome"] == "converged"
            else passed["outcome"]
            for name, passed in {"onset": convergence.get("onset"), **convergence["rules"]}.items()
            if passed
        },
        "best along training": {
            name: f"{percent(best['best'])} at epoch {best['epoch']}, {100 * best['gain']:+.2f} to the last"
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
    for title, lines in groups.items():
        if lines:
            table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
            table.add_column(width=18)
            table.add_column(overflow="fold")
            for name, value in lines.items():
                table.add_row(f"  {name}", str(value))
            _console().print(title, style="bold")
            _console().print(table, "")


def curve(name: str, epochs: Sequence[float], values: Sequence[float], width: int = 24) -> str:
    """A line with a curve from 0 on: accuracies up to 100 %, losses up to their highest."""
    high = 1.0 if name.endswith("accuracy") else max(values) or 1.0
    columns = min(width, len(values))
    drawn = [values[round(i * (len(values) - 1) / max(columns - 1, 1))] for i in range(columns)]
    bars = "".join(_BARS[round(min(max(value / high, 0), 1) * (len(_BARS) - 1))] for value in drawn)
    first, last = (_number(name, value) for value in (values[0], values[-1]))
    return f"  {name:<16}{bars}  {first} at epoch {epochs[0]:g}, {last} at {epochs[-1]:g}"


def _measured(history: Columns, name: str) -> tuple[list[float], list[float]]:
    pairs = [(x, y) for x, y in zip(history.get("epoch", []), history.get(name, []), strict=False)]
    measured = [(x, y) for x, y in pairs if x is not None and y is not None]
    return [x for x, _ in measured], [y for _, y in measured]


def _console() -> Console:
    console = Console(highlight=False, soft_wrap=False)
    if not console.is_terminal:
        console.width = 80
    return console


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _arguments(arguments: dict[str, Any], equals: str = "=") -> str:
    return ", ".join(f"{name}{equals}{_plain(value)}" for name, value in arguments.items())


def _number(name: str, value: float | None) -> str:
    if name.endswith("/accuracy"):
        return percent(value)
    return "-" if value is None else f"{value:.4g}"
