"""The demo's artefact: Figures 1a, 1b and 1c of the paper in small, from the runs of experiments/demo.

Small AlexNet stands in for the paper's small Inception in Figure 1a, and every network is trained on a
subset: what can be compared is the shape of the curves and the order of the settings. What the runs show of
the paper's trends is worked out here from their records; nothing of it is written down in advance.
"""

import json
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rethink.errors import UserError
from rethink.records.run import Run, read_columns
from rethink.report.figures import Chart, Panel, Series, against_corruption, against_step
from rethink.report.page import Artefact, Page
from rethink.report.provenance import mixtures, provenance, summary
from rethink.report.style import architecture_style, randomization_style
from rethink.report.tables import Column, Table
from rethink.report.verdicts import (
    Quantity,
    Verdict,
    at_chance,
    at_most,
    fitted,
    ordered,
    rising,
    sampling_error,
)

ALEXNET, MLP = "SmallAlexNet", "MLP 1x512"
FIT = "accuracy>=1.0"  # the rule for "fitted": the paper's 100 % training accuracy
TIME = "accuracy>=0.99"  # the rule for how long that takes: the last few of so few images are a matter of luck

# Figure 1a, in the order in which the paper's runs fit, with the column of fig1a.csv.
SETTINGS = {
    "TrueLabels": "true_labels",
    "ShuffledPixels": "shuffled_pixels",
    "GaussianPixels": "gaussian",
    "RandomPixels": "random_pixels",
    "RandomLabels": "random_labels",
}
# Figures 1b and 1c, with the prefix of the columns of fig1bc.csv. 0 is true labels, 1 is random labels.
LEVELS = {ALEXNET: (0.0, 0.5, 1.0), MLP: tuple(tenth / 10 for tenth in range(11))}
PAPER_NAMES = {ALEXNET: "AlexNet", MLP: "MLP1x512"}

LEGEND = (
    "Accuracies at the last epoch; epochs to fit = first epoch at 99 % training accuracy (> n: not within n "
    "epochs); test = untouched test images and labels; test, alike = the test set randomized as the training "
    "set was."
)
SMALL_FACTOR = 4.0  # Figure 1b's axis ends here; its largest value is 3.6 (small Inception)
PAPER = Path(__file__).parent.parent / "paper"


def render(runs: Sequence[Run], output: Path) -> Table:
    """Write figures, table, page and provenance to `output`; return the table, for the terminal."""
    demo = Demo.of(runs)
    artefacts = [figure_1a(demo), figure_1b(demo), figure_1c(demo)]
    verdicts = [verdict for artefact in artefacts for verdict in artefact.verdicts]
    notes = [subset(demo), *missing(demo), *mixtures(demo.runs)]
    table = runs_table(demo)
    summarized = replace(table, notes=[*table.notes, *notes, *map(str, verdicts)])

    output.mkdir(parents=True, exist_ok=True)
    for artefact in artefacts:
        for chart in artefact.charts:
            chart.save(output)
    (output / "table.md").write_text(summarized.to_markdown(), encoding="utf-8")
    (output / "table.csv").write_text(summarized.to_csv(), encoding="utf-8")
    (output / "provenance.json").write_text(
        json.dumps(provenance(demo.runs), indent=2, sort_keys=True) + "\n", encoding="utf-8"
    )
    runs_section = Artefact(
        "runs",
        "Every run",
        "Table 1: networks that reach 100 % training accuracy on random labels, and test at chance.",
        fit_count(demo),
        tables=[table],
    )
    Page(
        "Rethinking generalization, in four minutes",
        "Can a network that generalizes on real images also memorize noise? The paper trains the same "
        "network, with the same settings, on true labels, on random labels and on random pixels. It fits all "
        "of them. This page repeats the experiment on a small part of CIFAR-10.",
        [*artefacts, runs_section],
        [*notes, counts(verdicts)],
        summary(demo.runs),
    ).save(output / "index.html")
    return summarized


