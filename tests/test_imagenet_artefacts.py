"""The artefacts of Table 2 and Figure 2a on mini-records: rows, top-5, the best epoch, what is not the paper's."""

import csv
import io
import re
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from mini_records import Scale, results_of, write_run

from rethink.cli import main, sweep
from rethink.report import artefacts, paper
from rethink.report.overview import overview
from rethink.report.page import Artefact
from rethink.runs.run import Run
from rethink.runs.setting import Setting
from rethink.sweep.jobs import PlannedRun
from rethink.sweep.plan import Plan

RECIPE = {"class": "TensorFlowRMSProp", "options": {"label_smoothing": 0.1}}
INCEPTION = [row for row in paper.rows("table2") if row.cells["model"] == "InceptionV3"]


def write(root: Path, row: paper.PaperRow, recipe: dict = RECIPE) -> Run:
    """A run that ends at the paper's numbers, its best test accuracy two points above the last."""
    on = {name: row.cells[name] == "yes" for name in ("augmentation", "dropout", "weight_decay")}
    switches = {"augmentation": "inception"} if on["augmentation"] else {}
    switches |= {"dropout": 0.2} if on["dropout"] else {}
    switches |= {"weight_decay": 4e-5} if on["weight_decay"] else {}
    history = {}
    for column, metric in (("top1", "accuracy"), ("top5", "accuracy_top5")):
        train, test = (row.number(f"{column}_{part}") / 100 for part in ("train", "test"))
        history |= {f"train/{metric}": [train / 2, train, train], f"test/{metric}": [test, test + 0.02, test]}
    labels = {"true": "TrueLabels", "random": "RandomLabels"}[row.cells["labels"]]
    return Run.open(write_run(root, "InceptionV3", labels, history=history, recipe=recipe, **switches))


def make(name: str, runs: list[Run], scale: Scale = "full") -> Artefact:
    return artefacts.make(results_of(name, runs, scale=scale))


def rows_of(artefact: Artefact, number: int) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(artefact.tables[number].to_csv())))


def test_table2_has_seven_rows_of_four_numbers_and_the_best_epochs(tmp_path):
    runs = [write(tmp_path, row) for row in INCEPTION]
    other = write(tmp_path, INCEPTION[3], RECIPE | {"options": {"label_smoothing": 0.0}})
    artefact = make("table2", [*runs, other])
    assert [table.name for table in artefact.tables] == ["top1_train", "top5_train", "top1_test", "top5_test", "others"]
    for number, column in ((0, "top1_train"), (2, "top1_test"), (3, "top5_test")):
        assert len(rows_of(artefact, number)) == 7
        for theirs, ours in zip(INCEPTION, rows_of(artefact, number), strict=True):
            assert float(ours["paper"]) == pytest.approx(theirs.number(column) / 100)
            assert ours["verdict"].startswith("inside")
    best = [float(row["best_top1_test"]) for row in rows_of(artefact, 2)]
    assert best == pytest.approx([row.number("top1_test") / 100 + 0.02 for row in INCEPTION])
    printed = [row["paper_best"] for row in rows_of(artefact, 2)]
    assert [float(value) for value in printed if value] == pytest.approx([0.7257, 0.6316])
    assert len(rows_of(artefact, 4)) == 1
    assert "7 of the paper's 7 rows" in artefact.finding


def test_table2_in_small_is_judged_by_fit_and_not_by_the_papers_numbers(tmp_path):
    artefact = make("table2", [write(tmp_path, row) for row in INCEPTION[:2]], scale="demo")
    assert "2 of the paper's 7 rows" in artefact.finding
    assert artefact.notes[0].startswith("Not ImageNet")
    trends = {verdict.trend: verdict.outcome for verdict in artefact.verdicts}
    assert len(trends) == 3
    assert trends["Every row fits its training set, true labels or random, to 100 %"] == "not shown"  # 92 % is not 100
    assert trends["Random labels are fitted to 100 %"] == "cannot tell"  # there is no such run


