"""How fast training is on this machine, as ratios to plain ways of writing it: `make bench`.

    python experiments/speed/bench.py [--quick] [--networks MLP SmallAlexNet] [--rounds 5] [--threads 2]

Contestants take turns in one process, round by round; a ratio is of two turns of the same round, so that
what else the machine does meets both. The table has the median over the rounds, the least and the largest.
On a busy machine say `--threads 1`: threads that wait for each other at every operation measure the
scheduler.

- "step": index gather, preprocessing and `sgd_step` at batch 128, in bf16 autocast where the processor
  multiplies it (`rethink.training.precision`) and channels_last, as `Classifier.training_step` does it. Against it:
    (a) "PIL loop", in the style of the first author's public demo (github.com/pluskid/fitting-random-labels):
        every image a PIL image that torchvision's transforms crop and turn into a tensor, here with the
        paper's per-image standardization; a DataLoader with one worker; float32 in torch's default memory
        order, torch's own local response normalization; numbers fetched at every step;
    (b) "fp32 NCHW": our step in float32, images and weights contiguous, with the same normalization as (a).
- "epoch": an epoch on a subset of the training images, then the evaluation of this subset and of a test
  subset, against (a) on the same images.
- "Trainer": an epoch of `Trainer.fit` with the callbacks of the command line, from one end of an epoch to
  the next, against a bare loop around the same step and the same evaluations. Start-up is not in it.
- "Load CIFAR-10": what a run does when the data set is there: read it and verify its checksums.
- "kernel machine": MNIST's pixels, solved exactly, against the first author's snippet for scipy (kernels.py). Left out
  where MNIST is not in the store.
- "fit --print_config", "show", "sweep plan": CPU time of the commands from their start to their end, which nothing else
  on the machine disturbs; the first against `import torch` (commands.py).
- "JPEGs": images a CPU second through the pipeline of Inception, against torchvision's (jpegs.py).
- "Inception V3": images a second of training on a GPU, from a packed copy against images that are on it (gpu.py).

It writes `bench.json` (every turn) and `bench.md` (the table) into results/bench/, and exits with 0
whatever the ratios are: a speed is not a test. Without CIFAR-10 in the store the images are generated, and
a note says so.

To add a measurement, write a function from a `Setting` to rows and name it in `MEASUREMENTS`.
"""

import argparse
import contextlib
import io
import json
import logging
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import commands  # these four are beside this script
import gpu
import jpegs
import kernels
import torch
import torch.nn.functional as F
from lightning.pytorch import Callback, Trainer
from PIL import Image
from rich.console import Console
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from rethink import models
from rethink.callbacks.best_test_accuracy import BestTestAccuracy
from rethink.callbacks.checkpoint import RunCheckpoint
from rethink.callbacks.convergence import Convergence
from rethink.callbacks.history import History
from rethink.callbacks.label_corruption import LabelCorruption
from rethink.callbacks.progress import ProgressDisplay
from rethink.callbacks.record import Record
from rethink.data import CIFAR10, ImageDataModule, Synthetic
from rethink.data.catalog import DataError
from rethink.data.split import Split
from rethink.files import write_text
from rethink.models import Classifier
from rethink.models.layers import LocalResponseNorm
from rethink.report.tables import Column, Table
from rethink.runs.environment import describe
from rethink.training.allocator import keep_freed_memory
from rethink.training.checkpoints import VerifiedCheckpointIO
from rethink.training.metrics import Evaluation
from rethink.training.precision import probe
from rethink.training.step import sgd_step

BATCH = 128
NETWORKS = {
    "SmallInception": "Inception",
    "SmallAlexNet": "AlexNet",
    "MLP": "MLP 1x512",
    "WideResNet": "WRN-28-1",
}
PIL_LOOP, PLAIN_STEP = "PIL loop", "fp32 NCHW"
STEP_GOALS = {("SmallInception", PIL_LOOP): 2.2, ("SmallAlexNet", PLAIN_STEP): 2.8}
EPOCH_GOAL = 4.0
LIGHTNING_GOAL = 1.05
LOAD_GOAL = 0.5  # seconds


@dataclass(frozen=True)
class Setting:
    """What is measured on what."""

    data: ImageDataModule
    networks: list[str]
    rounds: int
    seconds: float
    autocast: bool
    subset: int
    environment: dict[str, Any] = field(default_factory=dict)
    skipped: list[str] = field(default_factory=list)

    def model(self, name: str = "MLP") -> Classifier:
        model: Classifier = getattr(models, name)()
        return model