@dataclass(frozen=True)
class Demo:
    """The runs of the demo, by architecture and setting; a setting with several runs has one per seed."""

    runs: tuple[Run, ...]

    @classmethod
    def of(cls, runs: Sequence[Run]) -> "Demo":
        """The demo's runs in the order of the table; on one subset per architecture, or a UserError."""
        order = [*SETTINGS, "PartiallyCorruptedLabels"]

        def rank(run: Run) -> tuple[int, float, int, int, str]:
            corruption = 2.0 if run.corruption is None else run.corruption
            setting = order.index(run.randomization) if run.randomization in order else len(order)
            # Figure 1a's settings in the paper's order; a sweep by its probability.
            key = (0.0, setting) if run.architecture == ALEXNET else (corruption, setting)
            return [*LEVELS, run.architecture].index(run.architecture), *key, run.seed, run.run_id

        for architecture in {run.architecture for run in runs}:
            sizes = {run.train_size for run in runs if run.architecture == architecture}
            if len(sizes) > 1:
                raise UserError(
                    f"The demo compares runs on the same images, but {architecture} was trained on "
                    f"{' and '.join(map(str, sorted(sizes)))}. Render one size at a time."
                )
        return cls(tuple(sorted(runs, key=rank)))

    def select(self, architecture: str, randomization: str | None = None, p: float | None = None) -> list[Run]:
        """Runs of an architecture in one setting, named by its class or by its label corruption."""
        return [
            run
            for run in self.runs
            if run.architecture == architecture
            and (randomization is None or run.randomization == randomization)
            and (p is None or run.corruption == p)
        ]

    def time_to_fit(self, runs: Sequence[Run]) -> Quantity | None:
        """Epochs to 99 % training accuracy, mean over seeds; a lower bound if one seed never fits."""
        if not runs:
            return None
        crossings = [run.crossing(TIME) for run in runs]
        return Quantity(statistics.fmean(c.epoch for c in crossings), any(c.censored for c in crossings))

    def relative_time(self, architecture: str, p: float) -> Quantity | None:
        """Figure 1b's y: time to fit as a multiple of that on true labels; None if that is not known."""
        base = self.time_to_fit(self.select(architecture, p=0))
        time = self.time_to_fit(self.select(architecture, p=p))
        if base is None or base.censored or time is None:
            return None
        return Quantity(time.value / base.value, time.censored)

    def test_error(self, architecture: str, p: float, test_set: str) -> float | None:
        """Figure 1c's y at the last epoch, mean over seeds; at p = 0 the two test sets are the same."""
        runs = self.select(architecture, p=p)
        accuracies = [accuracy for run in runs if (accuracy := test_accuracy(run, test_set)) is not None]
        return 1 - statistics.fmean(accuracies) if accuracies else None


def test_accuracy(run: Run, test_set: str) -> float | None:
    """`test` is the untouched test set, `test_randomized` the one randomized as the training set was."""
    same = run.randomization == "TrueLabels"
    return run.final("test/accuracy" if same else f"{test_set}/accuracy")


def setting_name(run: Run) -> str:
    """As in the paper's legends: `gaussian`, `label corruption 0.4`."""
    if run.randomization == "PartiallyCorruptedLabels":
        return f"label corruption {run.corruption:g}"
    return randomization_style(run.randomization).label


# --- Figure 1a ----------------------------------------------------------------------------------------------


def figure_1a(demo: Demo) -> Artefact:
    """Training loss against step for the five settings; the paper's panel beside it, for the order."""
    runs = {name: demo.select(ALEXNET, name) for name in SETTINGS}
    times = [(randomization_style(name).label, demo.time_to_fit(runs[name])) for name in SETTINGS]
    verdicts = [
        fitted(
            "Every setting of Figure 1a reaches 100 % training accuracy",
            [(setting_name(run), not run.crossing(FIT).censored) for name in SETTINGS for run in runs[name]],
            [randomization_style(name).label for name in SETTINGS if not runs[name]],
        ),
        ordered("Time to fit: true labels < shuffled pixels < gaussian < random pixels < random labels", times),
    ]
    chart = Chart(
        "fig1a",
        "Training loss at the end of each epoch against training step, for true labels and four "
        f"randomizations. These runs: {size_label(demo, ALEXNET)}; the marker is where a run stopped. The "
        "paper: its Figure 1a, small Inception on 50,000 images. Compare the order, not the steps.",
        [our_curves(demo, runs), paper_curves()],
    )
    return Artefact(
        "fig1a",
        "Figure 1a: fitting true labels, random labels and noise",
        "The same network, with the same hyper-parameters, drives the training loss to zero whatever the "
        "labels and pixels are. Random labels start later, but once training takes off it converges quickly.",
        f"Epochs until 99 % of the {image_count(demo, ALEXNET)} training images are classified as labelled: "
        + ", ".join(f"{name} {'no run' if time is None else time}" for name, time in times)
        + ".",
        [chart],
        verdicts=verdicts,
    )


def our_curves(demo: Demo, runs: dict[str, list[Run]]) -> Panel:
    series = [
        Series.mean(randomization_style(name), [run.curve("train/loss") for run in found])
        for name, found in runs.items()
        if found
    ]
    return against_step(f"These runs: {size_label(demo, ALEXNET)}", "training loss", series)


def paper_curves() -> Panel:
    series = []
    for name, column in SETTINGS.items():
        style = randomization_style(name)
        steps, losses = paper_points("fig1a.csv", "step", column)
        series.append(Series(style.label, [step / 1000 for step in steps], losses, style.color, style.dash))
    return against_step("The paper: small Inception, 50,000 images", "training loss", series, "thousand steps")


