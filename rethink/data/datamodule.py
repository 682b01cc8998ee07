"""The LightningDataModule that every data set shares: subset, hold out, randomize once, keep on the device."""

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from jsonargparse.typing import NonNegativeInt, PositiveInt
from lightning.pytorch import LightningDataModule
from torch import Tensor

from rethink import randomness
from rethink.data.ahead import read_ahead
from rethink.data.batches import EvaluationBatches, TrainingBatches
from rethink.data.checks import check_classes, checked
from rethink.data.pipelines.cifar import CifarPipeline
from rethink.data.pipelines.pipeline import Pipeline
from rethink.data.split import PixelChange, ResidentSplit, Split, StreamedSplit, changed_region
from rethink.data.store import Arrays, data_folder
from rethink.data.streams import Streams as Streams
from rethink.data.streams import reader
from rethink.errors import UserError
from rethink.randomization import Randomization, TrueLabels
from rethink.randomization.randomization import Part, PixelCounts
from rethink.training import lightning_internals


class ImageDataModule(LightningDataModule):
    """Images with classes, randomized once. Where they fit, they are resident on the training device.

    A data set is a subclass with `load`, in a file of its own, and a config in configs/data/. Images with another way
    to the network override `pipeline`.

    Args:
        randomization: What is done to labels or pixels, once. Default: TrueLabels.
        batch_size: Examples of a batch over all processes together. The last partial batch of an epoch is kept.
        train_size: Number of training images. Default: all that are not held out, as in the paper.
        test_size: Number of test images. Default: all, as in the paper.
        validation_size: Number of training images to hold out, for early stopping without the test set.
        subset_seed: Seed of the choice of these images. Smaller subsets are part of larger ones.
        leave_out: Position in the training set of an example that training goes without. All else is drawn alike: its
            batch is trained on the others. It is still evaluated with the training set.
        seed: Seed of the batch order. Default: that of `seed_everything`.
        steps_per_call: Optimizer steps in one call of `training_step`, hence between two points at which the run can
            be saved. Does not change the result. Where the trainer counts batches, as for a limit of them, it is 1.
        evaluation_batch_size: Images that are evaluated together. 500 fit the caches of a CPU and fill a GPU at these
            sizes of images.
        root: Folder of the data sets. Default: $RETHINK_DATA, or data/.
    """

    crop: ClassVar[int] = 28
    """Side of the window that the network sees (Appendix A)."""

    def __init__(
        self,
        randomization: Randomization | None = None,
        batch_size: PositiveInt = 128,
        train_size: PositiveInt | None = None,
        test_size: PositiveInt | None = None,
        validation_size: NonNegativeInt = 0,
        subset_seed: int = 0,
        leave_out: NonNegativeInt | None = None,
        seed: int | None = None,
        steps_per_call: PositiveInt = 16,
        evaluation_batch_size: PositiveInt = 500,
        root: Path | None = None,
    ) -> None:
        super().__init__()
        self.randomization = randomization or TrueLabels()
        self.batch_size = PositiveInt(batch_size)
        self.train_size = train_size
        self.test_size = test_size
        self.validation_size = validation_size
        self.subset_seed = subset_seed
        self.leave_out = leave_out
        self.seed = randomness.global_seed() if seed is None else seed
        self.steps_per_call = steps_per_call
        self.evaluation_batch_size = PositiveInt(evaluation_batch_size)
        self.root = root  # None: the store knows its default
        self.splits: dict[str, Split] = {}
        self.digests: dict[str, str] = {}

    # What a data set defines.

    image_shape: tuple[int, int, int]
    """(channels, height, width) of what the network sees. Where neither class nor constructor says it, as loaded."""
    num_classes: int
    """Number of classes. Where neither class nor constructor says it, the largest training label, and class 0."""

    if not TYPE_CHECKING:  # a type checker would take any name for an attribute

        def __getattr__(self, name: str) -> Any:
            """Reads off the data what is not said, when it is first asked for."""
            if name == "image_shape":
                images = reader(self._loaded, "train")(torch.arange(1)).images
                self.image_shape = tuple(self.pipeline(images.shape[1]).shown(images).permute(0, 3, 1, 2).shape[1:])
            elif name == "num_classes":
                self.num_classes = int(self._loaded.train_labels.max()) + 1
            else:
                raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")
            return vars(self)[name]

    def load(self) -> Arrays | Streams:
        """All original images and labels."""
        raise NotImplementedError(f"{type(self).__name__} does not say how to load its images.")

    def pipeline(self, side: int) -> Pipeline:
        """What the images go through before the network.

        Args:
            side: Height and width of the stored images.
        """
        if side < self.crop:
            raise UserError(
                f"{type(self).__name__} has images of {side}x{side}, and the network sees a window of "
                f"{self.crop}x{self.crop}. Set `crop`, or give the images another `pipeline`."
            )
        return CifarPipeline(side, self.crop, self._untouched_margin if side > self.crop else None)

    def resident(self, count: int) -> bool:
        """Whether so many images are read into memory, where `load` gives Streams."""
        return False

    @property
    def noted(self) -> dict[str, Any]:
        """What a record keeps of the data besides their digests."""
        return {}

    statistics_images: ClassVar[int | None] = None
    """Training images, chosen by a fixed seed, that the statistics of Gaussian pixels are of. Default: all."""

    # What Lightning calls.

    def setup(self, stage: str | None = None) -> None:
        """Builds the splits once; they do not depend on the stage, the rank or the training seed."""
        if not self.splits:
            self.splits = self._build()
            self.digests = {name: split.digest() for name, split in self.splits.items()}
        if self.trainer is not None:
            device = self.trainer.strategy.root_device
            self.splits = {name: split.to(device) for name, split in self.splits.items()}

    def train_dataloader(self) -> TrainingBatches:
        """Blocks of index batches of the randomized training set."""
        trainer = self.trainer
        return TrainingBatches(
            self.splits["train"],
            self.batch_size,
            self.seed,
            1 if trainer is not None and lightning_internals.counts_batches(trainer) else self.steps_per_call,
            *self._ranks(),
            position=lambda: lightning_internals.position(self._trainer()),
            leave_out=self.leave_out,
            in_order=trainer is not None and lightning_internals.overfits(trainer),
        )

    def val_dataloader(self) -> list[EvaluationBatches]:
        """Every split, in the order of `evaluated`."""
        return [EvaluationBatches(split, self.evaluation_batch_size, *self._ranks()) for split in self.splits.values()]

    def test_dataloader(self) -> list[EvaluationBatches]:
        """The same as for validation: the training set's own accuracy is half of the paper's point."""
        return self.val_dataloader()

    def predict_dataloader(self) -> EvaluationBatches:
        """The test set, untouched."""
        split = self.splits["test" if "test" in self.splits else "test_randomized"]
        return EvaluationBatches(split, self.evaluation_batch_size, *self._ranks())

    def state_dict(self) -> dict[str, Any]:
        """The digests go into every checkpoint."""
        return {"digests": self.digests}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Refuses to go on with other labels or images than the checkpoint was trained on."""
        for name, digest in state_dict["digests"].items():
            if digest != self.digests.get(name):
                raise UserError(
                    f"The checkpoint was trained on other data: its digest of {name!r} is {digest[:12]}, here it is "
                    f"{str(self.digests.get(name))[:12]}. Use the same --data options, or start anew with --force."
                )

    # How the splits are built.

    @cached_property
    def _loaded(self) -> Arrays | Streams:
        """Kept from when it is first asked for until the splits are built."""
        return checked(self.load(), type(self))

    @property
    def _untouched_margin(self) -> str | None:
        """The randomization that leaves what is around the centre of an image as it was."""
        partly = self.randomization.randomizes_images and self.randomization.region == "centre"
        return type(self.randomization).__name__ if partly else None

    def _build(self) -> dict[str, Split]:
        loaded = self._loaded
        _ = self.image_shape, self.num_classes  # read off the data while it is here
        check_classes(loaded, self.num_classes, type(self))
        train, validation = self._choose_training(len(loaded.train_labels))
        self._check_leave_out(len(train))
        test = _choose(len(loaded.test_labels), self.test_size, self.subset_seed, "test", "test_size")
        evaluated = len(test) * (2 if self.randomization.randomizes_images else 1)
        self._resident = self.resident(len(train) + len(validation) + evaluated)
        splits = {
            "train": self._split("train", "train", train, self.randomization),
            "test_randomized": self._split("test_randomized", "test", test, self.randomization),
        }
        if self.randomization.randomizes_images:  # otherwise the two test sets differ in labels only, which both keep
            splits["test"] = self._split("test", "test", test, TrueLabels())
        if len(validation):
            splits["validation"] = self._split("validation", "train", validation, self.randomization)
        vars(self).pop("_counts", None)
        del self._loaded
        return splits

    def _choose_training(self, available: int) -> tuple[Tensor, Tensor]:
        """Sorted indices of the training images, and of those held out: nested for a subset seed."""
        kept = available - self.validation_size if self.train_size is None else self.train_size
        if self.validation_size + kept > available or kept < 1:
            raise UserError(
                f"--data.train_size {self.train_size} and --data.validation_size {self.validation_size} do not fit: "
                f"{type(self).__name__} has {available} training images. Choose smaller ones."
            )
        order = randomness.tensor(randomness.permutation(randomness.key(self.subset_seed, "subset"), available))
        held_out, rest = order[: self.validation_size], order[self.validation_size :]
        return rest[:kept].sort().values, held_out.sort().values

    def _check_leave_out(self, size: int) -> None:
        if self.leave_out is None:
            return
        if self.leave_out >= size:
            raise UserError(
                f"--data.leave_out {self.leave_out} is no position in a training set of {size:,} examples. "
                f"Choose one from 0 to {size - 1}."
            )
        if self.batch_size == 1 or size % self.batch_size == 1:
            raise UserError(
                f"--data.leave_out {self.leave_out} can leave a batch without any example: {size:,} examples in "
                f"batches of {self.batch_size} make one of a single example. Choose another --data.train_size."
            )

    def _split(self, name: str, part: Part, index: Tensor, randomization: Randomization) -> Split:
        loaded = self._loaded
        read = reader(loaded, part)
        true_labels = (loaded.train_labels if part == "train" else loaded.test_labels)[index]
        labels, corrupted = randomization.labels(true_labels, index, self.num_classes, part)
        pipeline = self.pipeline(read(index[:1]).images.shape[1])
        change = PixelChange(randomization, part, pipeline, self._counts)
        described = (name, labels, true_labels, corrupted, index, pipeline)
        if isinstance(loaded, Arrays):
            return ResidentSplit(*described, images=change(read(index).images, index))
        change(read(index[:1]).images, index[:1])  # here, and not again in every process that reads ahead
        streamed = StreamedSplit(
            *described, fingerprint=loaded.fingerprint, source=read, change=change, workers=loaded.workers
        )
        return streamed.resident() if self._resident else streamed

    @cached_property
    def _counts(self) -> PixelCounts:
        """Of the original training images, in the region that the randomization changes."""
        loaded, sample = self._loaded, torch.arange(len(self._loaded.train_labels))
        if self.statistics_images is not None:
            sample = _choose(len(sample), min(len(sample), self.statistics_images), 0, "statistics", "")
        workers = 0 if isinstance(loaded, Arrays) else loaded.workers

        def chunks() -> Iterator[Tensor]:
            for stored in read_ahead(reader(loaded, "train"), sample.split(1000), workers):
                yield changed_region(stored.images, self.randomization, self.pipeline(stored.images.shape[1]))

        return PixelCounts(chunks)

    # The process.

    @property
    def _sets(self) -> Path:
        """The folder of the data sets."""
        return data_folder(self.root)

    def _ranks(self) -> tuple[int, int]:
        return (self.trainer.global_rank, self.trainer.world_size) if self.trainer is not None else (0, 1)

    def _trainer(self) -> Any:
        assert self.trainer is not None, "batches are drawn by a Trainer"
        return self.trainer


def _choose(available: int, wanted: int | None, seed: int, purpose: str, option: str) -> Tensor:
    if wanted is None:
        return torch.arange(available)
    if wanted > available:
        raise UserError(f"--data.{option} {wanted} is more than the {available} images there are. Choose fewer.")
    order = randomness.permutation(randomness.key(seed, "subset", purpose), available)
    return randomness.tensor(order[:wanted]).sort().values