@dataclass(frozen=True)
class Row:
    """The turns of two contestants, a pair a round; rates want a ratio over the goal, durations one below."""

    measured: str
    against: str | None
    unit: str
    ours: list[float]
    theirs: list[float]
    goal: float | None = None

    @property
    def wants_more(self) -> bool:
        return self.unit == "images/s"

    @property
    def judged(self) -> list[float]:
        """Ratios to the other contestant of each round; our own values where there is none."""
        if self.against is None:
            return self.ours
        return [ours / theirs for ours, theirs in zip(self.ours, self.theirs, strict=True)]

    @property
    def met(self) -> bool | None:
        if self.goal is None:
            return None
        value = statistics.median(self.judged)
        return value >= self.goal if self.wants_more else value <= self.goal


# The measurements.


def training_steps(setting: Setting) -> Iterator[Row]:
    """Images per second of the step of each network, against (a) and (b)."""
    train = setting.data.splits["train"]
    for name in setting.networks:
        contestants: dict[str, Callable[[], Iterator[int]]] = {
            "ours": _our_steps(setting.model(name), train, autocast=setting.autocast),
            PIL_LOOP: _pil_steps(setting.model(name), train),
            PLAIN_STEP: _plain_steps(setting.model(name), train),
        }
        rates: dict[str, list[float]] = {contestant: [] for contestant in contestants}
        for _ in range(setting.rounds):
            for contestant, steps in contestants.items():
                rates[contestant].append(_rate(steps(), setting.seconds))
        for against in (PIL_LOOP, PLAIN_STEP):
            yield Row(
                f"{NETWORKS[name]}, step",
                against,
                "images/s",
                rates["ours"],
                rates[against],
                STEP_GOALS.get((name, against)),
            )


def epochs(setting: Setting) -> Iterator[Row]:
    """Images per second of the MLP over an epoch with its evaluations, against (a)."""
    train, test = (_first(setting.data.splits[n], setting.subset) for n in ("train", "test_randomized"))
    ours, theirs = setting.model(), setting.model()
    plain = torch.optim.SGD(theirs.network.parameters(), lr=theirs.recipe.learning_rate, momentum=0.9)
    loaders = [_pil_loader(train, shuffle=True), _pil_loader(test, shuffle=False)]
    optimizer = ours.configure_optimizers()

    def our_epoch() -> None:
        _bare_epoch(ours.network, optimizer, train, [train, test], autocast=setting.autocast)

    def their_epoch() -> None:
        for _ in _pil_epoch(theirs.network, plain, loaders[0]):
            pass
        for loader in loaders:
            _pil_evaluation(theirs.network, loader)

    our_epoch()  # warm-up
    durations: list[list[float]] = [[], []]
    for _ in range(setting.rounds):
        for turns, epoch in zip(durations, (our_epoch, their_epoch), strict=True):
            turns.append(_seconds(epoch))
    rates = [[len(train) / seconds for seconds in turns] for turns in durations]
    yield Row("MLP 1x512, epoch", PIL_LOOP, "images/s", rates[0], rates[1], EPOCH_GOAL)


def lightning(setting: Setting) -> Iterator[Row]:
    """Seconds of an epoch of the MLP in `Trainer.fit`, against a plain loop."""
    bare = setting.model()
    bare.network.to(memory_format=torch.channels_last)
    optimizer = bare.configure_optimizers()
    splits = setting.data.splits

    def bare_epoch() -> None:
        evaluated = list(splits.values())
        _bare_epoch(bare.network, optimizer, splits["train"], evaluated, autocast=setting.autocast)

    alternate = Alternate(bare_epoch)
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stderr(io.StringIO()):
        trainer = _trainer(setting, Path(folder), alternate)
        trainer.fit(setting.model(), datamodule=setting.data)
    setting.environment.update(describe(trainer))
    # The first epoch warms up.
    yield Row(
        "MLP 1x512, Trainer",
        "bare loop",
        "s",
        alternate.lightning[1:],
        alternate.other[1:],
        LIGHTNING_GOAL,
    )


def loading(setting: Setting) -> Iterator[Row]:
    """Seconds until CIFAR-10 is there, verified, in memory."""
    if isinstance(setting.data, CIFAR10):
        data = CIFAR10(root=setting.data.root)

        def load() -> None:
            data.prepare_data()
            data.load()

        yield Row("Load CIFAR-10", None, "s", [_seconds(load) for _ in range(setting.rounds)], [], LOAD_GOAL)