# --- Figure 1b ----------------------------------------------------------------------------------------------


def figure_1b(demo: Demo) -> Artefact:
    """Epochs to 99 % training accuracy, relative to true labels, against label corruption."""
    series, verdicts, largest = [], [], []
    for architecture, levels in LEVELS.items():
        label = architecture_style(architecture).label
        relative = [(p, demo.relative_time(architecture, p)) for p in levels]
        known = [(p, time) for p, time in relative if time is not None]
        series += [
            paper_series(architecture, "rel_time"),
            corruption_series(architecture, known),
        ]
        times = [(p, demo.time_to_fit(demo.select(architecture, p=p))) for p in levels]
        verdicts.append(rising(f"Time to fit grows with label corruption ({label})", times, unit=" epochs"))
        worst = max((time for _, time in known), key=lambda time: (time.value, time.censored), default=None)
        largest.append((label, worst if len(known) == len(levels) else None))
    verdicts.append(
        at_most(
            "Fitting noise takes a small constant factor longer: with any corruption at most "
            f"{SMALL_FACTOR:g} times as long as true labels (the paper: 3.6)",
            largest,
            SMALL_FACTOR,
        )
    )
    chart = Chart(
        "fig1b",
        "Epochs to 99 % training accuracy as a multiple of those on true labels, against the probability p "
        "that a label is replaced by a random one; in thin dashes the paper's curves of the same networks on "
        "50,000 images. The paper does not state its rule for fitted, so compare the shape. An arrow marks a "
        "run that did not fit within its budget: the value lies above.",
        [against_corruption("Time to fit, relative to true labels", "relative time to fit", series)],
    )
    return Artefact(
        "fig1b",
        "Figure 1b: the more corrupted, the longer it takes",
        "Time to fit grows with the share of corrupted labels, and by no more than a small constant factor: "
        "3.6 for small Inception, 2.0 for MLP 1x512, 1.55 for small AlexNet.",
        "The largest factor at any level of corruption: "
        + ", ".join(f"{name} {'unknown' if factor is None else factor}" for name, factor in largest)
        + f". Trained on {image_count(demo, ALEXNET)} and {image_count(demo, MLP)} images.",
        [chart],
        verdicts=verdicts,
    )


# --- Figure 1c ----------------------------------------------------------------------------------------------


def figure_1c(demo: Demo) -> Artefact:
    """Test error at the last epoch against label corruption, on true and on corrupted test labels."""
    test_sets = {
        "test": ("True test labels", "test_error_if_clean_test"),
        "test_randomized": ("Test labels corrupted alike", "test_error"),
    }
    chance = 1 - 1 / max((run.num_classes for run in demo.runs), default=10)
    panels, verdicts = [], []
    for test_set, (title, paper_column) in test_sets.items():
        series = []
        for architecture, levels in LEVELS.items():
            errors = [(p, demo.test_error(architecture, p, test_set)) for p in levels]
            quantities = [(p, None if error is None else Quantity(error)) for p, error in errors]
            known = [(p, quantity) for p, quantity in quantities if quantity is not None]
            series += [paper_series(architecture, paper_column), corruption_series(architecture, known)]
            examples = min((run.test_size for run in demo.select(architecture)), default=1)
            tolerance = sampling_error(statistics.fmean(q.value for _, q in known), examples) if known else 0
            label = f"{title[0].lower()}{title[1:]}, {architecture_style(architecture).label}"
            verdicts.append(rising(f"Test error grows with label corruption ({label})", quantities, tolerance))
        panels.append(against_corruption(title, "test error", series, chance, (0, 1)))
    random = [
        (architecture_style(architecture).label, 1 - error)
        for architecture in LEVELS
        if (error := demo.test_error(architecture, 1, "test")) is not None
    ]
    examples = min((run.test_size for run in demo.runs), default=1)
    verdicts.append(at_chance("With random labels the test is at chance", random, 1 - chance, examples))
    chart = Chart(
        "fig1c",
        "Test error at the last epoch against label corruption p, in thin dashes the paper's curves for the "
        "same networks. On true test labels the paper's curve is worked back from its own, assuming that "
        "its test labels were corrupted too, with the p of training, as ours are in the second panel.",
        panels,
    )
    return Artefact(
        "fig1c",
        "Figure 1c: generalization decays as labels are corrupted",
        "All of these networks fit their training set perfectly, yet their test error runs from that of a "
        "well-trained network to chance as the labels are corrupted: training error tells nothing of it.",
        "Test error on true labels, at the lowest and at the highest corruption: "
        + "; ".join(error_range(demo, architecture) for architecture in LEVELS)
        + ".",
        [chart],
        verdicts=verdicts,
    )


