"""What the architectures are called, without torch."""

import subprocess
import sys

import pytest

import rethink.models
from rethink.discovery import subclasses
from rethink.models.classifier import Classifier
from rethink.models.names import ARCHITECTURES, architecture, label


@pytest.mark.parametrize(
    ("kind", "options", "name"),
    [
        ("MLP", {}, "MLP 1x512"),
        ("MLP", {"hidden_sizes": [512, 512, 512]}, "MLP 3x512"),
        ("MLP", {"hidden_sizes": [64, 32]}, "MLP 64-32"),
        ("WideResNet", {"depth": 16, "width": 2}, "WideResNet 16-2"),
        ("SmallInception", {"batch_norm": False}, "SmallInception"),
        ("mine.models.Linear", {}, "mine.models.Linear"),
    ],
)
def test_an_architecture_is_called_by_class_and_size(kind, options, name):
    assert architecture(kind, options) == name


def test_every_class_at_its_defaults_has_names():
    """So that none is forgotten: a new class of the package gets an entry, or is called by its class knowingly."""
    for kind in subclasses(rethink.models, Classifier):
        if kind != "Classifier":
            assert architecture(kind, {}) in ARCHITECTURES
    assert label("SmallInception") == "small Inception"
    assert label("Linear") == "Linear"


def test_names_need_no_torch():
    code = "import sys, rethink.models.names; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