def kernel_machine(setting: Setting) -> Iterator[Row]:
    """Seconds of an exact kernel machine of MNIST, against the first author's snippet; left out without MNIST."""
    with contextlib.suppress(DataError):
        ours, theirs = kernels.turns(kernels.N, min(setting.rounds, 3))
        yield Row(f"kernel machine, n = {kernels.N:,}", "scipy", "s", ours, theirs, kernels.GOAL)


def terminal(setting: Setting) -> Iterator[Row]:
    """Seconds of CPU that commands take to start, to list and to plan."""
    rounds = min(setting.rounds, 3)
    ours, torch_alone = commands.starts(rounds)
    yield Row("fit --print_config", "import torch", "s", ours, torch_alone, commands.START_GOAL)
    newest, best = commands.lists(rounds)
    yield Row(f"show, {commands.RUNS:,} runs", None, "s", newest, [], commands.SHOW_GOAL)
    yield Row(f"show with a filter, {commands.RUNS:,} runs", None, "s", best, [])
    first, again = commands.plans()
    yield Row("sweep plan, 310 jobs", None, "s", [first], [], commands.PLAN_GOAL)
    yield Row("sweep plan, again", None, "s", [again], [])


def image_files(setting: Setting) -> Iterator[Row]:
    """Images per CPU second from JPEGs and from a packed copy; left out without `rethink data get imagenet-samples`."""
    for name, goal, ours, theirs in jpegs.turns(min(setting.rounds, 3)):
        yield Row(f"JPEGs: {name}", "torchvision", "images/s", ours, theirs, goal)
    measured = jpegs.memory_over_epochs(20)
    if measured:
        yield Row("JPEGs: memory after 20 epochs", "after one", "MB", measured[-1:], measured[:1], jpegs.MEMORY_GOAL)
    listed, corrupted, megabytes = jpegs.million()
    yield Row(f"list of {jpegs.MILLION:,} files, read", None, "s", [listed], [])
    yield Row(f"list of {jpegs.MILLION:,} files, memory", None, "MB", [megabytes], [])
    yield Row(f"labels of {jpegs.MILLION:,} files, half of them drawn anew", None, "s", [corrupted], [], 1.0)


def inception_on_a_gpu(setting: Setting) -> Iterator[Row]:
    """Images per second of Inception V3 at 299 in bf16, from the packed copy; where that cannot be, a note says why."""
    if reason := gpu.missing():
        setting.skipped.append(reason)
        return
    ours, theirs = gpu.turns(min(setting.rounds, 3))
    yield Row("Inception V3, 299, packed copy", "images on the GPU", "images/s", ours, theirs, gpu.GOAL)


MEASUREMENTS = (training_steps, epochs, lightning, loading, kernel_machine, terminal, image_files, inception_on_a_gpu)


# Ours: the step as `Classifier.training_step` takes it.


def _our_steps(model: Classifier, split: Split, *, autocast: bool) -> Callable[[], Iterator[int]]:
    network = model.network.to(memory_format=torch.channels_last)
    optimizer = model.configure_optimizers()

    def steps() -> Iterator[int]:
        for positions in _batches(split):
            with _autocast(autocast):
                images = split.prepare(positions)
                sgd_step(network, optimizer, images, split.labels[positions], weight=1 / len(positions))
            yield len(positions)

    return steps


def _bare_epoch(
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    train: Split,
    evaluated: list[Split],
    *,
    autocast: bool,
) -> None:
    """One epoch and its evaluations without Lightning."""
    network.train()
    with _autocast(autocast):
        for positions in torch.randperm(len(train)).split(BATCH):
            images = train.prepare(positions)
            sgd_step(network, optimizer, images, train.labels[positions], weight=1 / len(positions))
    network.eval()
    with torch.inference_mode(), _autocast(autocast):
        for split in evaluated:
            evaluation = Evaluation()
            for chunk in torch.arange(len(split)).split(500):
                logits = network(split.prepare(chunk))
                evaluation.update(logits, split.labels[chunk], split.true_labels[chunk], split.corrupted[chunk])
            evaluation.compute()


# (a): a loop in the style of the public demo.


class PILImages(Dataset[tuple[Tensor, int]]):
    """A split image by image, as torchvision's data sets give them."""

    def __init__(self, split: Split) -> None:
        self.images = split.read(torch.arange(len(split))).numpy()
        self.labels = split.labels.tolist()
        self.transform = transforms.Compose([transforms.CenterCrop(28), transforms.ToTensor(), self.standardize])

    @staticmethod
    def standardize(image: Tensor) -> Tensor:
        return (image - image.mean()) / image.std(correction=0).clamp_min(image.numel() ** -0.5)

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self.transform(Image.fromarray(self.images[index])), self.labels[index]


