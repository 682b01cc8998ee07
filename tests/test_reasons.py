"""Why a number of the paper may be off: each reason is of a number, and says what the paper's own tables say."""

import csv
from fnmatch import fnmatch
from pathlib import Path

from experiments.paper.figures import NAMES, Number, known_reasons
from rethink.report import paper
from rethink.sweep.experiment import EXPERIMENTS

RESULTS = Path(__file__).parents[1] / EXPERIMENTS / "paper" / "results"
PLAIN = {"labels": "true", "random_crop": "no", "weight_decay": "no"}


def published() -> list[dict[str, str]]:
    with (RESULTS / "judged.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_every_number_that_is_outside_has_a_reason() -> None:
    names = {title: name for name, title in NAMES.items()}
    outside = [row for row in published() if row["verdict"].startswith("outside")]
    assert outside
    for row in outside:
        assert known_reasons(names[row["artefact"]], row["number"]), row["number"]


def test_every_reason_is_of_a_number() -> None:
    judged = [row["number"] for row in published()]
    with (RESULTS / "not_run.csv").open(newline="", encoding="utf-8") as file:
        judged += [part for row in csv.DictReader(file) for part in row["numbers"].partition(": ")[2].split("; ")]
    for row in paper.rows("reasons"):
        assert any(fnmatch(what, row.cells["number"]) for what in judged), row.cells["number"]


def test_a_contradiction_is_one() -> None:
    """The numbers in the reasons are those of the other table or figure."""
    alexnet = paper.number("table1", "test_accuracy", model="Alexnet", **PLAIN)
    inception = paper.number("table1", "test_accuracy", model="Inception w/o BatchNorm", **PLAIN)
    _, curve = paper.points("fig2b.csv", "step", "nobn_test")
    assert alexnet is not None
    assert (
        f"has {alexnet:.2f} for the same network, an error of {100 - alexnet:.2f}"
        in known_reasons("fig1c", "small AlexNet, p 0")[0]
    )
    assert f"Table 1 has {inception:.2f} " in known_reasons("fig2b", "without batch norm")[0]
    plain = "small Inception w/o BatchNorm, labels true, crop no, weight decay no, test"
    assert f"ends at {100 * curve[-1]:.2f} " in known_reasons("table1", plain)[0]
    for network, p, other in (("Inception", "0.9", "1.0"), ("MLP1x512", "0.6", "0.7")):
        for column in ("rel_time", "test_error"):
            alike = [paper.number("fig1bc", f"{network}_{column}", p=level) for level in (p, other)]
            assert alike[0] == alike[1]


def test_what_is_outside_without_a_reason_says_so() -> None:
    number = Number("fig1a", "gaussian", "1", "9,999", "7,820", "+2,179", "outside, n = 1")
    assert number.reason == "above, beyond the tolerance; no reason is known"
    known = Number("fig1b", "MLP 1x512, p 1", "3", "2.84", "1.96", "+0.88 ± 0.17", "outside")
    assert known.reason == (
        "above, beyond the tolerance with all of the interval; "
        "a rule that the paper does not state: when a training set counts as fitted"
    )
