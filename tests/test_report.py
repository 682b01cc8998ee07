"""From run folders to figures, tables and the page: numbers, bytes, escapes, and how a censored run looks."""

import io
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from mini_records import results_of, write_run
from rich.console import Console

from rethink.errors import UserError
from rethink.files import Damaged, write_json
from rethink.report.estimates import Estimate
from rethink.report.figures import Chart, Drawing
from rethink.report.page import Artefact, Page
from rethink.report.panels import Panel, Series, against_corruption, against_step
from rethink.report.provenance import mixtures
from rethink.report.style import randomization_style
from rethink.report.tables import Column, Table
from rethink.report.verdicts import (
    Verdict,
    at_chance,
    at_most,
    counted,
    extreme_by_seed,
    fitted,
    ordered,
    ordered_by_seed,
    rising,
    summary,
)
from rethink.runs.run import Crossing, Run, find_runs

# --- records ------------------------------------------------------------------------------------------------


def test_a_run_is_read_as_written(tmp_path: Path) -> None:
    run = Run.open(write_run(tmp_path, "MLP", "PartiallyCorruptedLabels", 0.3, fits_at=7, seed=2))
    assert (run.architecture, run.corruption, run.seed, run.train_size) == ("MLP 1x512", 0.3, 2, 500)
    assert run.crossing("accuracy>=1.0") == Crossing("converged", 7, 28)
    assert run.curve("test/accuracy", "epoch") == ([7.0], [0.4])  # empty cells are not measured, not zero
    assert run.history["test/accuracy"][:6] == [None] * 6
    assert run.crossing("accuracy>=0.5") == Crossing("converged", 4, 16)  # not recorded, but in its history
    with pytest.raises(UserError, match="is no convergence rule"):
        run.crossing("loss=0.1")


def test_true_and_random_labels_are_the_ends_of_a_sweep(tmp_path: Path) -> None:
    names = ["TrueLabels", "RandomLabels", "ShuffledPixels"]
    runs = [Run.open(write_run(tmp_path, randomization=name)) for name in names]
    assert [run.corruption for run in runs] == [0.0, 1.0, None]


def test_onset_first_and_at_an_epoch(tmp_path: Path) -> None:
    run = Run.open(write_run(tmp_path, fits_at=8, history={"train/accuracy": [0.1, 0.3, 0.3, 0.6]}))
    assert run.onset == Crossing("converged", 4, 16)
    assert run.first("train/accuracy", 0.3) == Crossing("converged", 2, 8)
    assert run.first("train/accuracy", 0.7) == Crossing("not converged", 4, 16)
    assert run.first("train_clean/accuracy", 0.5) is None
    assert (run.at(2, "train/accuracy"), run.at(2, "test/accuracy"), run.at(9, "train/loss")) == (0.3, None, None)


def test_a_censored_crossing_tells_the_epochs_trained(tmp_path: Path) -> None:
    never = Run.open(write_run(tmp_path, fits_at=None)).crossing("accuracy>=1.0")
    assert never.censored
    assert str(never) == "> 60"
    assert str(Crossing("diverged", 7, 28)) == "diverged at 7"


def test_unfinished_runs_are_left_out(tmp_path: Path) -> None:
    write_run(tmp_path)
    (write_run(tmp_path, seed=1) / "record.json").unlink()
    assert [run.seed for run in find_runs(tmp_path)] == [0]
    assert find_runs(tmp_path / "nothing") == []


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        (
            "record.json",
            '{"format": 1, "run_',
            r"record\.json: damaged .*Delete .*rethink fit --config .*config",
        ),
        ("record.json", '{"format": 1, "run_id": "a"}', r"damaged \(without outcome, seed"),
        ("record.json", '{"format": 9}', r"damaged \(its content does not have the digest"),
        ("record.json", "[]", r"damaged \(no JSON object\)"),
        ("history.csv", "epoch,step\n1,2\n3\n", r"history\.csv: damaged \(line 3 has 1 cells"),
        ("history.csv", "epoch,step\n1,two\n", r"history\.csv: damaged .*two"),
        ("history.csv", "epoch,loss\n", r"damaged \(no column step\)"),
    ],
)
def test_a_damaged_record_names_the_file_and_the_remedy(tmp_path: Path, file: str, text: str, said: str) -> None:
    path = write_run(tmp_path)
    (path / file).write_text(text)
    with pytest.raises(UserError, match=said):
        Run.open(path)


