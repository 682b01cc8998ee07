"""Folders of real JPEGs: of CIFAR-10's images, and ImageNet's own twenty, where these are."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from rethink.cli import main
from rethink.data import ImageFolder, store, trees
from rethink.data.catalog import DATASETS, DataError

CIFAR, SAMPLES = Path("data/cifar10.bin"), Path("data/imagenet-samples")


@pytest.mark.skipif(not CIFAR.exists(), reason="CIFAR-10 is not there: `rethink data get cifar10` gets it")
def test_cifar_10_as_jpegs(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(trees, "_TRAIN", 3)
    monkeypatch.setattr(trees, "_TEST", 2)
    (tmp_path / "cifar10.bin").symlink_to(CIFAR.resolve())
    (tmp_path / ".cifar10-jpeg.partial" / "train").mkdir(parents=True)  # of a killed one
    main(["data", "get", "cifar10-jpeg", "--root", str(tmp_path)])
    assert "96 x 96" in capsys.readouterr().out
    data = ImageFolder("cifar10-jpeg", size=84, root=tmp_path)
    data.setup()
    assert data.lists[0].classes == tuple(sorted(DATASETS["cifar10"].class_names))
    assert [len(data.splits[name]) for name in ("train", "test_randomized")] == [30, 20]
    assert data.stored_size == 96
    path = data.lists[0].path(0)
    original = store.load(DATASETS["cifar10"]).train_images[int(path.stem)].numpy()
    with Image.open(path) as image:
        small = np.asarray(image.resize((32, 32), Image.Resampling.BOX)).astype(int)
    assert np.abs(small - original).mean() < 8
    assert trees.get("cifar10-jpeg", tmp_path) == tmp_path / "cifar10-jpeg"  # there already


def test_a_tree_that_cannot_be_made_is_not_there(tmp_path, monkeypatch):
    failed = subprocess.CompletedProcess([], 1, "", "one line\nERROR: No matching distribution\n")
    monkeypatch.setattr(trees.subprocess, "run", lambda *words, **options: failed)
    with pytest.raises(DataError, match="cannot be had with pip: ERROR: No matching distribution"):
        trees.get("imagenet-samples", tmp_path)
    assert not list(tmp_path.glob("*imagenet-samples*/"))


@pytest.mark.skipif(not SAMPLES.exists(), reason=f"{SAMPLES} is not there: `rethink data get {SAMPLES.name}` gets it")
def test_images_of_imagenet_are_read_and_prepared(tmp_path):
    data = ImageFolder(SAMPLES.name, root=SAMPLES.parent)
    data.setup()
    assert (len(data.splits["train"]), data.num_classes) == (20, 19)  # two are of class 609
    images = data.splits["train"].prepare(torch.arange(4))
    assert images.shape == (4, 3, 299, 299)
    assert images.min() < -0.5
    assert images.max() > 0.5
    broken = tmp_path / "samples"
    shutil.copytree(SAMPLES, broken)
    path = next((broken / "train").glob("*/*.jpg"))
    path.write_bytes(path.read_bytes()[:-1000])
    again = ImageFolder(str(broken), skip_damaged=True, root=tmp_path)
    again.setup()
    assert again.noted["damaged"] == [str(path.relative_to(broken))]
