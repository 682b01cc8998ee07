"""Images in folders: the same numbers resident and streamed, for any number of workers; what the network is fed."""

import time
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from image_trees import write_tree
from PIL import Image
from test_training import train

from rethink.data import ImageFolder
from rethink.data.image_files import read_image
from rethink.data.image_list import ImageList
from rethink.errors import UserError
from rethink.models import MLP
from rethink.randomization import (
    GaussianPixels,
    PartiallyCorruptedLabels,
    RandomLabels,
    RandomPixels,
    ShuffledPixels,
    TrueLabels,
)

SIZE = 16


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tree(tmp_path_factory.mktemp("images"))


def folder(tree: Path, **options: Any) -> ImageFolder:
    return ImageFolder(**{"folder": str(tree), "size": SIZE, "batch_size": 10} | options)


def weights(data: ImageFolder, augmentation: str = "inception") -> list[torch.Tensor]:
    model = MLP([8], augmentation=augmentation, image_shape=data.image_shape, num_classes=data.num_classes)
    train(model, data, max_epochs=2)
    return [p.detach().clone() for p in model.network.parameters()]


@pytest.mark.parametrize(
    "randomization",
    [
        *(RandomLabels(1), ShuffledPixels(1, region="full"), RandomPixels(1, region="full")),
        GaussianPixels(1, region="full"),
    ],
    ids=lambda r: type(r).__name__,
)
def test_resident_and_streamed_end_with_the_same_weights(tree, randomization):
    kept = folder(tree, randomization=randomization, resident=True)
    streamed = folder(tree, randomization=randomization, resident=False, workers=1, steps_per_call=2)
    expected = weights(kept)
    assert all(torch.equal(a, b) for a, b in zip(expected, weights(streamed), strict=True))
    assert kept.digests == streamed.digests
    assert type(kept.splits["train"]).__name__ == "ResidentSplit"
    assert type(streamed.splits["train"]).__name__ == "StreamedSplit"


@pytest.mark.parametrize("workers", [0, 2])
def test_workers_make_no_difference(tree, workers):
    expected = weights(folder(tree, resident=False, workers=1))
    assert all(
        torch.equal(a, b) for a, b in zip(expected, weights(folder(tree, resident=False, workers=workers)), strict=True)
    )


def test_the_evaluation_sees_the_centre_from_minus_one_to_one(tree):
    data = folder(tree)
    data.setup()
    split = data.splits["test_randomized"]
    path = sorted((tree / "val").glob("*/*.jpg"))[3]
    square, aspect = read_image(path, data.stored_size)
    with Image.open(path) as image:
        assert aspect == image.width / image.height
        by_hand = image.resize((18, 18), Image.Resampling.BILINEAR)
    assert data.stored_size == 18
    assert np.abs(square.astype(int) - np.asarray(by_hand)).mean() < 8  # the codec halves, then the filter goes on
    expected = torch.from_numpy(square[1:17, 1:17].copy()).permute(2, 0, 1) / 127.5 - 1
    torch.testing.assert_close(split.prepare(torch.tensor([3]))[0], expected)
    assert split.labels[3] == 0
    assert split.name == "test_randomized"


def test_what_fits_into_memory_is_kept_there(tree, monkeypatch):
    from rethink.training import memory

    for there, kind in ((10**9, "ResidentSplit"), (10**4, "StreamedSplit")):
        monkeypatch.setattr(memory, "available", lambda device, there=there: there)
        data = folder(tree)
        data.setup()
        assert type(data.splits["train"]).__name__ == kind


def test_the_digest_is_of_labels_files_and_pixels(tree, tmp_path):
    def digest(place: Path, **options: Any) -> str:
        data = folder(place, **options)
        data.setup()
        return data.digests["train"]

    copy = write_tree(tmp_path)
    first = digest(tree)
    assert digest(copy) == first  # elsewhere
    assert digest(tree, randomization=RandomLabels(1)) != first
    assert digest(tree, randomization=ShuffledPixels(1)) != first
    assert digest(tree, randomization=TrueLabels(), train_size=20) != first
    (copy / "train" / "class1" / "001.jpg").rename(copy / "train" / "class1" / "new.jpg")
    assert digest(copy) != first


@pytest.mark.parametrize("randomization", [ShuffledPixels(1), GaussianPixels(1)], ids=["shuffled", "gaussian"])
def test_an_augmentation_needs_the_whole_image_randomized(tree, randomization):
    with pytest.raises(UserError, match="region full"):
        weights(folder(tree, randomization=randomization))


def test_other_pipelines_switches_are_refused(tree):
    with pytest.raises(UserError, match="augmentation none or inception"):
        weights(folder(tree), augmentation="random_crop")


def test_a_million_names_take_little_memory_and_time():
    """As many as ImageNet has: synthetic names, labels corrupted and hashed."""
    n = 1_281_167
    names = b"".join(b"n%08d/n%08d_%07d.JPG" % (i % 1000, i % 1000, i) for i in range(n))
    every = np.arange(n)
    files = ImageList(Path("train"), tuple(map(str, range(1000))), names, (every + 1) * 31, every % 1000, every, every)
    tracemalloc.start()
    start = time.process_time()
    labels = torch.from_numpy(files.labels)
    given, corrupted = PartiallyCorruptedLabels(0.5, 1).labels(labels, torch.arange(n), 1000, "train")
    seconds = time.process_time() - start
    files.fingerprint()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert files.name(n - 1) == "n00000166/n00000166_1281166.JPG"
    assert 0.499 < (given != labels).double().mean() / 0.999 < 0.501
    assert corrupted.dtype == torch.bool
    assert seconds < 1  # 0.1 on a quiet core
    assert peak < 200e6