def test_a_record_of_a_newer_rethink_is_no_damaged_one(tmp_path: Path) -> None:
    path = write_run(tmp_path)
    write_json(path / "record.json", {"format": 9})
    with pytest.raises(UserError, match=r"format 9 is from a newer rethink.*git pull") as error:
        Run.open(path)
    assert not isinstance(error.value, Damaged)


def test_an_unfinished_run_is_no_damaged_one(tmp_path: Path) -> None:
    path = write_run(tmp_path)
    (path / "record.json").unlink()
    with pytest.raises(UserError, match=r"has not finished\. Finish it with: rethink fit"):
        Run.open(path)
    with pytest.raises(UserError, match="no such run folder"):
        Run.open(path / "elsewhere")


# --- tables -------------------------------------------------------------------------------------------------

TABLE = Table(
    [
        Column.text("network", "architecture"),
        Column("epochs", "epochs"),
        Column.percent("test", "test/accuracy"),
    ],
    [("a|b <i> & 50%_", Crossing("not converged", 60, 240), 0.76071), ("c", 12, None)],
    "Caption",
    ["A note"],
)


def test_markdown() -> None:
    assert TABLE.to_markdown() == (
        "**Caption**\n\n"
        "| network | epochs | test (%) |\n"
        "| :--- | ---: | ---: |\n"
        "| a\\|b &lt;i> &amp; 50%_ | > 60 | 76.1 |\n"
        "| c | 12 | – |\n"
        "\n- A note\n"
    )


def test_csv_keeps_the_values_and_the_names_of_history() -> None:
    assert TABLE.to_csv() == "architecture,epochs,test/accuracy\na|b <i> & 50%_,> 60,0.76071\nc,12,\n"


def test_latex_escapes() -> None:
    text = TABLE.to_latex()
    assert r"a|b $<$i$>$ \& 50\%\_ & $>$ 60 & 76.1 \\" in text
    assert r"\begin{tabular}{lrr}" in text


def test_html_escapes() -> None:
    html = Page("title", "lead", [Artefact("fig1a", "title", "claim", "finding", tables=[TABLE])]).render()
    assert '<td class="left">a|b &lt;i&gt; &amp; 50%_</td><td class="right">&gt; 60</td>' in html
    assert "<i>" not in html


def test_terminal_shows_brackets_as_text() -> None:
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(Table([Column.text("a", "a")], [("[red]x",)], "[b]", ["[i]"]).to_rich())
    text = console.export_text()
    assert all(part in text for part in ("[red]x", "[b]", "[i]"))


def test_a_short_row_is_an_error() -> None:
    with pytest.raises(ValueError, match="1 cells under 3 columns"):
        Table(TABLE.columns, [("x",)], "")


# --- verdicts -----------------------------------------------------------------------------------------------


def quantities(*values: float) -> list[tuple[str, Estimate]]:
    return [(chr(97 + i), Estimate.single(value)) for i, value in enumerate(values)]


def test_order() -> None:
    assert ordered("", quantities(1, 2, 3)).outcome == "shown"
    swapped = ordered("", quantities(1, 3, 2, 4))
    assert (swapped.outcome, swapped.detail) == ("partly shown", "Here: a (1) < c (2) < b (3) < d (4).")
    assert ordered("", quantities(1, 4, 3)).outcome == "not shown"
    assert ordered("", quantities(1, 1)).outcome == "not shown"  # a tie is no order
    assert ordered("", [("a", Estimate.single(1)), ("b", None)]).detail == "Missing: b."


def test_a_part_of_what_was_planned_shows_no_trend_wholly() -> None:
    shown = Verdict("", "shown", "Here.")
    assert shown.from_part(3, 3, "runs") == shown
    assert shown.from_part(2, 3, "runs") == Verdict("", "partly shown", "Here. Missing: 1 of 3 runs.")
    assert shown.from_part(2, 4, "runs").outcome == "cannot tell"
    assert Verdict("", "partly shown", "").from_part(1, 3, "runs").outcome == "cannot tell"
    assert Verdict("", "cannot tell", "").from_part(2, 3, "runs").outcome == "cannot tell"
    assert Verdict("", "not shown", "").from_part(1, 3, "runs").outcome == "not shown"


def test_order_with_censored_times() -> None:
    over_60 = Estimate.single(60, censored=True)
    assert ordered("", [("a", Estimate.single(60)), ("b", over_60)]).outcome == "shown"
    assert ordered("", [("a", over_60), ("b", over_60)]).outcome == "cannot tell"
    assert ordered("", [("a", over_60), ("b", Estimate.single(9))]).outcome == "not shown"
    assert over_60.precedes(Estimate.single(70)) is None
    assert Estimate.single(70).precedes(over_60) is None