def error_range(demo: Demo, architecture: str) -> str:
    levels = LEVELS[architecture]
    ends = [demo.test_error(architecture, p, "test") for p in (levels[0], levels[-1])]
    shown = " to ".join("no run" if error is None else f"{100 * error:.1f} %" for error in ends)
    _, paper = paper_points("fig1bc.csv", "p", f"{PAPER_NAMES[architecture]}_test_error")
    theirs = f"{100 * paper[0]:.1f} % to {100 * paper[-1]:.1f} %"
    return f"{architecture_style(architecture).label} {shown} (the paper {theirs})"


def corruption_series(architecture: str, by_level: Sequence[tuple[float, Quantity]]) -> Series:
    style = architecture_style(architecture)
    return Series(
        style.label,
        [p for p, _ in by_level],
        [quantity.value for _, quantity in by_level],
        style.color,
        style.dash,
        style.marker,
        censored=[quantity.censored for _, quantity in by_level],
    )


def paper_series(architecture: str, column: str) -> Series:
    levels, values = paper_points("fig1bc.csv", "p", f"{PAPER_NAMES[architecture]}_{column}")
    return Series.paper(architecture_style(architecture), levels, values)


def paper_points(file: str, x: str, y: str) -> tuple[list[float], list[float]]:
    """Two columns of experiments/paper, without the rows in which one is empty."""
    columns = read_columns(PAPER / file)
    cells = zip(columns[x], columns[y], strict=True)
    points = [(left, right) for left, right in cells if left is not None and right is not None]
    return [left for left, _ in points], [right for _, right in points]


# --- table and notes ----------------------------------------------------------------------------------------


def runs_table(demo: Demo) -> Table:
    """A row per run; a run that did not fit shows the epochs it was given."""
    columns = [
        Column.text("network", "architecture"),
        Column.text("setting", "setting"),
        Column("seed", "seed"),
        Column("images", "train_size", format=","),
        Column("epochs to fit", "epochs_to_fit"),
        Column.percent("train", "train/accuracy"),
        Column.percent("test", "test/accuracy"),
        Column.percent("test, alike", "test_randomized/accuracy"),
    ]
    rows = [
        (
            architecture_style(run.architecture).label,
            setting_name(run),
            run.seed,
            run.train_size,
            run.crossing(TIME),
            run.final("train/accuracy"),
            test_accuracy(run, "test"),
            None if run.randomization == "TrueLabels" else test_accuracy(run, "test_randomized"),
        )
        for run in demo.runs
    ]
    caption = "Rethinking generalization on a subset of CIFAR-10"
    return Table(columns, rows, caption, [LEGEND])


def subset(demo: Demo) -> str:
    """The plain word on what this is not."""
    sizes = ", ".join(size_label(demo, architecture) for architecture in LEVELS)
    tests = " or ".join(f"{n:,}" for n in sorted({run.test_size for run in demo.runs})) or "no"
    return (
        f"A subset, for minutes on a laptop: {sizes}; tested on {tests} images. "
        "The paper trains on 50,000 and tests on 10,000. Orders and shapes can be compared, values cannot."
    )


def missing(demo: Demo) -> list[str]:
    """Settings that no run has produced, with the command that does."""
    absent = [
        f"{architecture_style(ALEXNET).label} with {randomization_style(name).label}"
        for name in SETTINGS
        if not demo.select(ALEXNET, name)
    ]
    absent += [
        f"{architecture_style(architecture).label} at p = {p:g}"
        for architecture, levels in LEVELS.items()
        for p in levels
        if not demo.select(architecture, p=p) and not (architecture == ALEXNET and p in (0, 1))
    ]
    return [f"Missing: {', '.join(absent)}. To make them: make demo"] if absent else []


def counts(verdicts: Sequence[Verdict]) -> str:
    outcomes = [verdict.outcome for verdict in verdicts]
    said = [f"{outcomes.count(outcome)} {outcome}" for outcome in dict.fromkeys(outcomes)]
    return f"Of the {len(verdicts)} trends of the paper that are judged here: {', '.join(said)}."


def fit_count(demo: Demo) -> str:
    fits = sum(not run.crossing(FIT).censored for run in demo.runs)
    return f"{fits} of {len(demo.runs)} runs reach 100 % training accuracy within the epochs they were given."


def size_label(demo: Demo, architecture: str) -> str:
    return f"{architecture_style(architecture).label}, {image_count(demo, architecture)} images"


def image_count(demo: Demo, architecture: str) -> str:
    sizes = {run.train_size for run in demo.select(architecture)}
    return f"{max(sizes):,}" if sizes else "no"
