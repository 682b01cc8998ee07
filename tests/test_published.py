"""What is published: every number has its record, and today's code makes the same files from the records."""

import shutil
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import pytest

from rethink.cli import main
from rethink.report import artefacts
from rethink.report.publication import quoting, unrecorded
from rethink.report.results import Results
from rethink.sweep.experiment import EXPERIMENTS, RECORDS, Experiment

REPOSITORY = Path(__file__).parents[1]
PUBLISHED = sorted(path.parent.name for path in (REPOSITORY / EXPERIMENTS).glob("*/results"))
SLOW = {"early_stopping": pytest.mark.slow}  # a plan of 273 runs
TESTED = dict(line.split("==") for line in (REPOSITORY / "constraints.txt").read_text().split() if "==" in line)


@pytest.fixture(scope="module")
def restored(tmp_path_factory: pytest.TempPathFactory, with_known_plans: Callable[[Path], Path]) -> Path:
    """The published records as runs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(REPOSITORY)
        runs = with_known_plans(tmp_path_factory.mktemp("runs"))
        patch.setenv("RETHINK_RUNS", str(runs))
        main(["restore"])
    return runs


@pytest.mark.usefixtures("without_png")
@pytest.mark.parametrize("name", [pytest.param(name, marks=SLOW.get(name, ())) for name in PUBLISHED])
def test_published_results_are_made_anew_from_their_records(
    name: str, restored: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that no page keeps the numbers of a run that is lost, or the verdict of yesterday's code."""
    monkeypatch.chdir(REPOSITORY)
    monkeypatch.setenv("RETHINK_RUNS", str(restored))
    folder = EXPERIMENTS / name / "results"
    assert unrecorded(folder) == set()
    results = Results.load(Experiment.load(name))
    artefacts.write(artefacts.make(results), results, tmp_path)
    made = {path.name for path in tmp_path.iterdir() if path.suffix != ".png"}
    assert made == {path.name for path in folder.iterdir()}
    for file in sorted(made):
        if not file.endswith(".svg") or version("matplotlib") == TESTED["matplotlib"]:  # drawn by the tested release
            assert (tmp_path / file).read_bytes() == (folder / file).read_bytes(), f"{name}: rethink publish {name}"


def test_the_readme_says_what_the_records_say() -> None:
    """Its table is never typed: the file that it quotes is made anew from the records above."""
    page = (REPOSITORY / "README.md").read_text()
    assert "<!-- made by rethink publish from experiments/paper/results/counts.md -->" in page
    assert quoting(page) == page, "rethink publish paper"
    typed = page.replace("| all |", "| all, and more |")
    assert typed != page
    assert quoting(typed) == page


def test_results_without_a_record_are_told(tmp_path: Path) -> None:
    folder = tmp_path / "results"
    shutil.copytree(REPOSITORY / EXPERIMENTS / PUBLISHED[0] / "results", folder)
    (folder / "provenance.json").write_text('{"0123456789ab": {}}')
    assert unrecorded(folder) == {"0123456789ab"}
    assert (REPOSITORY / RECORDS).is_dir()