def test_rising() -> None:
    def judge(*values: float, tolerance: float = 0.0) -> str:
        return rising("", [(i, Estimate.single(v)) for i, v in enumerate(values)], tolerance).outcome

    assert judge(1, 2, 2, 3) == "shown"
    assert judge(1, 3, 2) == "partly shown"
    assert judge(1, 3, 2.9, tolerance=0.2) == "shown"
    assert judge(1, 2, 1) == "not shown"
    assert judge(1, 1.1, tolerance=0.2) == "not shown"  # a rise within the tolerance is none
    assert rising("", [(0, Estimate.single(60)), (1, Estimate.single(60, True))]).outcome == "shown"
    assert rising("", [(0, Estimate.single(60, True)), (1, Estimate.single(60, True))]).outcome == "cannot tell"


def test_rising_past_a_level_that_is_missing() -> None:
    levels = [(0.0, Estimate.single(1)), (0.5, None), (1.0, Estimate.single(2))]
    assert rising("", levels).outcome == "partly shown"
    assert rising("", levels).detail == "1 at p = 0, 2 at p = 1; missing: p = 0.5."
    assert rising("", levels[:2]).outcome == "cannot tell"
    assert rising("", levels[:1]).detail == "Missing: other levels."


def test_what_lies_within_the_intervals_is_not_told_apart() -> None:
    low, high = Estimate((1.0, 1.2, 1.1)), Estimate((2.0, 2.2, 2.1))
    noisy = Estimate((0.0, 6.3, 0.0))
    assert ordered("", [("a", low), ("b", high)]).outcome == "shown"
    assert ordered("", [("a", low), ("b", noisy)]).outcome == "cannot tell"
    assert rising("", [(0, low), (1, high)]).outcome == "shown"
    assert rising("", [(0, low), (1, noisy)]).outcome == "cannot tell"
    assert (
        rising("", [(0, low), (0.5, Estimate.single(2.2, half=9)), (1, high)]).outcome == "partly shown"
    )  # it hides no fall
    assert at_most("", [("a", high)], 3).outcome == "shown"
    assert at_most("", [("a", noisy)], 3).outcome == "cannot tell"
    assert at_most("", [("a", noisy)], 1).outcome == "cannot tell"
    assert at_most("", [("a", high)], 1).outcome == "not shown"


def test_counting_seeds() -> None:
    yes, no = ("seed 0", True), ("seed 1", False)
    assert counted("", [yes, yes]).outcome == "shown"
    assert counted("", [yes, yes, no], "seeds").detail == "In 2 of 3 seeds; not in seed 1."
    assert counted("", [yes, yes, no]).outcome == "partly shown"
    assert counted("", [yes, no]).outcome == "not shown"
    assert counted("", [yes, ("seed 2", None)]).outcome == "cannot tell"
    assert counted("", [], "seeds") == Verdict("", "cannot tell", "No such seeds.")


def test_the_order_by_seed() -> None:
    a, b, late = Estimate.single(1), Estimate.single(2), Estimate.single(2, censored=True)
    by_seed = {0: {"a": a, "b": b}, 1: {"a": b, "b": a}, 2: {"a": a}, 3: {"a": late, "b": late}}
    told = ordered_by_seed("", ["a", "b"], by_seed)
    assert told.detail == "In 1 of 4 seeds; not in seed 1; open in seed 2, seed 3. a before b in 1 of 3."
    assert extreme_by_seed("", "a", ["a", "b"], {0: by_seed[0], 2: by_seed[2]}).outcome == "cannot tell"
    assert extreme_by_seed("", "b", ["a", "b"], {0: by_seed[0]}, largest=True).outcome == "shown"


def test_a_claim_is_summed_up() -> None:
    shown, open_ = Verdict("", "shown", "", 3), Verdict("", "cannot tell", "")
    assert summary([shown, shown]) == "That bears the claim out: all 2 trends judged below are shown."
    assert summary([shown, open_]) == "Of the 2 trends judged below 1 is shown, 1 cannot be told yet."
    once, never = Verdict("", "shown", "", 1), Verdict("", "not shown", "", 1)
    assert summary([once, once]) == "Of the 2 trends judged below 2 are shown by one seed (n = 1)."
    assert summary([shown, once, never]) == (
        "Of the 3 trends judged below 1 is shown, 1 is shown by one seed (n = 1), 1 not by one seed (n = 1)."
    )
    assert summary([never, open_]) == (
        "Of the 2 trends judged below none is shown, 1 not by one seed (n = 1), 1 cannot be told yet."
    )
    assert summary([open_]) == "There are too few runs to tell whether that bears the claim out."


