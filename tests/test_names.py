"""What the architectures are called, without torch; and that a variable says what it is."""

import ast
import subprocess
import sys
from pathlib import Path

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


@pytest.mark.parametrize("module", ["models.names", "runs.setting"])
def test_names_need_no_torch_whatever_is_imported_first(module):
    code = f"import sys, rethink.{module}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


VAGUE = {"found", "each", "one", "some", "its", "said", "told", "known", "anything", "stuff", "thing"}
ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("room", ["rethink", "experiments"])
def test_variables_are_called_by_what_they_are(room):
    """A name that says nothing is left in no function, comprehension or signature."""
    vague = [
        f"{path.relative_to(ROOT)}:{node.lineno}: {name}"
        for path in sorted((ROOT / room).rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if (name := _named(node)) in VAGUE
    ]
    assert vague == []


def _named(node: ast.AST) -> str | None:
    """What a node gives a name to: a variable that is assigned, or an argument."""
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        return node.id
    return node.arg if isinstance(node, ast.arg) else None
