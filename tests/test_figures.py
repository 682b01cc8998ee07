"""The artefacts of Figures 1a, 1b, 1c, 2b and beyond: their numbers, verdicts and bytes on mini-records."""

import csv
import io
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from jinja2 import UndefinedError
from mini_records import results_of, write_level, write_run

from rethink.cli import publish, restore
from rethink.errors import UserError
from rethink.files import write_json
from rethink.report import artefacts, publication
from rethink.report import results as results_module
from rethink.report.page import Artefact
from rethink.report.randomizations import FIVE
from rethink.report.results import Results
from rethink.report.wording import evaluations, rule_words, sentence
from rethink.runs.published import write_sums
from rethink.runs.rules import Rule
from rethink.runs.run import Run, find_runs
from rethink.sweep.plan import Plan

NAMES = ["fig1a", "fig1b", "fig1c", "fig2b", "memorization_order", "strong_and_weak"]


def make(name: str, runs: list[Run], **options: Any) -> Artefact:
    return artefacts.make(results_of(name, runs, **options))


def table(artefact: Artefact, number: int = 0) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(artefact.tables[number].to_csv())))


def outcomes(artefact: Artefact) -> dict[str, str]:
    return {verdict.trend: verdict.outcome for verdict in artefact.verdicts}


def detail(artefact: Artefact, start: str) -> str:
    (verdict,) = (verdict for verdict in artefact.verdicts if verdict.trend.startswith(start))
    return f"{verdict.judgement}: {verdict.detail}"


# --- mini-records -------------------------------------------------------------------------------------------


def five_settings(root: Path, seeds: int = 3, train_size: int = 50_000, **model: Any) -> list[Run]:
    """In the paper's order, but for seed 2, where Gaussian and random pixels change places."""
    epochs = dict(zip(FIVE, (8, 13, 20, 22, 36), strict=True))
    for seed in range(seeds):
        for name, epoch in epochs.items():
            at = {"GaussianPixels": 22, "RandomPixels": 20}.get(name, epoch) if seed == 2 else epoch
            alike = {"ShuffledPixels": 0.62}.get(name, None if name == "TrueLabels" else 0.1)
            test = 0.86 if name == "TrueLabels" else 0.1
            rules = {"loss<0.1": at}
            write_run(
                root, randomization=name, fits_at=at + seed, test=test, test_randomized=alike, seed=seed, rules=rules,
                train_size=train_size, **({"model": "SmallInception", "batch_norm": True} | model),
            )  # fmt: skip
    return find_runs(root)


def corrupted(root: Path) -> list[Run]:
    """MLP 1x512 at three levels and three seeds; seed 2 never fits random labels. Small Inception at two levels."""
    for seed in range(3):
        for p, epoch in ((0.0, 20 + 5 * seed), (0.5, 40), (1.0, None if seed == 2 else 60)):
            clean = 0.5 - 0.4 * p
            write_level(
                root, p, model="MLP", hidden_sizes=[512], fits_at=epoch, seed=seed, train_size=50_000, test=clean,
                test_randomized=None if p == 0 else (1 - p) * clean + p * 0.1,
                rules={"loss<0.1": 28 + (0 if p == 0 else int(54 * p)), "loss<0.01": None},
            )  # fmt: skip
    for p, epoch in ((0.0, 10), (1.0, 36)):
        alike = None if p == 0 else 0.1
        write_level(
            root, p, model="SmallInception", batch_norm=True, fits_at=epoch, train_size=50_000,
            test=0.86 if p == 0 else 0.1, test_randomized=alike, rules={"loss<0.1": epoch + 2, "loss<0.01": epoch + 8},
        )  # fmt: skip
    return find_runs(root)


def memorized(root: Path) -> list[Run]:
    """Two seeds that fit the clean part first, and one that fits the corrupted part as soon; only two see through."""
    clean = [0.3, 0.6, 0.8, 0.95, 1.0, 1.0]
    wrong = [0.1, 0.12, 0.3, 0.6, 0.95, 1.0]
    seen = [0.2, 0.5, 0.4, 0.3, 0.15, 0.1]
    for seed in range(3):
        history = {
            "train_clean/accuracy": clean,
            "train_corrupted/accuracy": clean if seed == 2 else wrong,
            "train_corrupted/recovered": [0.1] * 6 if seed == 2 else seen,
        }
        write_level(root, 0.4, model="MLP", hidden_sizes=[512], fits_at=6, seed=seed, train_size=5000, history=history)
    return find_runs(root)


