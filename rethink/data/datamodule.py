"""The LightningDataModule that every data set shares: subset, hold out, randomize once, keep on the device."""

from pathlib import Path
from typing import Any, ClassVar

import torch
from jsonargparse.typing import NonNegativeInt, PositiveInt
from lightning.pytorch import LightningDataModule
from torch import Tensor

from rethink import randomness
from rethink.data.batches import EvaluationBatches, TrainingBatches
from rethink.data.split import Split
from rethink.data.store import Arrays
from rethink.errors import UserError
from rethink.randomization import Randomization, TrueLabels
from rethink.randomization.randomization import Part
from rethink.training import lightning_internals

EVALUATION_CHUNK = 500  # images evaluated together: fits the caches of a CPU, fills a GPU at these sizes


class ImageDataModule(LightningDataModule):
    """Images with classes, randomized once and resident as tensors on the training device.

    A data set is a subclass with `load`, in a file of its own, and a config in configs/data/.

    Args:
        randomization: What is done to labels or pixels, once. Default: TrueLabels.
        batch_size: Examples of a batch over all processes together. The last partial batch of an epoch is kept.
        train_size: Number of training images. Default: all that are not held out, as in the paper.
        test_size: Number of test images. Default: all, as in the paper.
        validation_size: Number of training images to hold out, for early stopping without the test set.
        subset_seed: Seed of the choice of these images. Smaller subsets are part of larger ones.
        leave_out: Position in the training set of an example that training goes without. All else is drawn alike: its
            batch is trained on the others. It is still evaluated with the training set.
        seed: Seed of the batch order; set it through `seed_everything`.
        steps_per_call: Optimizer steps in one call of `training_step`, hence between two points at which the run can
            be saved. Does not change the result.
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
        seed: int = 0,
        steps_per_call: PositiveInt = 16,
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
        self.seed = seed
        self.steps_per_call = steps_per_call
        self.root = root  # None: the store knows its default
        self.splits: dict[str, Split] = {}
        self.digests: dict[str, str] = {}

    # What a data set defines.

    image_shape: tuple[int, int, int]
    """(channels, height, width) of what the network sees."""
    num_classes: int

    def load(self) -> Arrays:
        """All original images and labels."""
        raise NotImplementedError(f"{type(self).__name__} does not say how to load its images.")

    # What Lightning calls.

    def setup(self, stage: str | None = None) -> None:
        """Builds the splits once; they do not depend on the stage, the rank or the training seed."""
        if not self.splits:
            self.splits = self._build(self.load())
            self.digests = {name: split.digest() for name, split in self.splits.items()}
        if self.trainer is not None:
            device = self.trainer.strategy.root_device
            self.splits = {name: split.to(device) for name, split in self.splits.items()}

    def train_dataloader(self) -> TrainingBatches:
        """Blocks of index batches of the randomized training set."""
        return TrainingBatches(
            self.splits["train"],
            self.batch_size,
            self.seed,
            self.steps_per_call,
            *self._ranks(),
            position=lambda: lightning_internals.position(self._trainer()),
            leave_out=self.leave_out,
        )

    def val_dataloader(self) -> list[EvaluationBatches]:
        """Every split, in the order of `evaluated`."""
        return [EvaluationBatches(split, EVALUATION_CHUNK, *self._ranks()) for split in self.splits.values()]

    def test_dataloader(self) -> list[EvaluationBatches]:
        """The same as for validation: the training set's own accuracy is half of the paper's point."""
        return self.val_dataloader()

    def predict_dataloader(self) -> EvaluationBatches:
        """The test set, untouched."""
        split = self.splits["test" if "test" in self.splits else "test_randomized"]
        return EvaluationBatches(split, EVALUATION_CHUNK, *self._ranks())

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

    def _build(self, arrays: Arrays) -> dict[str, Split]:
        train, validation = self._choose_training(len(arrays.train_labels))
        self._check_leave_out(len(train))
        test = _choose(len(arrays.test_labels), self.test_size, self.subset_seed, "test", "test_size")
        splits = {
            "train": self._split("train", arrays, "train", train, self.randomization),
            "test_randomized": self._split("test_randomized", arrays, "test", test, self.randomization),
        }
        if self.randomization.randomizes_images:  # otherwise the two test sets differ in labels only, which both keep
            splits["test"] = self._split("test", arrays, "test", test, TrueLabels())
        if len(validation):
            splits["validation"] = self._split("validation", arrays, "train", validation, self.randomization)
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

    def _split(self, name: str, arrays: Arrays, part: Part, index: Tensor, randomization: Randomization) -> Split:
        if part == "train":
            images, true_labels = arrays.train_images[index], arrays.train_labels[index]
        else:
            images, true_labels = arrays.test_images[index], arrays.test_labels[index]
        labels, corrupted = randomization.labels(true_labels, index, self.num_classes, part)
        if randomization.randomizes_images:
            window = (slice(None), ...) if randomization.region == "full" else self._window(images)
            pixels = randomization.images(images[window], index, part, arrays.train_images[window])
            images = images.to(pixels.dtype)
            images[window] = pixels
        return Split(name, images, labels, true_labels, corrupted, index, self.crop)

    def _window(self, images: Tensor) -> tuple[slice, slice, slice]:
        top, left = ((side - self.crop) // 2 for side in images.shape[1:3])
        return slice(None), slice(top, top + self.crop), slice(left, left + self.crop)

    # The process.

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
