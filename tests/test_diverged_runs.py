"""A run that diverged is no measurement: in no experiment's figures does a mean, a count or a verdict use it."""

import copy
import math
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import test_complexity_artefact
import test_inside_artefact
from mini_records import results_of, write_level, write_run

from experiments.demo import figures as demo
from rethink.report import artefacts
from rethink.report.estimates import Estimate, Seeds
from rethink.report.page import Artefact
from rethink.report.randomizations import FIVE
from rethink.report.results import Results
from rethink.runs.run import Run
from rethink.sweep.experiment import EXPERIMENTS

REPOSITORY = Path(__file__).parents[1]
WITH_FIGURES = sorted(path.parent.name for path in (REPOSITORY / EXPERIMENTS).glob("*/figures.py"))
WITHOUT_RUNS = {"table3"}  # analyses of data only
LEVELS = (0.0, 0.2, 0.4, 1.0)
MLP: dict[str, Any] = {"model": "MLP", "hidden_sizes": [512]}
INCEPTION: dict[str, Any] = {"model": "SmallInception", "batch_norm": True}
LABEL_SMOOTHING = {"class": "TensorFlowRMSProp", "options": {"label_smoothing": 0.1}}


def curves(level: float, seed: int) -> dict[str, list[float]]:
    """Of all columns that a figure reads, no two seeds alike."""
    more, true = 0.01 * seed, 0.5 - 0.4 * level
    rising = [0.3, 0.6, 0.9, 0.995, 1.0, 1.0]
    return {
        "train/loss": [2.0, 1.5, 0.9, 0.09 + more, 0.05, 0.02 + more],
        "train/accuracy": rising,
        "online/accuracy": rising,
        "train/accuracy_top5": rising,
        "train_clean/accuracy": rising,
        "train_corrupted/accuracy": [0.1, 0.2, 0.4, 0.6, 0.95, 1.0],
        "train_corrupted/recovered": [0.2, 0.5 + more, 0.4, 0.3, 0.2, 0.1],
        "test/accuracy": [true, true + 0.02, true - 0.02, true, true, true + more],
        "test/accuracy_top5": [0.9, 0.9, 0.9, 0.9, 0.9, 0.9 + more],
        "test_randomized/accuracy": [0.1, 0.2, 0.3, 0.3, 0.3, 0.3 + more],
    }


def written(path: Path, seed: int) -> Run:
    """With what callbacks add to a record."""
    run = Run.open(path)
    stopping = {"test": {"epoch": 2, "gain": 0.02 + 0.01 * seed}, "by_validation": {"epoch": 3, "gain": 0.01}}
    ways = [
        {"epoch": 1, "statistics": way, "train/loss": loss + 0.01 * seed, "train/accuracy": 0.6}
        | {"test_randomized/accuracy": 0.5}
        for way, loss in (("running 0.1", 1.0), ("recomputed", 0.9))
    ]
    run.record["best_test_accuracy"] = stopping
    run.record["batch_norm_statistics"] = {"images": None, "rows": ways}
    return run


def five(root: Path, **network: Any) -> list[Run]:
    return [
        written(
            write_run(root, randomization=name, fits_at=4 + seed % 2, seed=seed, train_size=50_000,
                      history=curves(float(name != "TrueLabels"), seed), rules={"loss<0.1": 4}, **network),
            seed,
        )
        for seed in range(3)
        for name in FIVE
    ]  # fmt: skip


def levels(root: Path, **network: Any) -> list[Run]:
    return [
        written(
            write_level(root, p, fits_at=4 + seed % 2, seed=seed, train_size=50_000, history=curves(p, seed),
                        rules={"loss<0.1": 4}, **network),
            seed,
        )
        for seed in range(3)
        for p in LEVELS
    ]  # fmt: skip


def of(name: str) -> Callable[..., list[Run]]:
    """A writer of runs on one randomization."""

    def write(root: Path, **network: Any) -> list[Run]:
        return [run for run in five(root, **network) if run.randomization == name]

    return write


def drawn(root: Path) -> list[Run]:
    """Random labels of three draws."""
    runs = []
    for draw in range(3):
        for run in of("RandomLabels")(root / str(draw), **MLP):
            run.record["randomization"]["seed"] = draw
            run.record["identity"]["randomization"] = ["RandomLabels", {"seed": draw}]
            run.record["run_id"] = f"{run.run_id}-{draw}"
            runs.append(run)
    return runs


def both(*writers: list[Run]) -> list[Run]:
    return [run for runs in writers for run in runs]


# Of each experiment: runs of its settings, in a folder.
RUNS: dict[str, Callable[[Path], list[Run]]] = {
    **dict.fromkeys(("fig1a", "batch_norm_statistics"), lambda root: five(root, **INCEPTION)),
    "first_picture": lambda root: five(root, model="SmallAlexNet"),
    **dict.fromkeys(
        ("table1", "fig1b", "fig1c", "memorization_order", "early_stopping"),
        lambda root: levels(root, **MLP),
    ),
    "fig2a": lambda root: of("TrueLabels")(root, model="InceptionV3", recipe=LABEL_SMOOTHING),
    "fig2b": lambda root: both(
        of("TrueLabels")(root, **INCEPTION), of("TrueLabels")(root, **INCEPTION | {"batch_norm": False})
    ),
    "demo": lambda root: both(five(root / "a", model="SmallAlexNet"), levels(root / "b", **MLP)),
    "strong_and_weak": lambda root: both(five(root / "a", model="SmallAlexNet"), five(root / "b", **MLP)),
    "table2": lambda root: five(root, model="InceptionV3", recipe=LABEL_SMOOTHING)[::4],
    "table4": lambda root: of("RandomLabels")(root, **MLP, weight_decay=5e-4),
    "regularizer_effects": lambda root: both(
        of("TrueLabels")(root, **MLP), of("TrueLabels")(root, **MLP, weight_decay=5e-4)
    ),
    "open_choices": lambda root: of("RandomLabels")(root, **MLP, staircase=True),
    "label_draws": drawn,
    "theorem1": lambda root: of("RandomLabels")(root, **MLP),
}