def test_bounds() -> None:
    assert at_most("", [], 4).outcome == "cannot tell"
    assert at_most("", quantities(3.9), 4).outcome == "shown"
    assert at_most("", quantities(4.1), 4).outcome == "not shown"
    assert at_most("", [("a", Estimate.single(3, censored=True))], 4).outcome == "cannot tell"
    assert at_most("", quantities(3), 4, missing=["b"]) == Verdict("", "cannot tell", "Here: 3 (a). Missing: b.")
    assert at_most("", quantities(5), 4, missing=["b"]).outcome == "not shown"
    assert fitted("", [("a", True), ("b", False)]).outcome == "not shown"
    assert fitted("", [("a", True)], missing=["b"]).outcome == "cannot tell"
    # 3 sqrt(0.09 / 1000) is 2.85 points
    assert at_chance("", [("a", Estimate((0.128, 0.1)))], 0.1, 1000).outcome == "shown"
    assert at_chance("", [("a", Estimate((0.129,)))], 0.1, 1000).outcome == "not shown"
    assert at_chance("", [("a", Estimate((0.05, 0.15)))], 0.1, 1000).outcome == "not shown"  # though the mean is 0.1
    assert at_chance("", [("a", Estimate((0.1,)))], 0.1, 1000, ["b"]).outcome == "cannot tell"


# --- figures ------------------------------------------------------------------------------------------------


def test_mean_and_standard_deviation_over_seeds() -> None:
    style = randomization_style("TrueLabels")
    series = Series.mean(style, [([1, 2, 3], [1.0, 2.0, 0.0]), ([1, 2], [3.0, 2.0])])
    assert (series.label, series.n) == ("true labels", 2)
    assert (series.x, series.y) == ([1, 2], [2.0, 2.0])  # where both seeds have a value
    assert list(series.spread) == pytest.approx([2**0.5, 0.0])
    assert Series.mean(style, [([1], [5.0])]) == Series(
        "true labels", [1], [5.0], style.color, style.dash, style.marker, mark_last=True
    )


def test_the_mean_leaves_out_what_is_not_finite_or_was_not_measured() -> None:
    style = randomization_style("TrueLabels")
    series = Series.mean(style, [([1, 2, 3], [1.0, 2.0, float("nan")]), ([], []), ([1, 2, 3], [3.0, 2.0, 1.0])])
    assert (series.x, series.y, series.n) == ([1, 2], [2.0, 2.0], 2)
    assert Series.mean(style, [([], [])]).x == []


def test_points_with_different_numbers_of_seeds() -> None:
    series = Series.estimates(
        randomization_style("TrueLabels"), [(0, Estimate((1.0, 3.0))), (1, None), (2, Estimate((5.0,)))]
    )
    assert (series.x, series.y, series.n) == ([0, 2], [2.0, 5.0], 0)
    assert series.spread[0] == pytest.approx(2**0.5)
    assert series.spread[1] is None  # one seed has no spread, which is not one of 0
    rows = Chart("x", "", [against_corruption("t", "y", [series])]).to_csv().splitlines()[1:]
    assert rows == ["t,true labels,0,0,2,1.41421356,2,0", "t,true labels,0,2,5,,1,0"]


def test_categories_have_their_names_under_the_pointer_and_in_the_csv() -> None:
    series = Series("s", [0, 1], [3.0, 4.0], "#000000", best_so_far=True)
    chart = Chart("x", "", [Panel("t", "", "y", [series], categories=["true labels", "gaussian"])] * 4)
    assert chart.columns == 2
    assert [point[2] for point in Drawing.of(chart, "wide", 2).values[0]["points"]] == ["true labels", "gaussian"]
    assert chart.to_csv().splitlines()[2] == "t,s,0,gaussian,4,,1,0"


def test_hover_values_lie_on_the_curve_and_tell_a_bound() -> None:
    series = Series("ours <1>", [0.0, 0.5, 1.0], [1.0, float("nan"), 3.0], "#000000", censored=[False, False, True])
    chart = Chart("x", "", [against_corruption("t", "y", [series], chance=0.9, y_limits=(0, 4))])
    (curve,) = Drawing.of(chart, "wide", 1).values
    (x0, y0, *first), (x1, y1, *last) = curve["points"]  # a value that is not finite has no place
    assert (first, last) == (["0", "1"], ["1", "> 3"])
    assert 0 < x0 < x1 < 1
    assert 0 < y1 < y0 < 1  # larger values are nearer to the top


