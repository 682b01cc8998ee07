"""From the records of an experiment to its artefact on disk, by the script `experiments/<name>/figures.py`.

The script's one function is `artefact(results: Results) -> Artefact`; without a script the artefact is a table. All the
rest is here: PNG, SVG, CSV, Markdown and LaTeX, `README.md` with what they say, `runs.csv` with a row per run and
`analyses.csv` with one per analysis, `provenance.json` with everything that differs between identical runs.
"""

import importlib
import json
import sys
from collections import Counter
from collections.abc import Sequence
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import Any

from rethink.files import write_text
from rethink.report.page import Artefact
from rethink.report.provenance import provenance
from rethink.report.results import Results
from rethink.report.tables import Cell, Column, Table
from rethink.runs.analysis import FinishedAnalysis
from rethink.runs.run import Run
from rethink.sweep.experiment import EXPERIMENTS, names

SCRIPT = "figures.py"
DEMO = "demo"  # opens the page of the scale of this name, and is no artefact at full scale
_PAPERS_OWN = ("fig", "table", "theorem")
_METRICS = ("train/loss", "train/accuracy", "online/accuracy", "test/accuracy", "test_randomized/accuracy")


def all_names(scale: str = "full") -> list[str]:
    """The experiments that make an artefact of their own: the paper's figures and tables, then what goes beyond."""
    scripted = [name for name in names() if (EXPERIMENTS / name / SCRIPT).is_file()]
    shown = [name for name in scripted if name != DEMO or scale == DEMO]
    return sorted(shown, key=lambda name: (not name.startswith(_PAPERS_OWN), name))


def make(results: Results) -> Artefact:
    """Runs the experiment's script; without one, a table of its settings."""
    folder = results.experiment.file.parent
    if not (folder / SCRIPT).is_file():
        return _plain(results)
    artefact: Artefact = load_script(folder / SCRIPT).artefact(results)
    return artefact


def _plain(results: Results) -> Artefact:
    """A row per setting: its accuracies over the seeds, at the last epoch."""
    names = [name for name in ("train/accuracy", "test/accuracy") if any(run.final(name) for run in results.runs)]
    columns = [Column.text("setting", "setting"), *(Column.estimates(name, name) for name in names)]
    rows: list[list[Cell]] = [[row.name, *(row.final(name) for name in names)] for row in results.rows]
    finding = f"{len(results.runs)} runs of {len(rows)} settings."
    table = Table(columns, rows, "Accuracy at the last epoch", name="settings")
    note = f"There is no {SCRIPT} beside its sweep.yaml, which would make figures and tables of its own."
    return results.artefact(finding, tables=[table], notes=[note])


def write(artefact: Artefact, results: Results, folder: Path) -> None:
    """Writes an artefact's files; nothing in them but provenance.json differs between identical runs.

    Raises:
        UserError: The disk does not take them.
        ValueError: Two figures or tables have one name, and the CSV of one would be written over that of the other.
    """
    names = Counter([*(chart.name for chart in artefact.charts), *(table.name for table in artefact.tables)])
    if twice := [name for name, number in names.items() if number > 1]:
        raise ValueError(f"{artefact.name}: more than one figure or table is called {', '.join(twice)}")
    for chart in artefact.charts:
        chart.save(folder)
    for table in artefact.tables:
        table.save(folder)
    write_text(folder / "README.md", _summary(artefact), durable=False)
    if results.planned:
        write_text(folder / "runs.csv", runs_table(results.finished).to_csv(), durable=False)
    if results.planned_analyses:
        write_text(folder / "analyses.csv", analyses_table(results.analyses).to_csv(), durable=False)
    every = [results, *results.others.values()]
    runs = [run for of in every for run in of.finished]
    analyses = [analysis for of in every for analysis in of.analyses]
    text = json.dumps(provenance(runs, analyses), indent=2, sort_keys=True) + "\n"
    write_text(folder / "provenance.json", text, durable=False)