def normalized(root: Path) -> list[Run]:
    """With batch norm 85 % to 86 %, smooth; without 82 % to 83 %, rough, and 84 % on the way."""
    for seed in range(2):
        for on, tests in ((True, [0.7, 0.8, 0.85 + 0.01 * seed]), (False, [0.6, 0.84, 0.83 - 0.01 * seed])):
            history = {"test/accuracy": tests, "train/accuracy": [0.7, 0.9, 1.0]}
            write_run(
                root, "SmallInception", fits_at=3, seed=seed, history=history, train_size=50_000, batch_norm=on
            )  # fmt: skip
    return find_runs(root)


def networks(root: Path, sizes: tuple[int, int] = (50_000, 50_000)) -> list[Run]:
    for (model, arguments), size in zip([("MLP", {"hidden_sizes": [512]}), ("SmallAlexNet", {})], sizes, strict=True):
        five_settings(root, 1, model=model, train_size=size, **arguments)
    return find_runs(root)


RECORDS = dict(zip(NAMES, (five_settings, corrupted, corrupted, normalized, memorized, networks), strict=True))


# --- what holds of all of them ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_the_same_runs_give_the_same_bytes(name: str, tmp_path: Path) -> None:
    runs = RECORDS[name](tmp_path / "runs")
    written = []
    for order in (runs, runs):
        folder = tmp_path / str(len(written))
        results = results_of(name, order)
        artefacts.write(artefacts.make(results), results, folder)
        written.append({path.name: path.read_bytes() for path in sorted(folder.iterdir())})
    assert written[0] == written[1]
    chart = {"memorization_order": "parts"}.get(name, name)
    assert {f"{chart}.png", f"{chart}.svg", f"{chart}.csv", "table.md", "runs.csv"} - {"table.md"} <= {*written[0]}


