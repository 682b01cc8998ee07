"""From run folders to figures, tables and the page: numbers, bytes, escapes, and how a censored run looks."""

import csv
import importlib.util
import io
import json
import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from rich.console import Console

from rethink.errors import UserError
from rethink.records.run import Crossing, Run, find_runs
from rethink.report.figures import Chart, Drawing, Series, against_corruption, against_step
from rethink.report.page import Artefact, Page
from rethink.report.provenance import mixtures
from rethink.report.style import randomization_style
from rethink.report.tables import Column, Table
from rethink.report.verdicts import Quantity, at_chance, at_most, fitted, ordered, rising

REPOSITORY = Path(__file__).parent.parent
BUDGET = 60
STEPS = 4  # an epoch of 500 images in batches of 128


def write_run(
    root: Path,
    model: str = "SmallAlexNet",
    randomization: str = "TrueLabels",
    probability: float | None = None,
    fits_at: int | None = 10,  # None: never, within the budget
    test: float = 0.4,
    test_randomized: float | None = None,
    seed: int = 0,
    precision: str = "bf16-mixed",
    train_size: int = 500,
    outcome: str = "",
) -> Path:
    """A run folder as training writes it, with a loss that falls to 0.01 where the run fits."""
    level = "" if probability is None else f"-{probability:g}"
    run_id = f"{model.lower()}-{randomization.lower()}{level}-{seed}"
    path = root / run_id
    path.mkdir(parents=True)
    last = fits_at or BUDGET
    steps = STEPS * train_size // 500
    with (path / "history.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["epoch", "step", "train/loss", "train/accuracy", "test/accuracy", "learning_rate"])
        for epoch in range(1, last + 1):
            progress = epoch / last if fits_at else 0.5 * epoch / last
            measured = test if epoch == last else ""
            rows.writerow([epoch, epoch * steps, 2.3 * (1 - progress) + 0.01, progress, measured, 0.01])
    final = {"epoch": last, "step": last * steps, "train/loss": 0.01, "test/accuracy": test}
    final["train/accuracy"] = 1.0 if fits_at else 0.5
    if test_randomized is not None:
        final["test_randomized/accuracy"] = test_randomized
    outcome = outcome or ("converged" if fits_at else "not converged")
    passed = {"outcome": outcome, "epoch": fits_at, "step": fits_at and fits_at * steps}
    record: dict[str, Any] = {
        "format": 1,
        "run_id": run_id,
        "outcome": outcome,
        "seed": seed,
        "model": {"class": model, "parameters": 1387786, "init_args": {}},
        "data": {
            "class": "CIFAR10",
            "train_size": train_size,
            "test_size": 1000,
            "validation_size": 0,
            "num_classes": 10,
            "digests": {"train": "5eed"},
        },
        "randomization": {"class": randomization, "seed": 0},
        "budget": {"max_epochs": BUDGET, "max_steps": -1},
        "final": final,
        "convergence": {"rules": {"accuracy>=0.99": passed, "accuracy>=1.0": passed}, "onset": passed},
        "environment": {
            "versions": {"torch": "2.14.0", "lightning": "2.6.1"},
            "device": "cpu: <test>",
            "precision": precision,
            "threads": 1,
            "world_size": 1,
            "git_commit": "0123abc",
        },
        "durations": {"fit": 12.5},
        "config": {},
    }
    if probability is not None:
        record["randomization"]["probability"] = probability
    (path / "record.json").write_text(json.dumps(record))
    (path / "config.yaml").write_text("{}\n")
    return path


def write_demo(root: Path) -> None:
    """The demo's seventeen runs: in the paper's order, but for gaussian; random pixels never fit."""
    write_run(root, fits_at=10, test=0.41)
    write_run(root, randomization="ShuffledPixels", fits_at=14, test=0.12, test_randomized=0.30)
    write_run(root, randomization="GaussianPixels", fits_at=38, test=0.11, test_randomized=0.10)
    write_run(root, randomization="RandomPixels", fits_at=None, test=0.10, test_randomized=0.09)
    write_run(root, "SmallAlexNet", "PartiallyCorruptedLabels", 0.5, 25, test=0.26, test_randomized=0.19)
    write_run(root, randomization="RandomLabels", fits_at=32, test=0.095, test_randomized=0.104)
    for tenth in range(11):
        p = tenth / 10
        name = {0: "TrueLabels", 10: "RandomLabels"}.get(tenth, "PartiallyCorruptedLabels")
        clean = 0.44 - 0.033 * tenth
        write_run(
            root,
            "MLP",
            name,
            p if 0 < tenth < 10 else None,
            fits_at=12 + 2 * tenth,
            test=clean,
            test_randomized=(1 - p) * clean + p * 0.1 if tenth else None,
            train_size=2000,
        )


def load_demo() -> ModuleType:
    path = REPOSITORY / "experiments" / "demo" / "figures.py"
    spec = importlib.util.spec_from_file_location("demo_figures", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo")
    write_demo(folder / "runs")
    load_demo().render(find_runs(folder / "runs"), folder / "out")
    return folder / "out"


# --- records ------------------------------------------------------------------------------------------------


def test_a_run_is_read_as_written(tmp_path: Path) -> None:
    run = Run.open(write_run(tmp_path, "MLP", "PartiallyCorruptedLabels", 0.3, fits_at=7, seed=2))
    assert (run.architecture, run.corruption, run.seed, run.train_size) == ("MLP 1x512", 0.3, 2, 500)
    assert run.crossing("accuracy>=1.0") == Crossing("converged", 7, 28)
    assert run.curve("test/accuracy", "epoch") == ([7.0], [0.4])  # empty cells are not measured, not zero
    assert run.history["test/accuracy"][:6] == [None] * 6
    with pytest.raises(UserError, match=r"loss<0\.1.*has accuracy>=0\.99, accuracy>=1\.0"):
        run.crossing("loss<0.1")


def test_true_and_random_labels_are_the_ends_of_a_sweep(tmp_path: Path) -> None:
    names = ["TrueLabels", "RandomLabels", "ShuffledPixels"]
    runs = [Run.open(write_run(tmp_path, randomization=name)) for name in names]
    assert [run.corruption for run in runs] == [0.0, 1.0, None]


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
        ("record.json", '{"format": 9}', r"format 9 is from a newer rethink.*git pull"),
        ("record.json", "[]", r"damaged \(no format number\)"),
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
    html = str(TABLE.to_html())
    assert "<td class=left>a|b &lt;i&gt; &amp; 50%_</td><td class=right>&gt; 60</td>" in html
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


def quantities(*values: float) -> list[tuple[str, Quantity]]:
    return [(chr(97 + i), Quantity(value)) for i, value in enumerate(values)]


def test_order() -> None:
    assert ordered("", quantities(1, 2, 3)).outcome == "shown"
    swapped = ordered("", quantities(1, 3, 2, 4))
    assert (swapped.outcome, swapped.detail) == ("partly shown", "Here: a (1) < c (2) < b (3) < d (4).")
    assert ordered("", quantities(1, 4, 3)).outcome == "not shown"
    assert ordered("", quantities(1, 1)).outcome == "not shown"  # a tie is no order
    assert ordered("", [("a", Quantity(1)), ("b", None)]).detail == "Missing: b."


def test_order_with_censored_times() -> None:
    over_60 = Quantity(60, censored=True)
    assert ordered("", [("a", Quantity(60)), ("b", over_60)]).outcome == "shown"
    assert ordered("", [("a", over_60), ("b", over_60)]).outcome == "cannot tell"
    assert ordered("", [("a", over_60), ("b", Quantity(9))]).outcome == "not shown"
    assert over_60.precedes(Quantity(70)) is None
    assert Quantity(70).precedes(over_60) is None


def test_rising() -> None:
    def judge(*values: float, tolerance: float = 0.0) -> str:
        return rising("", [(i, Quantity(v)) for i, v in enumerate(values)], tolerance).outcome

    assert judge(1, 2, 2, 3) == "shown"
    assert judge(1, 3, 2) == "partly shown"
    assert judge(1, 3, 2.9, tolerance=0.2) == "shown"
    assert judge(1, 2, 1) == "not shown"
    assert judge(1, 1.1, tolerance=0.2) == "not shown"  # a rise within the tolerance is none
    assert rising("", [(0, Quantity(60)), (1, Quantity(60, True))]).outcome == "shown"
    assert rising("", [(0, Quantity(60, True)), (1, Quantity(60, True))]).outcome == "cannot tell"


def test_bounds() -> None:
    assert at_most("", quantities(3.9), 4).outcome == "shown"
    assert at_most("", quantities(4.1), 4).outcome == "not shown"
    assert at_most("", [("a", Quantity(3, censored=True))], 4).outcome == "cannot tell"
    assert fitted("", [("a", True), ("b", False)]).outcome == "not shown"
    assert fitted("", [("a", True)], missing=["b"]).outcome == "cannot tell"
    # 3 sqrt(0.09 / 1000) is 2.85 points
    assert at_chance("", [("a", 0.128)], 0.1, 1000).outcome == "shown"
    assert at_chance("", [("a", 0.129)], 0.1, 1000).outcome == "not shown"


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


# --- the demo's artefact ------------------------------------------------------------------------------------


def test_the_demo_writes_what_it_names(rendered: Path) -> None:
    figures = [f"fig1{panel}.{kind}" for panel in "abc" for kind in ("png", "svg")]
    written = {path.name for path in rendered.iterdir()}
    assert written == {*figures, "table.md", "table.csv", "index.html", "provenance.json"}


def test_the_demo_table_has_the_numbers_of_the_records(rendered: Path) -> None:
    with (rendered / "table.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 17
    by_setting = {(row["architecture"], row["setting"]): row for row in rows}
    random_pixels = by_setting["small AlexNet", "random pixels"]
    assert random_pixels["epochs_to_fit"] == "> 60"  # censored, not dropped
    assert random_pixels["train/accuracy"] == "0.5"
    shuffled = by_setting["small AlexNet", "shuffled pixels"]
    assert (shuffled["test/accuracy"], shuffled["test_randomized/accuracy"]) == ("0.12", "0.3")
    half = by_setting["MLP 1x512", "label corruption 0.5"]
    assert (half["train_size"], half["epochs_to_fit"], half["test/accuracy"]) == ("2000", "22", "0.275")
    assert [row["setting"] for row in rows[:6]] == [
        "true labels",
        "shuffled pixels",
        "gaussian",
        "random pixels",
        "random labels",
        "label corruption 0.5",
    ]


def test_the_demo_judges_the_trends(rendered: Path) -> None:
    text = (rendered / "table.md").read_text()
    for line in (
        "A subset, for minutes on a laptop: small AlexNet, 500 images, MLP 1x512, 2,000 images; tested on",
        "Partly shown: Every setting of Figure 1a reaches 100 % training accuracy. 4 of 5 runs do; not random pixels.",
        "Not shown: Time to fit: true labels < shuffled pixels < gaussian < random pixels < random labels. "
        "Here: true labels (10) < shuffled pixels (14) < random labels (32) < gaussian (38) "
        "< random pixels (> 60).",
        "Shown: Time to fit grows with label corruption (small AlexNet). 10 epochs at p = 0, 32 epochs at",
        "Shown: Time to fit grows with label corruption (MLP 1x512). 12 epochs at p = 0, 32 epochs at p = 1",
        "Largest: 3.2 (small AlexNet), 2.67 (MLP 1x512).",
        "Shown: Test error grows with label corruption (true test labels, MLP 1x512). 0.56 at p = 0, 0.89 at",
        "9.5 % (small AlexNet), 11.0 % (MLP 1x512); guessing on 1,000 test images gives 10 ± 2.8 % (3 s.d.)",
    ):
        assert line in text.replace("&lt;", "<"), line


def test_one_verdict_follows_the_runs(tmp_path: Path) -> None:
    """The same demo with a flat sweep: verdicts are worked out, not written down."""
    demo = load_demo()
    for tenth, p in enumerate(demo.LEVELS["MLP 1x512"]):
        name = {0: "TrueLabels", 10: "RandomLabels"}.get(tenth, "PartiallyCorruptedLabels")
        write_run(tmp_path / "runs", "MLP", name, p if 0 < tenth < 10 else None, fits_at=20, test=0.4)
    text = demo.render(find_runs(tmp_path / "runs"), tmp_path / "out").to_markdown()
    assert "Not shown: Time to fit grows with label corruption (MLP 1x512). 20 epochs at p = 0, 20" in text
    assert "Not shown: With random labels the test is at chance. 40.0 % (MLP 1x512)" in text
    assert "Missing: small AlexNet with true labels, small AlexNet with shuffled pixels" in text
    assert "small AlexNet at p = 0.5. To make them: make demo" in text


def test_no_runs_yet_is_a_page_that_says_so(tmp_path: Path) -> None:
    demo = load_demo()
    text = demo.render([], tmp_path).to_markdown()
    assert "MLP 1x512 at p = 1. To make them: make demo" in text
    assert "Shown:" not in text


def test_the_demo_table_fits_into_a_terminal_of_eighty(tmp_path: Path) -> None:
    write_demo(tmp_path / "runs")
    table = load_demo().render(find_runs(tmp_path / "runs"), tmp_path / "out")
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(table.to_rich())
    text = console.export_text()
    assert "…" not in text
    assert re.search(r"small AlexNet +random pixels +0 +500 +> 60 +50\.0 +10\.0 +9\.0", text)


def test_the_same_runs_give_the_same_bytes(rendered: Path, tmp_path: Path) -> None:
    write_demo(tmp_path / "runs")
    load_demo().render(list(reversed(find_runs(tmp_path / "runs"))), tmp_path / "out")
    for path in rendered.iterdir():
        assert path.read_bytes() == (tmp_path / "out" / path.name).read_bytes(), path.name


def test_durations_are_in_the_provenance_only(rendered: Path) -> None:
    texts = {path.name: path.read_text() for path in rendered.iterdir() if path.suffix != ".png"}
    holding = {name for name, text in texts.items() if '"fit": 12.5' in text}
    assert holding == {"provenance.json"}


def test_the_page_is_one_file_that_fetches_nothing(rendered: Path) -> None:
    html = (rendered / "index.html").read_text()
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


def test_runs_on_different_subsets_are_not_compared(tmp_path: Path) -> None:
    runs = [Run.open(write_run(tmp_path, seed=i, train_size=n)) for i, n in enumerate([500, 1000])]
    with pytest.raises(UserError, match="SmallAlexNet was trained on 500 and 1000"):
        load_demo().render(runs, tmp_path / "out")


def test_the_papers_numbers_are_where_the_demo_reads_them() -> None:
    with (REPOSITORY / "experiments" / "paper" / "fig1bc.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["MLP1x512_rel_time"] for row in (rows[0], rows[10])] == ["1.000", "1.964"]
