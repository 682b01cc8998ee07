"""Training loss after one epoch under each reading of the pixel randomizations, beside Figure 1a's first point."""

import json
from collections.abc import Sequence
from pathlib import Path

from rethink.records.run import Run, read_columns
from rethink.report.page import Artefact, Page
from rethink.report.provenance import mixtures, provenance, summary
from rethink.report.style import randomization_style
from rethink.report.tables import Column, Table

PAPER = Path(__file__).parent.parent / "paper"
CURVES = {"ShuffledPixels": "shuffled_pixels", "RandomPixels": "random_pixels", "GaussianPixels": "gaussian"}
OPTIONS = ("scope", "statistics")  # the argument of a randomization that the paper leaves open


def render(runs: Sequence[Run], output: Path) -> Table:
    """Writes table, page and provenance to `output`; returns the table, for the terminal."""
    output.mkdir(parents=True, exist_ok=True)
    table = table_of(runs)
    (output / "table.md").write_text(table.to_markdown(), encoding="utf-8")
    (output / "table.csv").write_text(table.to_csv(), encoding="utf-8")
    (output / "provenance.json").write_text(json.dumps(provenance(runs), indent=2, sort_keys=True) + "\n")
    artefact = Artefact(
        "pixel_choices",
        "Which pixels are permuted, and which Gaussian is matched",
        "The paper says that one permutation, or one for each image, is applied to the pixels, and that the Gaussian "
        "matches the mean and variance of the images. It does not say whether channels move together or are matched "
        "one by one.",
        f"{len(runs)} runs of small Inception for one epoch on all 50,000 images, one seed each.",
        tables=[table],
    )
    Page("Open choices about pixels", table.caption, [artefact], mixtures(runs), summary(runs)).save(
        output / "index.html"
    )
    return table


def table_of(runs: Sequence[Run]) -> Table:
    """A row per run: the option, and the loss that the paper has at the same point."""
    paper = read_columns(PAPER / "fig1a.csv")
    rows = []
    for run in runs:
        first, online = run.history["train/loss"][0], run.history["online/loss"][0]
        theirs = paper[CURVES[run.randomization]][0]
        assert first is not None
        assert theirs is not None
        option = next(str(run.record["randomization"][name]) for name in OPTIONS if name in run.record["randomization"])
        rows.append([randomization_style(run.randomization).label, option, run.seed, theirs, first, online])
    columns = [
        Column.text("setting", "setting"),
        Column.text("option", "option"),
        Column("seed", "seed"),
        Column("paper", "paper", format=".3f"),
        Column("loss after the epoch", "train/loss", format=".3f"),
        Column("mean loss during it", "online/loss", format=".3f"),
    ]
    return Table(columns, rows, "Training loss of small Inception after one epoch, beside Figure 1a of the paper")