@pytest.mark.usefixtures("without_png")
@pytest.mark.parametrize("scale", ["full", pytest.param("demo", marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", NAMES)
def test_any_one_run_makes_an_artefact(name: str, scale: str, tmp_path: Path) -> None:
    runs = RECORDS[name](tmp_path / "runs")
    for number, run in enumerate(runs):
        results = results_of(name, [run], [other for other in runs if other is not run], scale=scale)  # type: ignore[arg-type]
        artefact = artefacts.make(results)
        if number in (0, len(runs) - 1):
            artefacts.write(artefact, results, tmp_path / str(number))
        assert artefact.finding
        assert any("1 of" in note for note in artefact.notes)
        assert "None" not in artefact.finding + "".join(map(str, artefact.verdicts))


@pytest.mark.usefixtures("without_png")
@pytest.mark.parametrize("name", NAMES)
def test_a_run_that_diverged_makes_no_difference_in_kind(name: str, tmp_path: Path) -> None:
    runs = RECORDS[name](tmp_path / "runs")
    for run in runs:
        run.record["final"]["train/loss"] = float("nan")
        run.record["convergence"]["rules"] = {
            rule: {"outcome": "diverged", "epoch": None, "step": None} for rule in run.rules
        }
        run.history["train/loss"][-1] = float("nan")
    results = results_of(name, runs)
    artefacts.write(artefacts.make(results), results, tmp_path / "out")
    assert (tmp_path / "out" / "runs.csv").read_text().count("diverged at") >= len(runs)


def papers_curves(results: Results) -> dict[str, set[str]]:
    charts = artefacts.make(results).charts
    return {
        chart.name: {
            series.label for panel in chart.panels for series in panel.series if series.from_paper and series.x
        }
        for chart in charts
    }


def test_charts_have_the_papers_curves(tmp_path: Path) -> None:
    def of(name: str) -> dict[str, set[str]]:
        return papers_curves(results_of(name, RECORDS[name](tmp_path / name)))

    assert len(of("fig1a")["fig1a"]) == 5
    both = {"MLP 1x512, paper", "small Inception, paper"}
    assert of("fig1b") == {"fig1b": both, "fig1b_rules": both}
    derived = {"MLP 1x512, worked back from the paper", "small Inception, worked back from the paper"}
    assert of("fig1c") == {"fig1c": both | derived}
    assert of("fig2b") == {"fig2b": {"with batch norm, paper", "without batch norm, paper"}}


# --- Figure 1a ----------------------------------------------------------------------------------------------


def test_figure_1a_counts_the_order_by_seed(tmp_path: Path) -> None:
    artefact = make("fig1a", five_settings(tmp_path))
    assert detail(artefact, "Steps to a loss under 0.1: true labels < ") == (
        "partly shown: In 2 of 3 seeds; not in seed 2. true labels before shuffled pixels in 3 of 3; "
        "shuffled pixels before gaussian in 3 of 3; gaussian before random pixels in 2 of 3; "
        "random pixels before random labels in 3 of 3."
    )
    assert detail(artefact, "True labels are fitted first").startswith("shown: In 3 of 3")
    assert detail(artefact, "Random labels are fitted last").startswith("shown: In 3 of 3")
    assert detail(artefact, "No setting takes more than 5 times").endswith(
        "4.5 [4.5, 4.5] (random labels). In brackets the 95 % interval of the mean."
    )


def test_figure_1a_compares_steps_with_the_paper(tmp_path: Path) -> None:
    rows = {row["randomization"]: row for row in table(make("fig1a", five_settings(tmp_path)))}
    labels = rows["random labels"]
    assert (labels["paper"], labels["loss<0.1"], labels["loss<0.1_n"]) == ("13685.0", "14400.0", "3")
    assert (labels["difference"], labels["verdict"]) == ("715.0", "inside")
    assert rows["true labels"]["onset"] == "1733.333333333" or rows["true labels"]["onset"].startswith("1733.3")


def test_a_bound_on_what_is_partly_missing_is_not_shown(tmp_path: Path) -> None:
    runs = five_settings(tmp_path, 1)
    some = [run for run in runs if run.randomization in ("TrueLabels", "RandomLabels")]
    told = detail(make("fig1a", some, missing=[run for run in runs if run not in some]), "No setting takes more")
    assert told == "cannot tell: Here: 4.5 (random labels). Missing: shuffled pixels, gaussian, random pixels."


def test_what_is_missing_is_named_with_the_command(tmp_path: Path) -> None:
    runs = corrupted(tmp_path / "runs")
    results = results_of("fig1b", runs[:1], runs[1:])
    artefact = artefacts.make(results)
    assert artefact.notes[-1] == f"1 of {len(runs)} runs are there. To do the others: make fig1b"
    assert "MLP 1x512, random labels (seed 0, 1, 2)" in artefact.missing
    assert artefact.tables[0].notes[-1] == "not run: make fig1b makes it."
    artefacts.write(artefact, results, tmp_path / "out")
    summary = (tmp_path / "out" / "README.md").read_text()
    assert summary.startswith(f"# {artefact.title}\n\n**The paper claims:** ")
    assert all(part in summary for part in ("](fig1b.svg)", "| MLP 1x512 |", "make fig1b"))


def published_to(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Has `publish` and `restore` take a folder for the experiments."""
    monkeypatch.setattr(publication, "EXPERIMENTS", folder)
    for module in (publication, restore):
        monkeypatch.setattr(module, "RECORDS", folder / "records")


def test_what_is_published_has_no_picture_twice_and_nothing_of_an_earlier_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    results = results_of("fig1b", corrupted(tmp_path / "runs"))
    folder = tmp_path / "fig1b" / "results"
    folder.mkdir(parents=True)
    (folder / "old.md").touch()
    published_to(tmp_path, monkeypatch)
    monkeypatch.setattr(publish.Results, "load", lambda experiment: results)
    publish.main(["fig1b"])
    published = {path.name for path in folder.iterdir()}
    assert {"fig1b.svg", "fig1b.csv", "table.tex", "runs.csv", "provenance.json", "README.md"} <= published
    assert not {name for name in published if name.endswith(".png") or name == "old.md"}


@pytest.mark.usefixtures("without_png")
def test_what_was_published_from_more_records_is_left_alone_and_what_has_none_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = corrupted(tmp_path / "runs")
    published_to(tmp_path, monkeypatch)
    (tmp_path / "fig1b").mkdir()
    found = results_of("fig1b", runs)
    monkeypatch.setattr(publish.Results, "load", lambda experiment: found)
    publish.main(["fig1b"])
    rich = (tmp_path / "fig1b" / "results" / "runs.csv").read_text()
    found = results_of("fig1b", runs[2:], runs[:2])
    publish.main(["fig1b"])
    assert "left alone, for 2 of its runs and analyses are not here" in capsys.readouterr().out
    assert (tmp_path / "fig1b" / "results" / "runs.csv").read_text() == rich
    shutil.rmtree(tmp_path / "records")
    publish.main(["fig1b"])
    assert "Of 2 runs and analyses in it there are none" in capsys.readouterr().out
    assert {path.name for path in (tmp_path / "records").iterdir()} == {
        *(run.run_id for run in runs[2:]),
        "SHA256SUMS",
    }
    assert len((tmp_path / "fig1b" / "results" / "runs.csv").read_text().splitlines()) == len(rich.splitlines()) - 2


@pytest.mark.usefixtures("without_png")
def test_a_page_is_not_published_before_what_else_it_prints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page of all numbers loads other experiments: what it prints of these needs its records too."""
    own, other = (
        results_of("fig1b", corrupted(tmp_path / "own")),
        results_of("fig1c", five_settings(tmp_path / "other")),
    )
    published_to(tmp_path, monkeypatch)
    folder = tmp_path / "fig1b" / "results"
    folder.mkdir(parents=True)
    (folder / "README.md").write_text("as published")
    monkeypatch.setattr(results_module, "plan", lambda experiment: Plan(other.planned))
    monkeypatch.setattr(results_module, "_read", lambda planned, opened, problems: [*other.finished] if planned else [])
    made = artefacts.make(own)

    def loads_another(results: Results) -> Artefact:
        results.other("fig1c")
        return made

    monkeypatch.setattr(artefacts, "make", loads_another)
    with pytest.raises(UserError, match=r"numbers of fig1c whose records .* First: rethink publish fig1c$"):
        list(publication.publish(own))
    assert [path.name for path in tmp_path.glob("records/*")] == []
    assert (folder / "README.md").read_text() == "as published"
    list(publication._keep_records(other))
    list(publication.publish(own))
    assert "as published" not in (folder / "README.md").read_text()
    assert own.ids | other.ids == {*json.loads((folder / "provenance.json").read_text())}


@pytest.fixture
def published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, without_png: None) -> list[Run]:
    """Runs of Figure 1b whose records are in `records`; `elsewhere` is to get them, and is not there yet."""
    runs = corrupted(tmp_path / "runs")
    published_to(tmp_path, monkeypatch)
    (tmp_path / "fig1b").mkdir()
    monkeypatch.setattr(publish.Results, "load", lambda experiment: results_of("fig1b", runs))
    publish.main(["fig1b"])
    monkeypatch.setenv("RETHINK_RUNS", str(tmp_path / "elsewhere"))
    return runs


@pytest.mark.parametrize("name", ["record.json", "history.csv", "config.yaml", "SHA256SUMS"])
def test_a_damaged_published_record_is_named_and_not_restored(
    name: str, tmp_path: Path, published: list[Run], capsys: pytest.CaptureFixture[str]
) -> None:
    records, elsewhere = tmp_path / "records", tmp_path / "elsewhere"
    file = records / name if name == "SHA256SUMS" else records / published[0].run_id / name
    file.write_bytes(b"x" + file.read_bytes())
    with pytest.raises(SystemExit) as exit:
        restore.main([])
    assert exit.value.code == 1
    output, errors = capsys.readouterr()
    assert f"{len(published) - 1} published runs and analyses restored" in output
    assert "damaged" in errors
    assert "git checkout" in errors
    assert len(list(elsewhere.glob("*/record.json"))) == len(published) - 1


def test_what_was_published_is_restored_elsewhere_and_gives_the_same_artefact(
    tmp_path: Path, published: list[Run], capsys: pytest.CaptureFixture[str]
) -> None:
    elsewhere = tmp_path / "elsewhere"
    begun, *others = published
    (elsewhere / begun.run_id).mkdir(parents=True)
    (elsewhere / begun.run_id / "lease.json").touch()  # being trained here
    analysis = tmp_path / "records" / "analyses" / "0123456789ab"
    analysis.mkdir(parents=True)
    values = {"analysis_id": analysis.name, "analysis": "Blocks", "options": {}, "values": {}}
    write_json(analysis / "record.json", {"format": 2} | values)
    write_sums(tmp_path / "records")
    restore.main([])
    assert [path.name for path in (elsewhere / "analyses" / analysis.name).iterdir()] == ["record.json"]
    assert capsys.readouterr().out.endswith(f"{len(others) + 1} published runs and analyses restored; 1 were there\n")
    assert [path.name for path in (elsewhere / begun.run_id).iterdir()] == ["lease.json"]
    assert {path.name for run in others for path in (elsewhere / run.run_id).iterdir()} == {
        "record.json",
        "history.csv",
        "config.yaml",
    }
    restored = [Run.open(elsewhere / run.run_id) for run in others]
    assert [(run.record, run.history) for run in restored] == [(run.record, run.history) for run in others]
    assert table(make("fig1b", restored)) == table(make("fig1b", others))


def test_two_figures_or_tables_of_one_name_are_an_error(tmp_path: Path) -> None:
    results = results_of("fig1b", corrupted(tmp_path / "runs"))
    artefact = artefacts.make(results)
    twice = replace(artefact, tables=[replace(artefact.tables[0], name="fig1b")])
    with pytest.raises(ValueError, match="more than one figure or table is called fig1b"):
        artefacts.write(twice, results, tmp_path / "out")


def test_networks_that_are_seldom_evaluated_are_named(tmp_path: Path) -> None:
    history = {"train/accuracy": [0.2, 1.0]}
    run = Run.open(write_run(tmp_path, history=history))
    run.history["epoch"] = [5.0, 10.0]
    note = "Evaluated only every 5 epochs small AlexNet: when they fit is known to no more than that."
    assert evaluations([run]) == [note]
    run.history["epoch"] = [1.0, 2.0]
    assert evaluations([run]) == []


def test_figure_1a_in_small_judges_no_agreement_and_names_the_stand_in(tmp_path: Path) -> None:
    runs = five_settings(tmp_path, 1, 500, model="SmallAlexNet", batch_norm=False)
    artefact = make("fig1a", runs, scale="demo")
    assert artefact.notes[0] == "Small AlexNet stands in for the paper's small Inception."
    assert {row["verdict"] for row in table(artefact)} == {"not judged"}
    assert not any("agree" in trend for trend in outcomes(artefact))
    assert "Small AlexNet, 500 training images: 5 of 5 runs reach 99 %" in artefact.finding
    assert "shuffled pixels 62.0 %" in artefact.finding  # on the test set shuffled alike


# --- Figures 1b and 1c --------------------------------------------------------------------------------------


def test_figure_1b_is_relative_to_the_same_seed(tmp_path: Path) -> None:
    rows = {(row["architecture"], row["p"]): row for row in table(make("fig1b", corrupted(tmp_path)))}
    half = rows["MLP 1x512", "0.5"]
    assert float(half["relative_time"]) == pytest.approx((40 / 20 + 40 / 25 + 40 / 30) / 3)
    # values 2, 1.6, 1.33: 0.14 off, half the interval is 0.83, and 20 % of the paper's are 0.36
    assert (half["paper"], half["verdict"]) == ("1.786", "cannot tell")
    censored = rows["MLP 1x512", "1.0"]
    assert censored["relative_time"].startswith("> 2.466")  # (60/20 + 60/25 + 60/30) / 3, a lower bound
    assert censored["verdict"] == "cannot tell"  # a lower bound, and its interval reaches 1.96
    assert rows["small Inception", "1.0"]["relative_time"] == "3.6"


def test_figure_1b_draws_a_censored_point(tmp_path: Path) -> None:
    chart = make("fig1b", corrupted(tmp_path)).charts[0]
    (mlp,) = (series for series in chart.panels[0].series if series.label == "MLP 1x512")
    assert list(zip(mlp.x, mlp.censored, strict=True)) == [(0.0, False), (0.5, False), (1.0, True)]


def test_figure_1b_bounds_no_network_by_its_largest_level_if_another_is_censored(tmp_path: Path) -> None:
    for p, epoch in ((0.0, 20), (0.5, None), (1.0, 70)):  # 1, > 3 and 3.5 times as long
        write_level(tmp_path, p, model="MLP", fits_at=epoch)
    told = detail(make("fig1b", find_runs(tmp_path)), "With any corruption")
    assert told == "cannot tell: Here: > 3 (MLP 1x512 at p = 0.5), 3.5 (MLP 1x512 at p = 1)."


def test_figure_1b_bounds_a_network_with_the_interval_of_its_seeds(tmp_path: Path) -> None:
    for seed, epoch in enumerate((20, 39, 59)):  # 2.0, 3.9 and 5.9 times as long: 3.95 on average
        write_level(tmp_path, 0.0, model="MLP", fits_at=10, seed=seed)
        write_level(tmp_path, 1.0, model="MLP", fits_at=epoch, seed=seed)
    told = detail(make("fig1b", find_runs(tmp_path)), "With any corruption")
    assert told.startswith("cannot tell: Here: 3.93 [-0.912, 8.78] (MLP")


@pytest.mark.parametrize("name", ["fig1b", "fig1c"])
def test_figures_1b_and_1c_do_not_agree_with_the_paper_where_a_whole_network_was_not_run(
    name: str, tmp_path: Path
) -> None:
    for p, epoch, error in ((0.0, 10, 0.1407), (1.0, 36, 0.9)):
        write_level(tmp_path, p, model="SmallInception", batch_norm=True, fits_at=epoch, test=1 - error)
        write_level(tmp_path, p, model="SmallAlexNet", fits_at=20)
    runs = find_runs(tmp_path)
    alexnet = [run for run in runs if run.architecture == "SmallAlexNet"]
    inception = [run for run in runs if run not in alexnet]
    trend = {"fig1b": "Relative time agrees", "fig1c": "Test error on true test labels agrees"}[name]
    agree = "1 of 1 are inside the tolerance; 1 of these 1 are judged by one seed"
    assert detail(make(name, inception), trend) == f"shown, n = 1: {agree}."
    told = detail(make(name, inception, missing=alexnet), trend)
    assert told == f"cannot tell: {agree}. Not run: 1."


def test_figure_1b_without_a_fitted_baseline_has_no_relative_time(tmp_path: Path) -> None:
    write_level(tmp_path, 0.0, model="MLP", fits_at=None)
    write_level(tmp_path, 1.0, model="MLP", fits_at=50)
    artefact = make("fig1b", find_runs(tmp_path))
    assert [row["relative_time"] for row in table(artefact)] == ["", ""]
    assert [row["verdict"] for row in table(artefact)] == ["cannot tell", "cannot tell"]
    assert [row["accuracy>=0.99"] for row in table(artefact)] == ["> 60.0", "50.0"]
    assert detail(artefact, "With any corruption") == "cannot tell: No such run."


def test_figure_1b_says_which_rule_is_nearest(tmp_path: Path) -> None:
    artefact = make("fig1b", corrupted(tmp_path))
    assert artefact.tables[1].notes[4:] == [
        # MLP 1x512: 28, 28 and 28 epochs to loss<0.1 and 20, 25 and 30 to the others, with an interval of 12
        "Nearest to the paper's epochs at p = 0: none (their intervals meet) (MLP 1x512); accuracy>=0.95 and "
        "accuracy>=0.99 and accuracy>=1.0, n = 1 (small Inception); over all of them none (their intervals meet), "
        "n = 1.",
        "Nearest to the paper's curve: loss<0.1 (MLP 1x512); accuracy>=0.99 and accuracy>=1.0, n = 1 (small "
        "Inception); no other was passed by every run of MLP 1x512; over all of them loss<0.1, n = 1.",
    ]
    rows = {(row["architecture"], row["rule"]): row for row in table(artefact, 1)}
    assert len(rows) == 10
    assert rows["MLP 1x512", "loss<0.01"]["epochs"].startswith("> ")
    assert rows["MLP 1x512", "loss<0.01"]["distance"] == ""  # never passed: not ranked
    assert rows["MLP 1x512", "loss<0.1"]["paper_epochs"] == "28.0"
    assert len(artefact.charts[1].panels) == 5


def test_figure_1b_in_small_does_not_look_for_the_papers_rule(tmp_path: Path) -> None:
    artefact = make("fig1b", corrupted(tmp_path), scale="demo")
    assert not any("Nearest" in note for note in artefact.tables[1].notes)
    assert {row["verdict"] for row in table(artefact)} == {"", "not judged"}  # at p = 0 there is nothing to judge


def test_figure_1c_on_both_test_sets(tmp_path: Path) -> None:
    artefact = make("fig1c", corrupted(tmp_path))
    alike = {(row["architecture"], row["p"]): row for row in table(artefact, 0)}
    true = {(row["architecture"], row["p"]): row for row in table(artefact, 1)}
    assert alike["MLP 1x512", "0.0"]["test_error"] == true["MLP 1x512", "0.0"]["test_error"] == "0.5"
    assert (alike["MLP 1x512", "0.5"]["test_error"], true["MLP 1x512", "0.5"]["test_error"]) == ("0.8", "0.7")
    assert (alike["MLP 1x512", "0.5"]["paper"], alike["MLP 1x512", "0.5"]["verdict"]) == ("0.7961", "inside")
    assert true["MLP 1x512", "1.0"]["paper"] == ""  # every error on true labels would fit
    assert "the paper's are nearer to labels corrupted alike" in artefact.finding
    assert detail(artefact, "With random labels the test is at chance").startswith("shown")


def test_figure_1c_at_the_epoch_that_fits(tmp_path: Path) -> None:
    history = {"test/accuracy": [0.3, 0.5, 0.4], "train/accuracy": [0.5, 0.99, 1.0]}
    write_level(tmp_path, 0.0, model="MLP", fits_at=2, history=history)
    row = table(make("fig1c", find_runs(tmp_path)), 1)[0]
    assert (row["test_error"], row["test_error_when_fitted"]) == ("0.6", "0.5")


# --- Figure 2b ----------------------------------------------------------------------------------------------


def test_figure_2b(tmp_path: Path) -> None:
    artefact = make("fig2b", normalized(tmp_path))
    on, off = table(artefact)
    assert (on["test/accuracy"], on["paper"], on["verdict"]) == ("0.855", "0.8653", "cannot tell")  # n = 2
    assert (off["best_test_accuracy"], off["best_epoch"], off["gain"]) == ("0.84", "2.0", "0.015")
    assert "brings +3.0 ± 1.4 points" in artefact.finding
    higher = detail(artefact, "With batch norm the test accuracy ends higher")
    assert higher == "cannot tell: +3.0 ± 12.7 points; the paper's text 3 to 4, its figure 1.6."  # 2 and 4 points
    # 0 and 0 points, without it (0.84 - 0.83) / 2 and (0.84 - 0.82) / 2: the climb from the start is no fall
    assert detail(artefact, "With batch norm the test accuracy falls less") == (
        "cannot tell: It falls by 0.000 and 0.750 points on average; +0.750 ± 3.177 points less."
    )
    assert detail(artefact, "The best test accuracy is at most 1 point").startswith("cannot tell")


def test_figure_2b_shades_the_test_curves_only(tmp_path: Path) -> None:
    panels = make("fig2b", normalized(tmp_path)).charts[0].panels
    shaded = [[series.best_so_far for series in panel.series if not series.from_paper] for panel in panels]
    assert shaded == [[True, True], [False, False]]


# --- beyond the paper ---------------------------------------------------------------------------------------


def test_memorization_order(tmp_path: Path) -> None:
    artefact = make("memorization_order", memorized(tmp_path))
    (row,) = table(artefact)
    assert (row["clean_50"], row["clean_90"]) == ("2.0", "4.0")
    assert float(row["corrupted_50"]) == pytest.approx((4 + 4 + 2) / 3)
    assert float(row["corrupted_90"]) == pytest.approx((5 + 5 + 4) / 3)
    assert float(row["recovered"]) == pytest.approx((0.5 + 0.5 + 0.1) / 3)
    order = detail(artefact, "Half of the clean part")
    assert order.startswith("partly shown: In 2 of 3 runs; not in MLP 1x512, label corruption 0.4, seed 2")
    assert detail(artefact, "The share recovered rises").startswith("partly shown: In 2 of 3 runs")


def test_memorization_order_is_not_told_from_one_run_of_many(tmp_path: Path) -> None:
    runs = memorized(tmp_path)
    first = next(run for run in runs if run.seed == 0)
    others = [Run.open(write_level(tmp_path, p, model="MLP", hidden_sizes=[512])) for p in (0.2, 0.6)]
    artefact = make("memorization_order", [first], missing=others)
    for start in ("Half of the clean part", "The share recovered rises"):
        assert detail(artefact, start) == "cannot tell: In 1 of 1 runs. Missing: 2 of 3 settings."
    seeds = make("memorization_order", [first], missing=[run for run in runs if run is not first])
    for start in ("Half of the clean part", "The share recovered rises"):
        assert detail(seeds, start) == "shown, n = 1: In 1 of 1 runs."


def test_strong_and_weak(tmp_path: Path) -> None:
    artefact = make("strong_and_weak", networks(tmp_path))
    rows = {(row["architecture"], row["randomization"]): row for row in table(artefact)}
    assert float(rows["MLP 1x512", "true labels"]["gap"]) == pytest.approx(14)
    assert float(rows["MLP 1x512", "shuffled pixels"]["gap"]) == pytest.approx(38)  # on images shuffled alike
    assert artefact.charts[0].panels[0].categories[0] == "true labels"
    assert "true labels" in artefact.charts[0].to_csv()
    told = outcomes(artefact)
    assert told["Every network fits random labels to 99 % training accuracy"] == "shown"
    assert told["The stronger the network, the better it tests on true labels"] == "not shown"  # a tie


@pytest.mark.parametrize(("planned", "expected"), [(2, "shown"), (3, "partly shown"), (4, "cannot tell")])
def test_networks_that_were_not_run_are_missing_in_their_order(planned: int, expected: str, tmp_path: Path) -> None:
    runs = []
    every: list[tuple[str, dict[str, Any]]] = [
        *(("MLP", {"hidden_sizes": [512] * layers}) for layers in (1, 3)),
        *((model, {}) for model in ("SmallAlexNet", "SmallInception")),
    ]
    for number, (model, arguments) in enumerate(every[:planned]):
        for setting, test in (("TrueLabels", 0.5 + 0.1 * number), ("RandomLabels", 0.1)):
            path = write_run(tmp_path, model, randomization=setting, fits_at=20 - number, test=test, **arguments)
            runs.append(Run.open(path))
    artefact = make("strong_and_weak", runs[:4], missing=runs[4:])
    for start in ("The stronger the network", "The network that tests best"):
        told = detail(artefact, start)
        assert told.startswith(expected)
        assert told.endswith(f" Missing: {planned - 2} of {planned} networks.") == (planned > 2)


def test_networks_on_subsets_of_different_size_are_not_compared(tmp_path: Path) -> None:
    artefact = make("strong_and_weak", networks(tmp_path, (4000, 500)), scale="demo")
    assert outcomes(artefact)["The stronger the network, the better it tests on true labels"] == "cannot tell"
    assert "MLP 1x512 4,000, small AlexNet 500 images" in artefact.notes[0]


def test_durations_are_in_the_provenance_only(tmp_path: Path) -> None:
    results = results_of("fig1a", five_settings(tmp_path / "runs", 1))
    artefacts.write(artefacts.make(results), results, tmp_path / "out")
    texts = {path.name: path.read_text() for path in (tmp_path / "out").iterdir() if path.suffix != ".png"}
    assert {name for name, text in texts.items() if '"fit": 12.5' in text} == {"provenance.json"}


def test_any_recorded_rule_can_say_what_is_fitted(tmp_path):
    write_level(tmp_path, 0.0, fits_at=10)
    write_level(tmp_path, 1.0, fits_at=40)
    results = results_of("fig1b", find_runs(tmp_path))
    rules = {rule for run in results.runs for rule in run.rules}
    other = (rules - {results.rule}).pop()
    artefact = artefacts.make(replace(results, rule=other))
    assert rule_words(other) in artefact.tables[0].caption
    assert other in artefact.tables[0].to_csv()
    with pytest.raises(UserError, match="is no convergence rule"):
        artefacts.make(replace(results, rule="error<0.7"))


def test_a_rule_that_was_not_recorded_is_read_from_the_history(tmp_path):
    write_level(tmp_path, 0.0, fits_at=10)
    (run,) = find_runs(tmp_path)
    column = run.curve("train/accuracy", "epoch")
    assert "accuracy>=0.45" not in run.rules
    first = next(epoch for epoch, accuracy in zip(*column, strict=True) if accuracy >= 0.45)
    assert run.crossing("accuracy>=0.45").epoch == first
    for rule in run.rules:
        assert run._first_passing(Rule.parse(rule)).epoch == run.crossing(rule).epoch
    never = run._first_passing(Rule.parse("loss<0.0000001"))
    assert never.censored
    assert never.epoch == column[0][-1]


def test_a_rule_in_words():
    assert rule_words("accuracy>=0.99") == "99 % training accuracy"
    assert rule_words("loss<0.1") == "training loss under 0.1"


def test_a_sentence_is_one_line_whatever_the_lines_of_its_template() -> None:
    template = """
    {% for name, n in rows %}{{ name }} ({{ n }}
    ){{ "; " if not loop.last }}
    {% endfor %}.
    """
    assert sentence(template, rows=[("a", 1), ("b", 2)]) == "a (1); b (2)."
    with pytest.raises(UndefinedError, match="rows"):
        sentence(template)