def results(name: str, root: Path) -> Results:
    if name == "complexity":
        return test_complexity_artefact.complete(root)
    if name == "inside":
        return test_inside_artefact.complete(root)
    return results_of(name, RUNS[name](root), scale="demo" if name == "demo" else "full")


def diverged(run: Run, measured: bool) -> Run:
    """A run as it was, or with NaN; both say that they diverged."""
    record = copy.deepcopy(run.record) | {"outcome": "diverged"}
    history = copy.deepcopy(run.history)
    if not measured:
        epochs = {key: record["final"][key] for key in ("epoch", "step")}
        record["final"] = dict.fromkeys(record["final"], math.nan) | epochs
        never = {"outcome": "diverged", "epoch": None, "step": None}
        record["convergence"] = {"rules": dict.fromkeys(record["convergence"]["rules"], never), "onset": never}
        record["best_test_accuracy"] = {}
        history |= {name: [math.nan] * len(values) for name, values in history.items() if name not in epochs}
    return Run(run.path, record, history)


def said(artefact: Artefact) -> list[str]:
    return [
        *(artefact.finding, *map(str, artefact.verdicts)),
        *(text for table in artefact.tables for text in (table.to_csv(), *table.notes)),
        *(chart.to_csv() for chart in artefact.charts),
    ]


def numbers(artefact: Artefact) -> list[object]:
    """What is counted and averaged: the estimates and the n of all tables, and the verdicts but what they lack."""
    cells = [cell for table in artefact.tables for row in table.rows for cell in row]
    counts: list[object] = [cell.n if isinstance(cell, Seeds) else cell for cell in cells]
    verdicts = [(verdict.trend, re.split(" Missing|; open in", verdict.detail)[0]) for verdict in artefact.verdicts]
    return [*(cell for cell in counts if isinstance(cell, int | float | Estimate)), *verdicts]


def test_every_experiment_with_figures_is_here() -> None:
    assert {*RUNS, "complexity", "inside", "paper", *WITHOUT_RUNS} == {*WITH_FIGURES}


@pytest.mark.parametrize("name", [*RUNS, "complexity", "inside"])
def test_a_run_that_diverged_is_named_and_neither_averaged_nor_counted(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo, "pictures", lambda: ())
    whole = results(name, tmp_path)
    used, victims = 0, 2 if name in ("complexity", "inside") else 6
    for victim in [run for run in whole.finished if run.seed == (0 if name == "complexity" else 1)][:victims]:
        others = tuple(run for run in whole.finished if run is not victim)

        alone = tuple(analysis for analysis in whole.analyses if victim.run_id not in analysis.runs)

        def made(run: Run | None, others: tuple[Run, ...] = others, alone: Any = alone) -> Artefact:
            analyses = whole.analyses if run else alone
            return artefacts.make(replace(whole, finished=(*others, *([run] if run else [])), analyses=analyses))

        lost, as_measured = (made(diverged(victim, measured)) for measured in (False, True))
        assert said(lost) == said(as_measured)
        assert numbers(lost) == numbers(made(None))
        note = next(note for note in lost.notes if note.startswith("Without a measurement"))
        assert "diverged: " in note
        assert f"seed {victim.seed}." in note
        used += said(made(victim)) != said(lost)
    assert used  # a run that went to its end does count


@pytest.mark.parametrize("name", [name for name in RUNS if name != "demo"])
def test_n_interval_and_rule_stand_in_every_table_beside_the_papers_numbers(name: str, tmp_path: Path) -> None:
    for table in artefacts.make(results(name, tmp_path)).tables:
        headers = [column.header for column in table.columns]
        if any(header.startswith("paper") for header in headers) and table.name != "parameters":  # a count has none
            assert {"n", "seeds"} & {*headers}, table.caption
            assert any(column.interval for column in table.columns) or name == "open_choices", table.caption
            assert any(("95 %" in note and "n = 1" in note) or "not judged" in note for note in table.notes), (
                table.caption
            )


def test_the_page_of_all_numbers_takes_none_of_a_run_that_diverged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = of("TrueLabels")(tmp_path, **MLP)

    def page(*changed: Run) -> Artefact:
        chosen = [*runs[:2], *changed]
        monkeypatch.setattr(Results, "other", lambda self, name: results_of(name, chosen))
        return artefacts.make(results_of("paper", chosen))

    assert said(page(diverged(runs[2], True))) == said(page(diverged(runs[2], False)))
    assert numbers(page(diverged(runs[2], True)))[:100] == numbers(page())[:100]
    assert any("2, 1 diverged" in text for text in said(page(diverged(runs[2], True))))
    runs[1] = diverged(runs[1], True)
    assert any(
        "cannot tell,2 of 3 runs ended without a measurement" in text for text in said(page(diverged(runs[2], True)))
    )
