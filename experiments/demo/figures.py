"""The first picture: every randomization is fitted, the test error climbs to chance, what each does to images."""

from collections.abc import Sequence
from dataclasses import replace

from experiments.fig1a import figures as fig1a
from experiments.fig1c import figures as fig1c
from rethink.data.catalog import DATASETS, DataError
from rethink.report.corruption import TRUE_LABELS
from rethink.report.figures import Chart
from rethink.report.page import Artefact
from rethink.report.panels import Panel, Series, against_step
from rethink.report.pictures import grid
from rethink.report.randomizations import FIVE, LABELS
from rethink.report.results import Results
from rethink.report.style import randomization_style
from rethink.report.verdicts import all_fitted
from rethink.report.wording import sentence

IMAGES = 6
FINDING = """
{{ fits }} of {{ runs }} runs of small AlexNet and MLP 1x512 fit their whole training set, whatever was done to it.
{% if order %}
Here {{ order[0].label }} {{ "are" if order[0].label.endswith("s") else "is" }} first, at a loss under 0.1 after
{{ order[0].steps.format(",.0f") }} steps of small AlexNet on {{ images }} images, and {{ order[-1].label }} last, after
{{ order[-1].steps.format(",.0f") }}; on the paper's 50,000 images random labels are last.
{% endif %}
{% if ends %}
The test error of MLP 1x512 climbs with the share of random labels from {{ "%.0f" % (100 * ends[0].last.mean) }} to
{{ "%.0f" % (100 * ends[-1].last.mean) }} %, where guessing has 90 %.
{% endif %}
"""
NEXT = (
    "What each randomization does to six of the images stands next; every figure and table of the demo follows.",
    "All 50,000 images, beside the paper's numbers: make fig1c on a CPU in hours; make all wants a GPU.",
    "A network, a randomization or a data set of your own is one file: docs/extending.md.",
)


def artefact(results: Results) -> Artefact:
    """The loss of the five settings, the test error against corruption, and the images."""
    convolutional, perceptron = (_of(results, architecture) for architecture in ("SmallAlexNet", "MLP 1x512"))
    settings = fig1a.rows(convolutional, None)
    curves = [
        series
        for item in settings
        for series in Series.over_seeds(randomization_style(item.name), item.row.curves("train/loss"))
    ]
    levels = fig1c.rows(perceptron, TRUE_LABELS)
    errors = fig1c.panel(levels, TRUE_LABELS, "last", 0.9)
    description = (
        "Training loss of small AlexNet against the step, and test error of MLP 1x512 on true labels against the share "
        "of training labels that are random."
    )
    whole = all_fitted("", convolutional.all, results.rule).outcome == "shown"
    chart = Chart(
        "demo",
        " ".join([description, *results.draws, *perceptron.test_images]),
        [against_step(f"Training loss{': all are fitted' if whole else ''}", "loss", curves), errors],
    )
    finding = sentence(
        FINDING,
        fits=results.fits,
        runs=len(results.runs),
        images=convolutional.all.images,
        order=sorted(
            (item for item in settings if item.steps), key=lambda item: item.steps.mean if item.steps else 0.0
        ),
        ends=[level for level in levels if level.last],
    )
    return results.artefact(finding, [chart, *pictures()], notes=NEXT)


def _of(results: Results, architecture: str) -> Results:
    return replace(
        results,
        planned=tuple(run for run in results.planned if run.setting.architecture == architecture),
        finished=tuple(run for run in results.finished if run.architecture == architecture),
    )


def pictures() -> Sequence[Chart]:
    """What each randomization does to the first images of the demo's training set, labels included."""
    # Here: a report without this figure starts without torch. The DataModule would take Lightning with it.
    from rethink import randomization, randomness
    from rethink.data.pipelines.cifar import CifarPipeline
    from rethink.data.store import load
    from rethink.randomization.randomization import PixelCounts

    names = DATASETS["cifar10"].class_names
    try:
        data = load(DATASETS["cifar10"])
    except DataError:  # it was not downloaded here
        return ()
    order = randomness.permutation(randomness.key(0, "subset"), len(data.train_labels))
    chosen = randomness.tensor(order[:IMAGES]).sort().values
    seen = CifarPipeline().shown
    counts = PixelCounts(lambda: map(seen, data.train_images.split(1000)))
    rows, captions = [], []
    for name in FIVE:
        change, shown = getattr(randomization, name)(), seen(data.train_images[chosen])
        if change.randomizes_images:
            shown = change.images(shown, chosen, "train", counts)
        labels, _ = change.labels(data.train_labels[chosen], chosen, len(names), "train")
        rows.append(list(shown.clamp(0, 255).byte().numpy()))
        captions.append([names[label] for label in labels.tolist()])
    description = (
        f"{IMAGES} training images with their labels, as each randomization leaves them, once and for all epochs. "
        "Random labels: the images stay. Shuffled pixels: one permutation for all images. Random pixels: another one "
        "for each image. Gaussian: drawn anew, with mean and variance of the data. The labels of the last three stay."
    )
    picture = grid(rows, [LABELS[name] for name in FIVE], gap=9, captions=captions)
    return [Chart("randomizations", description, [Panel("What is trained on", "", "", (), picture=picture)])]
