"""The bench of Inception V3 on a GPU: its code runs on a CPU too, on small images, and says why it is left out."""

import importlib
from typing import Any

import pytest
import torch
from image_trees import write_tree


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend("experiments/speed")
    return importlib.import_module("gpu")


def test_where_nothing_can_be_measured_it_says_why(gpu, tmp_path, monkeypatch):
    monkeypatch.setenv("RETHINK_DATA", str(tmp_path))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert "no CUDA device" in gpu.missing()
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert "rethink data get imagenet-samples" in gpu.missing()
    (tmp_path / "imagenet-samples").mkdir()
    assert gpu.missing() == ""


@pytest.mark.slow
def test_both_contestants_train(gpu, tmp_path, monkeypatch):
    monkeypatch.setenv("RETHINK_DATA", str(tmp_path))
    asked = []
    monkeypatch.setattr(torch.nn.Module, "compile", lambda self: asked.append(self))
    write_tree(tmp_path / "imagenet-samples", train=4, test=3, side=90)
    ours, theirs = gpu.turns(1, 1, side=75, batch=3, workers=1, compiled=True)
    assert len(asked) == 1
    assert min(*ours, *theirs) > 0