def _summary(artefact: Artefact) -> str:
    """The artefact in a page of Markdown: claim, finding, notes, verdicts, figures and tables."""
    parts = [
        f"# {artefact.title}",
        f"**The paper claims:** {artefact.claim}",
        f"**These runs show:** {artefact.finding}",
    ]
    for heading, lines in (("To know first", artefact.notes), ("Judged from the numbers", artefact.verdicts)):
        parts += [f"**{heading}:**\n\n" + "\n".join(f"- {line}" for line in lines)] if lines else []
    for chart in artefact.charts:
        parts += [f"![{chart.name}]({chart.name}.svg)", chart.description]
    parts += [table.to_markdown().rstrip("\n") for table in artefact.tables]
    return "\n\n".join(parts) + "\n"


def load_script(path: Path) -> ModuleType:
    """A script beside a sweep.yaml as a module, wherever that lies."""
    if path.parent.parent == EXPERIMENTS:
        return script(path.parent.name, path.name)
    loader = SourceFileLoader(f"{path.stem} of {path.absolute().parent.name}", str(path))
    module = ModuleType(loader.name)
    loader.exec_module(module)
    return module


def script(name: str, file: str = SCRIPT) -> ModuleType:
    """`experiments/<name>/figures.py` as a module; one script may import another as `experiments.<name>.figures`."""
    root = str(EXPERIMENTS.resolve().parent)
    if root not in sys.path:
        sys.path.append(root)
    return importlib.import_module(f"experiments.{name}.{file.removesuffix('.py')}")


def runs_table(runs: Sequence[Run]) -> Table:
    """A row per run: setting, outcome, when it passed each rule, final metrics."""
    rules = list(dict.fromkeys(rule for run in runs for rule in run.record["convergence"]["rules"]))
    columns = [
        *(Column.text(name, name) for name in ("run", "architecture", "randomization")),
        *(Column(name, name) for name in ("corruption", "seed", "weight_decay")),
        Column.text("augmentation", "augmentation"),
        *(Column(name, name) for name in ("dropout", "batch_norm", "decay", "train_size", "validation_size", "epochs")),
        Column.text("outcome", "outcome"),
        *(Column(f"epochs to {rule}", f"epochs_to_{rule}") for rule in rules),
        *(Column(name, name) for name in (*_METRICS, "best test/accuracy", "best test epoch")),
    ]
    return Table(columns, [_row(run, rules) for run in runs], "Every run", name="runs")


def _row(run: Run, rules: Sequence[str]) -> list[Cell]:
    setting = run.setting
    best = run.record.get("best_test_accuracy", {}).get("test", {})
    return [
        *(run.run_id, setting.architecture, setting.randomization, setting.corruption, setting.seed),
        *(setting.weight_decay, setting.augmentation, setting.dropout, int(setting.batch_norm), setting.decay),
        *(run.train_size, setting.validation_size, int(run.record["final"]["epoch"]), run.outcome),
        *(run.crossing(rule) if rule in run.record["convergence"]["rules"] else None for rule in rules),
        *(run.final(metric) for metric in _METRICS),
        *(best.get("best"), best.get("epoch")),
    ]


def analyses_table(analyses: Sequence[FinishedAnalysis]) -> Table:
    """A row per analysis: its class, its options, and those of its values that are single numbers or texts."""
    options = list(dict.fromkeys(name for analysis in analyses for name in analysis.options))
    single = [
        {name: value for name, value in analysis.values.items() if isinstance(value, str | int | float)}
        for analysis in analyses
    ]
    values = list(dict.fromkeys(name for numbers in single for name in numbers))
    columns = [
        *(Column.text("analysis", "analysis_id"), Column.text("class", "class")),
        *(Column.text(name, name) for name in options),
        *(Column(name, f"values.{name}") for name in values),
    ]
    rows: list[list[Cell]] = [
        [
            *(analysis.analysis_id, analysis.name, *(_option(analysis.options.get(name)) for name in options)),
            *(numbers.get(name) for name in values),
        ]
        for analysis, numbers in zip(analyses, single, strict=True)
    ]
    return Table(columns, rows, "Every analysis", name="analyses")


def _option(value: Any) -> Cell:
    return value if value is None or isinstance(value, str) else json.dumps(value)