def _pil_loader(split: Split, *, shuffle: bool) -> DataLoader[tuple[Tensor, int]]:
    return DataLoader(PILImages(split), batch_size=BATCH, shuffle=shuffle, num_workers=1)


def _pil_steps(model: Classifier, split: Split) -> Callable[[], Iterator[int]]:
    network = _stock(model.network)
    optimizer = torch.optim.SGD(network.parameters(), lr=model.recipe.learning_rate, momentum=0.9)
    loader = _pil_loader(split, shuffle=True)

    def steps() -> Iterator[int]:
        while True:
            yield from _pil_epoch(network, optimizer, loader)

    return steps


def _pil_epoch(
    network: nn.Module, optimizer: torch.optim.Optimizer, loader: DataLoader[tuple[Tensor, int]]
) -> Iterator[int]:
    network.train()
    total = correct = 0.0
    for images, labels in loader:
        logits = network(images)
        loss = F.cross_entropy(logits, labels)
        total += loss.item() * len(labels)
        correct += (logits.argmax(1) == labels).sum().item()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        yield len(labels)


@torch.no_grad()
def _pil_evaluation(network: nn.Module, loader: DataLoader[tuple[Tensor, int]]) -> None:
    network.eval()
    total = correct = 0.0
    for images, labels in loader:
        logits = network(images)
        total += F.cross_entropy(logits, labels).item() * len(labels)
        correct += (logits.argmax(1) == labels).sum().item()


# (b): our step in float32, everything contiguous.


def _plain_steps(model: Classifier, split: Split) -> Callable[[], Iterator[int]]:
    network = _stock(model.network)
    optimizer = model.configure_optimizers()

    def steps() -> Iterator[int]:
        for positions in _batches(split):
            images = split.prepare(positions).contiguous()
            sgd_step(network, optimizer, images, split.labels[positions], weight=1 / len(positions))
            yield len(positions)

    return steps


def _stock(network: nn.Module) -> nn.Module:
    """The network with torch's own local response normalization."""
    for module in list(network.modules()):
        for name, child in module.named_children():
            if isinstance(child, LocalResponseNorm):
                setattr(module, name, nn.LocalResponseNorm(9, alpha=0.001, beta=0.75, k=1.0))
    return network


# (c): Lightning as the command line builds it.


class Alternate(Callback):
    """After each epoch of Lightning, one of another loop, off Lightning's clock."""

    def __init__(self, epoch: Callable[[], None]) -> None:
        self.epoch = epoch
        self.lightning: list[float] = []
        self.other: list[float] = []
        self._started = 0.0

    def on_train_epoch_start(self, trainer: Trainer, pl_module: Any) -> None:
        if trainer.current_epoch == 0:
            self._started = time.perf_counter()

    def on_train_epoch_end(self, trainer: Trainer, pl_module: Any) -> None:
        self.lightning.append(time.perf_counter() - self._started)
        self.other.append(_seconds(self.epoch))
        self._started = time.perf_counter()


def _trainer(setting: Setting, folder: Path, alternate: Alternate) -> Trainer:
    return Trainer(
        default_root_dir=folder,
        max_epochs=setting.rounds + 1,
        accelerator="cpu",
        precision="bf16-mixed" if setting.autocast else "32-true",
        callbacks=[
            Convergence(),
            BestTestAccuracy(),
            LabelCorruption(),
            History(),
            Record(),
            ProgressDisplay(),
            alternate,
            RunCheckpoint(),
        ],
        plugins=[VerifiedCheckpointIO()],
        logger=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
    )


# Time and data.


def _rate(steps: Iterator[int], seconds: float) -> float:
    """Images per second of as many steps as fit, two at least; the first one warms up."""
    next(steps)
    images, count = 0, 0
    start = time.perf_counter()
    while count < 2 or time.perf_counter() - start < seconds:
        images, count = images + next(steps), count + 1
    return images / (time.perf_counter() - start)


