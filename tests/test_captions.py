"""What a caption has to say: what all seeds share, which levels are drawn, how many test images there are."""

from dataclasses import replace
from pathlib import Path

import pytest
from mini_records import results_of, write_level, write_run

from rethink.report import artefacts
from rethink.report.page import Artefact
from rethink.report.randomizations import FIVE
from rethink.report.wording import draws, measured_on
from rethink.runs.run import Run, find_runs
from rethink.runs.setting import Setting, as_written

ONE_DRAW, NESTED = "All seeds share one draw of the random labels", "The levels are nested: "
PART = "Of the test set a part is used: 200 images, with a standard error of up to 3.5 points."
NAMES = [
    *("fig1a", "first_picture", "fig1b", "fig1c", "table1", "table4"),
    *("early_stopping", "memorization_order", "strong_and_weak", "open_choices"),
]
ON_TRUE_LABELS = ("true_labels_gain", "true_labels", "parameters")
"""Figures and tables that have no random labels, and fig1c's table of true test labels, which has."""
WITHOUT_TESTS = ("fig1b", "memorization_order", "table4")


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Run]:
    """An MLP on two levels of corruption between the ends and on pixels, two seeds, tested on 200 images."""
    root, steps = tmp_path_factory.mktemp("runs"), {"train_clean/accuracy": [0.5, 1.0, 1.0]}
    history = {**steps, "train_corrupted/accuracy": [0.1, 0.5, 1.0], "train_corrupted/recovered": [0.4, 0.2, 0.1]}
    for seed in range(2):
        for name in FIVE:
            write_run(root, "MLP", name, hidden_sizes=[512], fits_at=3, seed=seed, rules={"loss<0.1": 3})
        for p in (0.2, 0.3):
            write_level(root, p, model="MLP", hidden_sizes=[512], fits_at=3, seed=seed, history=history)
        write_run(root, "MLP", "RandomLabels", hidden_sizes=[512], fits_at=3, seed=seed, weight_decay=5e-4)
    runs = find_runs(root)
    for run in runs:
        run.record["best_test_accuracy"] = {"test": {"best": 0.5, "gain": 0.1, "epoch": 2}}
    return runs


def made(name: str, runs: list[Run], **data: int) -> Artefact:
    """The artefact of an experiment that consists of those of the runs that it can have, with these options of data."""
    on_pixels = name in ("fig1a", "first_picture", "strong_and_weak")
    if on_pixels:
        runs = [run for run in runs if run.setting.randomization in FIVE]
    else:
        runs = [run for run in runs if run.setting.corruption is not None]
    if name not in ("table1", "table4", "early_stopping", "open_choices"):
        runs = [run for run in runs if not run.setting.weight_decay]
    identities = [run.record["identity"] | {"data": ["CIFAR10", data]} for run in runs]
    changed = [
        replace(run, record=run.record | {"identity": identity}) for run, identity in zip(runs, identities, strict=True)
    ]
    return artefacts.make(results_of(name, changed))


@pytest.mark.parametrize("name", NAMES)
def test_every_figure_and_table_with_random_labels_says_that_seeds_share_one_draw(name: str, runs: list[Run]) -> None:
    artefact = made(name, runs)
    exempt = () if name == "fig1c" else ON_TRUE_LABELS
    texts = {chart.name: chart.description for chart in artefact.charts}
    texts |= {table.name: " ".join(table.notes) for table in artefact.tables if table.name not in texts}
    texts = {name: text for name, text in texts.items() if name not in exempt}
    assert texts
    assert not [which for which, text in texts.items() if ONE_DRAW not in text and (name, which) != ("fig1b", "rules")]
    if name in ("fig1b", "fig1c", "early_stopping", "memorization_order"):
        assert all(NESTED in chart.description for chart in artefact.charts if chart.name not in ON_TRUE_LABELS)


@pytest.mark.parametrize("name", [name for name in NAMES if name not in WITHOUT_TESTS])
def test_every_test_accuracy_on_a_part_of_the_test_set_says_so(name: str, runs: list[Run]) -> None:
    part = made(name, runs, test_size=200)
    assert all(PART in chart.description for chart in part.charts)
    assert any(PART in table.notes for table in part.tables)
    whole = made(name, runs)
    assert not any("Of the test set" in text for chart in whole.charts for text in [chart.description])


def test_the_levels_that_are_not_drawn_are_owned_up_to(runs: list[Run]) -> None:
    for chart in made("memorization_order", runs).charts:
        assert "Drawn are the levels 0.2 of the 4 that the table has." in chart.description


def test_the_caption_stands_under_the_figure_and_not_in_its_place(runs: list[Run], tmp_path: Path) -> None:
    artefact = made("memorization_order", runs)
    text = artefacts._summary(artefact)
    assert f"![parts](parts.svg)\n\n{artefact.charts[0].description}" in text


def test_what_seeds_share_is_said_of_one_draw_only() -> None:
    labels, pixels = Setting("MLP", "RandomLabels", 1.0), Setting("MLP", "RandomPixels", None)
    level = Setting("MLP", "PartiallyCorruptedLabels", 0.5)
    other = replace(labels, written=as_written({"randomization.seed": 1}))
    assert draws([Setting("MLP", "TrueLabels", 0.0)]) == []
    assert draws([labels, other]) == []
    assert draws([labels, other, pixels])[0].startswith("All seeds share one draw of the random pixels:")
    assert draws([labels, pixels])[0].startswith("All seeds share one draw of the random labels and pixels:")
    assert [text.startswith(NESTED) for text in draws([labels, level])] == [False, True]


def test_networks_may_be_measured_on_different_parts() -> None:
    def on(architecture: str, size: int) -> Setting:
        return Setting(architecture, "TrueLabels", 0.0, written=as_written({"data.test_size": size}))

    assert measured_on([Setting("MLP 1x512", "TrueLabels", 0.0)]) == []
    assert measured_on([on("MLP 1x512", 200)]) == [PART]
    assert measured_on([on("SmallAlexNet", 200), on("MLP 1x512", 1000)]) == [
        "Of the test set a part is used: 200 images (small AlexNet), with a standard error of up to 3.5 points; "
        "1,000 images (MLP 1x512), with a standard error of up to 1.6 points."
    ]
