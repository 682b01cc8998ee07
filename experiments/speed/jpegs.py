"""Images per CPU second from JPEG files and from a packed copy, beside torchvision's pipeline for training.

The same files, the same transforms in kind (a random part, resized to 299; a flip; brightness, contrast, saturation and
hue; values in [-1, 1]), batches of 32, all in one process, so that the cores are the same. torchvision's is that of its
references, image by image with PIL; ours decodes image by image and does the rest on the whole batch.
`python experiments/speed/jpegs.py` prints the rates alone, and the memory before and after 50 epochs with workers.
"""

import io
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torchvision import datasets, transforms

from rethink.data import ImageFolder
from rethink.data.image_list import ImageList
from rethink.data.packed import cache
from rethink.data.pipelines.pipeline import Switches
from rethink.data.split import Split
from rethink.randomization import PartiallyCorruptedLabels
from rethink.training.allocator import keep_freed_memory

SAMPLES = "imagenet-samples"
SIZE, BATCH = 299, 20
GOALS = {"files": 1.5, "packed copy": 4.0}
MEMORY_GOAL = 1.02  # after 20 epochs, as a multiple of that after one
MILLION = 1_281_167  # training images of ImageNet


def turns(rounds: int) -> Iterator[tuple[str, float, list[float], list[float]]]:
    """What is measured, the goal, and images per second of ours and of torchvision's, a pair a round.

    Nothing where the images are not there.
    """
    sets = Path(os.environ.get("RETHINK_DATA") or "data")
    if not (sets / SAMPLES).is_dir():
        return
    with tempfile.TemporaryDirectory() as folder:
        copied = Path(folder)
        shutil.copytree(sets / SAMPLES, copied / SAMPLES)
        theirs = _theirs(copied / SAMPLES / "train")
        for name in GOALS:
            if name == "packed copy":
                cache(copied / SAMPLES, ImageFolder(SAMPLES, root=copied).copy, workers=0)
            split = _streamed(copied).splits["train"]
            for what, ours in (
                (f"{name}, all on the CPU", partial(_prepare, split)),
                (f"{name}, what is left to the CPU beside a GPU", partial(_read, split)),
            ):
                rates = [(_rate(ours), _rate(theirs)) for _ in range(rounds)]
                yield what, GOALS[name], [rate for rate, _ in rates], [rate for _, rate in rates]


def _streamed(sets: Path, workers: int = 0) -> ImageFolder:
    data = ImageFolder(SAMPLES, size=SIZE, resident=False, workers=workers, root=sets)
    data.setup()
    return data


def _prepare(split: Split, epoch: int) -> Tensor:
    return split.prepare(torch.arange(len(split)), Switches("inception"), epoch)


def _read(split: Split, epoch: int) -> Tensor:
    return split.stored(torch.arange(len(split))).images


def _theirs(folder: Path) -> Callable[[int], Tensor]:
    transform = transforms.Compose(
        [
            transforms.RandomResizedCrop(SIZE, scale=(0.05, 1)),
            transforms.RandomHorizontalFlip(),
            transforms.ColorJitter(brightness=32 / 255, contrast=0.5, saturation=0.5, hue=0.2),
            transforms.PILToTensor(),
            transforms.ConvertImageDtype(torch.float),
            transforms.Normalize([0.5] * 3, [0.5] * 3),
        ]
    )
    images = datasets.ImageFolder(folder, transform)
    return lambda epoch: torch.stack([images[number][0] for number in range(BATCH)])


def _rate(batch: Callable[[int], Tensor], count: int = 4) -> float:
    start = time.process_time()
    for epoch in range(count):
        batch(epoch)
    return count * BATCH / (time.process_time() - start)


def memory_over_epochs(epochs: int) -> list[float]:
    """Resident memory of this process in MB after epochs that two workers read ahead; nothing without the images."""
    if not (Path(os.environ.get("RETHINK_DATA") or "data") / SAMPLES).is_dir():
        return []
    data = _streamed(Path(os.environ.get("RETHINK_DATA") or "data"), workers=2)
    split, measured = data.splits["train"], []
    for _ in range(epochs):
        for _ in split.ahead(torch.arange(len(split)).split(4)):
            pass
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        measured.append(pages * os.sysconf("SC_PAGE_SIZE") / 1e6)
    return measured


def million() -> tuple[float, float, float]:
    """Of as many synthetic names as ImageNet has: CPU seconds to read the list, to corrupt labels; MB of the list."""
    names = b"".join(b"n%08d/n%08d_%07d.JPEG" % (i % 1000, i % 1000, i) for i in range(MILLION))
    every = np.arange(MILLION)
    files = ImageList(Path(), tuple(map(str, range(1000))), names, (every + 1) * 32, every % 1000, every, every)
    file = io.BytesIO()
    files.save(file)
    file.seek(0)
    start = time.process_time()
    with np.load(file) as arrays:
        read = ImageList.read(arrays, Path())
    middle = time.process_time()
    PartiallyCorruptedLabels(0.5).labels(torch.from_numpy(read.labels), torch.from_numpy(every), 1000, "train")
    megabytes = (len(read.names) + sum(a.nbytes for a in (read.ends, read.labels, read.sizes, read.origin))) / 1e6
    return middle - start, time.process_time() - middle, megabytes


if __name__ == "__main__":
    torch.set_num_threads(1)
    keep_freed_memory()  # as every run does
    for name, goal, ours, theirs in turns(5):
        ratios = [a / b for a, b in zip(ours, theirs, strict=True)]
        print(
            f"{name}: {statistics.median(ours):.0f} images/s, torchvision {statistics.median(theirs):.0f}: "
            f"{statistics.median(ratios):.2f} times, from {min(ratios):.2f} to {max(ratios):.2f} (goal {goal})"
        )
    measured = memory_over_epochs(20)
    print("memory after epoch 1, 5, 20:", *(f"{megabytes:.0f} MB" for megabytes in measured[:1] + measured[4::15]))
    listed, corrupted, megabytes = million()
    print(
        f"list of {MILLION:,} files: read in {listed:.2f} s, {megabytes:.0f} MB; labels corrupted in {corrupted:.2f} s"
    )
