"""Inception V3 at 299 x 299 in bf16 on a GPU: images a second from a packed copy, and from images that are on it.

From the copy means all that a run does: worker processes read squares, which are sent to the GPU, cut, distorted and
trained on. The goal is 85 % of what the same step does on a batch that stays on the GPU. The copy is of the twenty
images of `imagenet-samples`, read again and again, so its pages are in memory.
`python experiments/speed/gpu.py` prints the rates alone, those with torch.compile too, and how fast torchvision decodes
JPEGs on the GPU.
"""

import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import torch
from jpegs import SAMPLES
from torch import Tensor

from rethink.data import ImageFolder
from rethink.data.packed import cache
from rethink.data.pipelines.pipeline import Switches
from rethink.data.split import Split
from rethink.models import InceptionV3
from rethink.training.recipes import TensorFlowRMSProp
from rethink.training.step import sgd_step

SIDE, BATCH = 299, 128
GOAL = 0.85  # of the rate from images that are on the GPU already
WORKERS = min(12, os.cpu_count() or 1)


def missing() -> str:
    """Why nothing can be measured here; empty where it can."""
    if not torch.cuda.is_available():
        return "Inception V3 in bf16 was not measured: there is no CUDA device."
    if not (_sets() / SAMPLES).is_dir():
        return f"Inception V3 in bf16 was not measured: `rethink data get {SAMPLES}`."
    return ""


def turns(
    rounds: int,
    steps: int = 30,
    *,
    side: int = SIDE,
    batch: int = BATCH,
    workers: int = WORKERS,
    compiled: bool = False,
) -> tuple[list[float], list[float]]:
    """Images a second from the packed copy, and from images that are there already, a pair a round.

    Args:
        rounds: Number of pairs.
        steps: SGD steps in each turn, after as many that warm up.
        side: Height and width of the images.
        batch: Images of a batch.
        workers: Processes that read.
        compiled: Whether torch.compile compiles the network.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / SAMPLES).symlink_to((_sets() / SAMPLES).absolute())
        data = ImageFolder(SAMPLES, size=side, resident=False, workers=workers, root=Path(folder))
        cache(data.place, data.copy, workers)
        data.setup()
        step = _step(side, device, compiled)
        split = data.splits["train"].to(device)
        pairs = [[_rate(batches(split, batch), step, steps) for batches in (_copied, _kept)] for _ in range(rounds)]
    return [ours for ours, _ in pairs], [theirs for _, theirs in pairs]


def _sets() -> Path:
    return Path(os.environ.get("RETHINK_DATA") or "data")


def _step(side: int, device: torch.device, compiled: bool) -> Callable[[Tensor, Tensor], None]:
    """An SGD step of the recipe of 2016, with the auxiliary head where the images are large enough for it."""
    head = side >= SIDE
    model = InceptionV3(aux_logits=head, image_shape=(3, side, side), num_classes=1000, recipe=TensorFlowRMSProp())
    network = model.network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = model.configure_optimizers()
    if compiled:
        network.compile()

    def step(images: Tensor, labels: Tensor) -> None:
        with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
            images = images.contiguous(memory_format=torch.channels_last)
            sgd_step(network, optimizer, images, labels, weight=1 / len(labels), auxiliary_weight=0.4 * head)

    return step


def _copied(split: Split, batch: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Batches as a run has them: read ahead, augmented."""
    every = torch.arange(10_000 * batch).remainder(len(split)).split(batch)
    for positions, stored in zip(every, split.ahead(every), strict=True):
        there = positions.to(split.labels.device)
        yield split.prepare(there, Switches("inception"), 0, stored), split.labels[there]


def _kept(split: Split, batch: int) -> Iterator[tuple[Tensor, Tensor]]:
    """The same batch again and again."""
    positions = torch.arange(batch, device=split.labels.device).remainder(len(split))
    images, labels = split.prepare(positions, Switches("inception")), split.labels[positions]
    while True:
        yield images, labels


def _rate(batches: Iterator[tuple[Tensor, Tensor]], step: Callable[[Tensor, Tensor], None], steps: int) -> float:
    images = 0
    for number, (pixels, labels) in zip(range(2 * steps), batches, strict=False):
        if number == steps:
            _wait()
            begun = time.perf_counter()
        step(pixels, labels)
        images += len(labels) * (number >= steps)
    _wait()
    return images / (time.perf_counter() - begun)


def _wait() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def decoding(rounds: int = 3, copies: int = 20) -> list[float]:
    """Images a second that torchvision decodes on the GPU, in lists of `copies` times the twenty images."""
    from torchvision.io import decode_jpeg, read_file

    files = [read_file(str(path)) for path in sorted((_sets() / SAMPLES / "train").glob("*/*.jpg"))] * copies
    rates = []
    for _ in range(rounds + 1):
        _wait()
        begun = time.perf_counter()
        decode_jpeg(files, device="cuda")
        _wait()
        rates.append(len(files) / (time.perf_counter() - begun))
    return rates[1:]


if __name__ == "__main__":
    if reason := missing():
        raise SystemExit(reason)
    print(torch.cuda.get_device_name())
    for compiled in (False, True):
        ours, theirs = turns(3, compiled=compiled)
        ratio = statistics.median(a / b for a, b in zip(ours, theirs, strict=True))
        print(
            f"{'compiled' if compiled else 'eager'}: from the copy {statistics.median(ours):.0f} images/s, on the GPU "
            f"already {statistics.median(theirs):.0f}: {ratio:.2f} (goal {GOAL})",
            flush=True,
        )
    with suppress(RuntimeError):  # a torchvision without nvJPEG
        print(f"decoded on the GPU: {statistics.median(decoding()):.0f} images/s")