def _seconds(call: Callable[[], None]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def _batches(split: Split) -> Iterator[Tensor]:
    """Full batches without end."""
    while True:
        yield from torch.randperm(len(split))[: len(split) // BATCH * BATCH].split(BATCH)


def _autocast(enabled: bool) -> torch.autocast:
    return torch.autocast("cpu", torch.bfloat16, enabled=enabled, cache_enabled=False)


def _first(split: Split, count: int) -> Split:
    tensors: dict[str, Any] = {name: value[:count] for name, value in vars(split).items() if isinstance(value, Tensor)}
    return replace(split, **tensors)


def _data(train_size: int | None) -> ImageDataModule:
    """CIFAR-10 from the store, or generated images where it is not there; never from the network."""
    data: ImageDataModule = CIFAR10(train_size=train_size)
    try:
        data.setup()
    except DataError:
        data = Synthetic(num_train=10_000, num_test=10_000)
        data.setup()
    return data


# The report.


def _table(rows: list[Row], setting: Setting, load: float) -> Table:
    machine = setting.environment
    notes = [
        f"{machine['device']}; threads: {machine['threads']}; load average {load:.1f} when it began "
        "(what other processes took; 0 is a quiet machine).",
        ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
        + f", commit {machine['git_commit']}.",
        f"Images per second, or seconds: medians of {setting.rounds} interleaved rounds; a ratio is ours to "
        "theirs within a round.",
    ]
    if not setting.autocast:
        notes.append("This processor does not multiply bf16: ours is float32 too; the goals are for bf16.")
    if not isinstance(setting.data, CIFAR10):
        notes.append("CIFAR-10 is not in the store: the images are generated. `rethink data get cifar10`.")
    notes += setting.skipped
    columns = [
        Column.text("measured", "measured"),
        Column.text("against", "against"),
        Column("ours", "ours"),
        Column("theirs", "theirs"),
        Column("ratio", "ratio", format=".2f"),
        Column("min–max", "range"),
        Column("goal", "goal"),
        Column("met", "met"),
    ]
    return Table(columns, [_cells(row) for row in rows], "Speed of training, side by side", notes)


def _cells(row: Row) -> list[str | float | None]:
    def value(turns: list[float]) -> str | None:
        if not turns:
            return None
        median = statistics.median(turns)
        if not row.wants_more:
            return f"{median:.2f} {row.unit}"
        return f"{median / 1000:.1f}k/s" if median >= 10_000 else f"{median:.0f}/s"

    goal = None if row.goal is None else f"{'≥' if row.wants_more else '≤'} {row.goal:g}"
    return [
        row.measured,
        row.against,
        value(row.ours),
        value(row.theirs),
        statistics.median(row.judged) if row.against else None,
        f"{min(row.judged):.2f}–{max(row.judged):.2f}",
        goal,
        None if row.met is None else "yes" if row.met else "no",
    ]


def _json(rows: list[Row], setting: Setting, load: float) -> str:
    content = {
        "environment": setting.environment,
        "load_average": load,
        "data": type(setting.data).__name__,
        "rounds": setting.rounds,
        "seconds": setting.seconds,
        "rows": [
            vars(row) | {"judged": {f.__name__: f(row.judged) for f in (statistics.median, min, max)}, "met": row.met}
            for row in rows
        ],
    }
    return json.dumps(content, indent=2) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the speed of training, as ratios.")
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, help="default: all four")
    parser.add_argument("--rounds", type=int, help="turns of each contestant (default: 5)")
    parser.add_argument("--seconds", type=float, help="length of a turn (default: 2)")
    parser.add_argument("--threads", type=int, help="threads of torch (default: all)")
    parser.add_argument("--output", type=Path, default=Path("results/bench"), help="default: results/bench")
    parser.add_argument("--quick", action="store_true", help="in a minute: short turns, two networks")
    options = parser.parse_args()
    keep_freed_memory()
    quick = options.quick
    load = os.getloadavg()[0]
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    setting = Setting(
        data=_data(train_size=10_000 if quick else None),
        networks=options.networks or (["SmallAlexNet", "MLP"] if quick else list(NETWORKS)),
        rounds=options.rounds or (3 if quick else 5),
        seconds=options.seconds or (0.5 if quick else 2.0),
        autocast=probe(torch.device("cpu")) == "bf16-mixed",
        subset=2_000 if quick else 10_000,
    )
    if options.threads:
        torch.set_num_threads(options.threads)
    console = Console(highlight=False)
    rows: list[Row] = []
    for measurement in MEASUREMENTS:
        for row in measurement(setting):
            rows.append(row)
            console.print(f"{row.measured} / {row.against or 'alone'}: {statistics.median(row.judged):.2f}")
    table = _table(rows, setting, load)
    write_text(options.output / "bench.json", _json(rows, setting, load))
    write_text(options.output / "bench.md", table.to_markdown())
    console.print(table.to_rich())
    console.print(f"\nWritten to {options.output}/bench.json and bench.md")


if __name__ == "__main__":
    main()