def test_inline_svg_has_no_ids_to_clash_and_takes_the_colour_of_the_page() -> None:
    chart = Chart("x", "", [against_step("a <b> & $c$", "loss", [Series("s", [1, 2], [2, 1], "#123456")])])
    svg = Drawing.of(chart, "wide", 1).svg
    ids = re.findall(r' id="([^"]*)"', svg)
    assert len(ids) == len(set(ids))
    assert all(identifier in svg.replace(f'id="{identifier}"', "") for identifier in ids)  # each is referred to
    assert "currentColor" in svg
    assert "a &lt;b&gt; &amp; $c$" in svg
    assert not re.search(r"\b(width|height)=\"[\d.]+pt\"", svg)


# --- the page -----------------------------------------------------------------------------------------------


def test_the_page_is_one_file_that_fetches_nothing() -> None:
    panel = against_step("t", "loss", [Series("s", [1, 2], [2, 1], "#123456", best_so_far=True)])
    artefacts = [
        Artefact(f"fig{i}", "t", "c", "f", [Chart(f"c{i}", "d", [panel])], [TABLE], [fitted("x", [("a", True)])])
        for i in range(3)
    ]
    html = Page("p", "l", artefacts, ["n"], [("device", "cpu: <test>")]).render()
    addresses = Addresses()
    addresses.feed(html)
    outside = {address for address in addresses.found if not address.startswith(("#", "data:"))}
    assert outside == {"https://arxiv.org/abs/1611.03530"}
    assert not re.search(r"@import|url\((?!#)|fetch\(|XMLHttpRequest", html)
    assert html.count("<figure") == 3
    assert html.count("<svg") == 6  # each figure wide and narrow
    assert "cpu: &lt;test&gt;" in html
    ids = re.findall(r'\bid="([^"]*)"', html)
    assert sorted(ids) == sorted(set(ids))


class Addresses(HTMLParser):
    """Whatever a browser would load or follow."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        links = {"href", "src", "srcset", "xlink:href", "action", "data", "poster"}
        self.found += [value for name, value in attrs if name in links and value]


def test_the_page_escapes_what_it_is_given() -> None:
    evil = "<script>alert(1)</script>"
    chart = Chart("c", evil, [against_step(evil, evil, [Series(evil, [1, 2], [2, 1], "#000000")])])
    table = Table([Column.text(evil, "a")], [(evil,)], evil, [evil])
    artefact = Artefact("a", evil, evil, evil, [chart], [table], [fitted(evil, [(evil, False)])])
    html = Page(evil, evil, [artefact], [evil], [(evil, evil)]).render()
    assert evil not in html
    assert "alert(1)" in html


def test_mixed_precisions_are_said(tmp_path: Path) -> None:
    precisions = ["32-true", "bf16-mixed"]
    runs = [Run.open(write_run(tmp_path, seed=i, precision=p)) for i, p in enumerate(precisions)]
    assert mixtures(runs) == ["These runs mix precisions: 32-true, bf16-mixed."]
    assert mixtures(runs[:1]) == []


# --- what is averaged ---------------------------------------------------------------------------------------


def test_a_run_that_diverged_is_named_beside_n_and_averaged_nowhere(tmp_path: Path) -> None:
    for seed, outcome in enumerate(["", "", "diverged"]):
        write_run(tmp_path, "MLP", fits_at=None, seed=seed, outcome=outcome, test=0.1 if outcome else 0.5)
    results = results_of("table1", find_runs(tmp_path))
    mlp = results.row(architecture="MLP 1x512")
    assert mlp.final("test/accuracy") == Estimate((0.5, 0.5))
    assert str(mlp.seeds) == "2, 1 diverged"
    comparison = mlp.compare(mlp.final("test/accuracy"), 10.0, results.judged("test"), percent=True)
    assert (comparison.paper, comparison.lost) == (0.1, ("diverged",))
    assert results.notes()[0].endswith("averaged nowhere: diverged: MLP 1x512, true labels, seed 2.")


def test_different_settings_are_not_averaged(tmp_path: Path) -> None:
    for decay in (0.0, 5e-4):
        write_run(tmp_path, "MLP", weight_decay=decay)
    results = results_of("table1", find_runs(tmp_path))
    with pytest.raises(UserError, match=r"averaged as one\. They differ in model.weight_decay: .*weight decay 0.0005"):
        results.row(architecture="MLP 1x512").final("test/accuracy")
    assert results.row(weight_decay=True).final("test/accuracy") == Estimate((0.4,))
