"""The five settings of Figure 1a: true labels and the four randomizations that leave nothing of the signal."""

from rethink.report.style import RANDOMIZATIONS, randomization_style

# In the order in which the paper's runs fit.
FIVE = tuple(name for name in RANDOMIZATIONS if name not in ("PartiallyCorruptedLabels", "RandomSigns"))
LABELS = {name: randomization_style(name).label for name in FIVE}

TEST_SETS = (
    "Test accuracy is on the true test images and labels; for shuffled pixels on the test images shuffled by the same "
    "permutation, as in the paper."
)


def generalization_metric(randomization: str) -> str:
    """The test accuracy that says whether a network generalizes in this setting."""
    return "test_randomized/accuracy" if randomization == "ShuffledPixels" else "test/accuracy"