def test_a_page_of_nothing_else_is_not_folded_away(tmp_path):
    results = results_of("table2", [write(tmp_path, INCEPTION[0])], scale="demo")
    there = (artefacts.make(results), replace(results, planned=3 * results.planned))
    assert not overview("Table 2", [there]).artefacts[0].folded
    assert overview("Table 2, twice", [there, there]).artefacts[0].folded


@pytest.mark.parametrize("scale", ["full", "demo"])
def test_fig2a_has_the_papers_curves_and_what_stopping_would_gain(tmp_path, scale):
    runs = [write(tmp_path, INCEPTION[number]) for number in (0, 2, 3)]
    artefact = make("fig2a", runs, scale)
    (chart,) = artefact.charts
    theirs = [series for panel in chart.panels for series in panel.series if series.from_paper]
    assert len(theirs) == 6
    assert 240 < max(theirs[0].x) < 260  # ten million steps of 32 images are 250 epochs
    assert [float(row["gain"]) for row in rows_of(artefact, 0)] == pytest.approx([0.02] * 3)
    assert "2.0 points" in artefact.finding
    assert any(note.startswith("Not ImageNet") for note in artefact.notes) == (scale == "demo")


def test_without_a_run_both_say_so():
    for name in ("table2", "fig2a"):
        assert "0 of the paper's" in make(name, []).finding or "None of the three" in make(name, []).finding


@pytest.mark.slow
def test_the_documented_slurm_scripts_are_what_the_command_writes(tmp_path, monkeypatch):
    """With what differs from machine to machine in other words."""
    monkeypatch.setenv("RETHINK_RUNS", str(tmp_path))
    scripts = []
    for layer in ("slurm_8gpus", "slurm_4nodes"):
        config = ["--launcher-config", f"configs/launcher/{layer}.yaml"]
        main(["sweep", "run", "table2", "--seeds", "0", "--launcher", "slurm", *config, "--export-only"])
        text = (tmp_path / ".sweeps" / "table2-full" / "array.sh").read_text()
        text = re.sub(r"commands-\w+", "commands-0123abcd", text.replace(str(tmp_path), "/shared/rethink/runs"))
        text = text.replace(sys.executable, "/shared/rethink/.venv/bin/python").replace(
            f"cd {Path.cwd()}\n", "cd /shared/rethink\n"
        )
        scripts.append(text.splitlines())
    page = Path("docs/imagenet.md").read_text()
    one, four = scripts
    assert "\n".join(one) in page
    assert "\n".join(line for line in four if line not in one) in page


def test_a_plan_says_what_a_run_takes(tmp_path, monkeypatch):
    """By hand: 250 epochs of 1,281,167 images, a fifth of them with an evaluation three times as fast."""
    costs = artefacts.script("table2", "costs.py")
    monkeypatch.setattr(costs, "MEASURED", tmp_path / "throughput.json")
    hours = 250 * (1_281_167 + 1_331_167 / 15) / (1300 * 8 * 0.9) / 3600
    assert costs.of_run("InceptionV3", 250).startswith(f"{hours:.1f} h on 8 GPUs, 2.9 h on 4 x 8; $203, $229; assumed")
    assert costs.of_run("MLP", 250) == ""
    costs.MEASURED.write_text('{"InceptionV3": 2600}')
    assert costs.of_run("InceptionV3", 250).startswith(f"{hours / 2:.1f} h on 8 GPUs")
    assert "measured 2,600 images/s" in costs.of_run("InceptionV3", 250)


def test_the_command_line_prints_it_behind_each_run_as_a_comment(capsys, monkeypatch):
    run = PlannedRun("a", ("--model", "InceptionV3"), Setting("InceptionV3", "TrueLabels", 0.0), 250)
    monkeypatch.setattr(sweep, "plans", lambda experiments: [Plan((run,))])
    main(["sweep", "plan", "table2", "fig2a"])
    assert " fit --model InceptionV3  # 10.2 h on 8 GPUs" in capsys.readouterr().out
    main(["sweep", "plan", "table2", "--scale", "demo"])
    assert "#" not in capsys.readouterr().out
