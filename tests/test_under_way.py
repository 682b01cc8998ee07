"""A run that is still under way is drawn to the epoch that it has reached, and no number is taken of it."""

from pathlib import Path

from rethink.report import artefacts
from rethink.report.results import Results
from rethink.sweep.experiment import Experiment

HISTORY = "epoch,step,train/loss,train/accuracy,test/accuracy\n2,32,2.1,0.2,0.15\n4,64,1.2,0.6,\n"


def test_a_run_without_a_record_is_drawn_and_not_judged(runs: Path) -> None:
    experiment = Experiment.load("fig1a", "demo")
    (planned,) = [run for run in Results.load(experiment).planned if run.setting.randomization == "RandomLabels"]
    assert Results.load(experiment, under_way=True).empty
    (runs / planned.run_id).mkdir(parents=True)
    (runs / planned.run_id / "history.csv").write_text(HISTORY)

    results = Results.load(experiment, under_way=True)
    assert not results.empty
    artefact = artefacts.make(results)
    for panel, y in (("Training loss", [2.1, 1.2]), ("Test accuracy", [0.15])):
        (drawn,) = [panel_ for panel_ in artefact.charts[0].panels if panel_.title == panel]
        (series,) = [series for series in drawn.series if series.label == "random labels, under way: epoch 4"]
        assert series.y == y
    assert artefact.charts[0].drawings()
    (steps, _) = artefact.tables
    (row,) = [row for row in steps.shown() if row[0] == "random labels"]
    assert row[1] == "0"
    assert "not run" in row

    assert Results.load(experiment).empty  # what is published rests on records
    (runs / planned.run_id / "history.csv").write_text("epoch,step\n1")
    assert Results.load(experiment, under_way=True).empty
