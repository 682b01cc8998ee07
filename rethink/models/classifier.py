"""The LightningModule that every architecture shares: one SGD step, one evaluation, all switches."""

import math
from collections.abc import Iterator
from typing import Any, Literal, cast

import torch
from jsonargparse.typing import ClosedUnitInterval, NonNegativeFloat, PositiveFloat, PositiveInt
from lightning.pytorch import LightningModule
from torch import Tensor, nn

from rethink import randomness
from rethink.data.batches import Block, Chunk
from rethink.data.split import Split
from rethink.errors import UserError
from rethink.models.initialization import initialize
from rethink.models.layers import Dropout
from rethink.models.pretrained import take_over
from rethink.preprocessing import Augmentation, AugmentationDraws, prepare
from rethink.training import lightning_internals
from rethink.training.metrics import Evaluation, OnlineMean
from rethink.training.step import sgd_step

STEPS_PER_PAPER_EPOCH = 391  # ceil(50000 / 128): Figures 1a and 2b are plotted at multiples of it


class Classifier(LightningModule):
    """An image classifier trained as in Appendix A: SGD with momentum, learning rate times 0.95 per epoch.

    An architecture is a subclass that builds `self.network`, a plain nn.Module from (B, C, H, W) to logits (B, K),
    and sets its default learning rate. Nothing else is tuned, and nothing between true and random labels.

    Args:
        learning_rate: Learning rate at the first step.
        weight_decay: Coefficient c of the penalty c/2 |w|^2 on the layers that `weight_decay_on` names.
        weight_decay_on: "recipe" are the layers that the contemporary recipe of this architecture penalized (see
            the architecture), "weights" the weights of all layers, "all" every parameter.
        augmentation: "none"; "random_crop" is a fresh 28x28 window of the 32x32 image in every epoch; "flip_rotate"
            is a left-right flip and a rotation up to 25 degrees of the image before the crop; or both.
        momentum: Momentum of SGD.
        decay: Factor on the learning rate per `decay_steps`.
        decay_steps: Optimizer steps between two factors: an epoch of the paper, also for smaller training sets.
        staircase: Whether the factor applies at once every `decay_steps`, or little by little.
        crop_first: Whether images are cropped and then standardized (Appendix A), or the other way round.
        initialization: "recipe" is what the contemporary recipe of this architecture drew (see the architecture); the
            others are drawn for all layers alike, with zero biases.
        weights_from: The run_id of a finished run with whose weights training starts, in all layers but the last one.
        seed: Seed of initialization, augmentation and dropout; set it through `seed_everything`.
        image_shape: (channels, height, width) of what the network sees; set by the data.
        num_classes: Number of classes; set by the data.
    """

    network: nn.Module

    def __init__(
        self,
        learning_rate: PositiveFloat,
        weight_decay: NonNegativeFloat = 0.0,
        weight_decay_on: Literal["recipe", "weights", "all"] = "recipe",
        augmentation: Augmentation = "none",
        momentum: ClosedUnitInterval = 0.9,
        decay: PositiveFloat = 0.95,
        decay_steps: PositiveInt = STEPS_PER_PAPER_EPOCH,
        staircase: bool = True,
        crop_first: bool = True,
        initialization: Literal["recipe", "glorot_uniform", "he_normal", "truncated_normal"] = "recipe",
        weights_from: str | None = None,
        seed: int = 0,
        image_shape: tuple[int, int, int] = (3, 28, 28),
        num_classes: PositiveInt = 10,
    ) -> None:
        super().__init__()
        self.automatic_optimization = False  # many steps in one call of `training_step`
        # Checked, and plain numbers again: the optimizer's options are in the checkpoint, which loads nothing else.
        self.learning_rate = float(PositiveFloat(learning_rate))
        self.weight_decay = float(NonNegativeFloat(weight_decay))
        self.weight_decay_on = weight_decay_on
        self.augmentation: Augmentation = augmentation
        self.momentum = float(ClosedUnitInterval(momentum))
        self.decay = decay
        self.decay_steps = decay_steps
        self.staircase = staircase
        self.crop_first = crop_first
        self.initialization = initialization
        self.weights_from = weights_from
        self.seed = seed
        channels, height, width = image_shape
        self.image_shape = (channels, height, width)
        self.num_classes = num_classes
        self.online = OnlineMean()
        self.evaluations: nn.ModuleList = nn.ModuleList()
        self.epoch_metrics: dict[str, float] = {}
        """What the last epoch measured, as exact numbers, by the names of the history's columns."""
        self._draws: tuple[int, AugmentationDraws | None] | None = None

    # What an architecture may override.

    def recipe_decayed(self) -> Iterator[nn.Parameter]:
        """The parameters that the contemporary recipe penalized. Default: the weights of all layers, no biases."""
        return (p for p in self.network.parameters() if p.ndim > 1)

    def initial_draws(self) -> torch.Generator:
        """The generator of the initial weights."""
        return randomness.generator(randomness.key(self.seed, "initialization"))

    def draw_initial_weights(self) -> None:
        """The weights that training starts from, where they are not those that the architecture drew when built."""
        if self.initialization != "recipe":
            initialize(self.network, self.initialization, self.initial_draws())
        if self.weights_from is not None:
            take_over(self.network, self.weights_from)

    def num_parameters(self) -> int:
        """Number of trained parameters, as in the second column of Table 1."""
        return sum(p.numel() for p in self.network.parameters() if p.requires_grad)

    # The SGD step.

    def forward(self, images: Tensor) -> Tensor:
        """Logits (B, K) of preprocessed images (B, C, H, W)."""
        logits: Tensor = self.network(images)
        return logits

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """SGD with momentum; the weight decay is on its layers only."""
        decayed: list[nn.Parameter] = []
        if self.weight_decay > 0:
            decayed = {
                "recipe": lambda: list(self.recipe_decayed()),
                "weights": lambda: [p for p in self.network.parameters() if p.ndim > 1],
                "all": lambda: list(self.network.parameters()),
            }[self.weight_decay_on]()
        chosen = set(decayed)
        groups = [
            {"params": [p for p in self.network.parameters() if p not in chosen], "weight_decay": 0.0},
            {"params": decayed, "weight_decay": self.weight_decay},
        ]
        return torch.optim.SGD(
            [group for group in groups if group["params"]], lr=self.learning_rate, momentum=self.momentum, fused=True
        )

    def learning_rate_at(self, step: int) -> float:
        """Learning rate of the optimizer step number `step`, from 0."""
        epochs = step // self.decay_steps if self.staircase else step / self.decay_steps
        return float(self.learning_rate * self.decay**epochs)

    def training_step(self, block: Block, batch_idx: int) -> Tensor:
        """Takes an SGD step for each batch of the block; returns the mean loss of the last one."""
        optimizer = self.optimizers(use_pl_optimizer=False)
        assert isinstance(optimizer, torch.optim.Optimizer)
        draws = self._augmentation_draws(block.split, block.epoch)
        first = self.trainer.global_step
        ranks = self.trainer.world_size
        batches = list(zip(block.positions, block.sizes, strict=True))
        if self.trainer.max_steps != -1:
            batches = batches[: self.trainer.max_steps - first]
        results = []
        for step, (positions, size) in enumerate(batches, start=first):
            for group in optimizer.param_groups:
                group["lr"] = self.learning_rate_at(step)
            self._key_dropout(step)
            images = prepare(block.split.images, positions, block.split.crop, draws=draws, crop_first=self.crop_first)
            # An example has the weight 1 / size for any number of ranks: DDP takes the mean of their gradients.
            result = sgd_step(
                self.network,
                optimizer,
                images,
                block.split.labels[positions],
                weight=ranks / size,
                # Lightning's backward is what averages over processes; alone it would only cost time.
                backward=self.manual_backward if ranks > 1 else Tensor.backward,
            )
            results.append(result)
        losses, corrects = map(torch.stack, zip(*results, strict=True))
        self.online.update(losses, corrects, sum(len(positions) for positions, _ in batches))
        lightning_internals.count_steps(self.trainer, len(batches))
        return losses[-1] / max(len(positions), 1)

    def on_train_batch_end(self, outputs: Any, batch: Block, batch_idx: int) -> None:
        """Ends the online mean with the epoch, before the evaluation."""
        if lightning_internals.ends_epoch(self.trainer):
            self._note("online", self.online.compute())
            self.epoch_metrics["learning_rate"] = self.learning_rate_at(self.trainer.global_step - 1)
            self.online.reset()
            if self.trainer.global_step == self.trainer.max_steps:
                self.trainer.should_stop = True  # Lightning evaluates an epoch that `max_steps` cuts off only so

    # The evaluation: at the end of every epoch, of the training set as randomized and of both test sets.

    def on_validation_epoch_start(self) -> None:
        """Starts from zero, also after an interrupted evaluation."""
        for evaluation in self._evaluations():
            evaluation.reset()

    def validation_step(self, chunk: Chunk, batch_idx: int, dataloader_idx: int = 0) -> None:
        """Evaluates a chunk of the split number `dataloader_idx`."""
        split, positions = chunk.split, chunk.positions
        logits = self._logits(chunk)
        self._evaluations()[dataloader_idx].update(
            logits, split.labels[positions], split.true_labels[positions], split.corrupted[positions]
        )

    def on_validation_epoch_end(self) -> None:
        """Notes and logs what was measured, under the names of the history's columns."""
        for split, evaluation in zip(self._splits().values(), self._evaluations(), strict=True):
            self._note(split.name, evaluation.compute(), split)
        if not self.trainer.sanity_checking:
            finite = {k: v for k, v in self.epoch_metrics.items() if math.isfinite(v)}
            self.log_dict(finite, logger=self.trainer.state.fn != "fit")  # while fitting, History logs whole rows

    on_test_epoch_start = on_validation_epoch_start
    test_step = validation_step
    on_test_epoch_end = on_validation_epoch_end

    def predict_step(self, chunk: Chunk, batch_idx: int) -> dict[str, Tensor]:
        """Index, true label, prediction and its probability of each example of a chunk."""
        probability, predicted = self._logits(chunk).float().softmax(1).max(1)
        split, positions = chunk.split, chunk.positions
        return {
            "index": split.index[positions].cpu(),
            "true_label": split.true_labels[positions].cpu(),
            "predicted": predicted.cpu(),
            "probability": probability.cpu(),
        }

    def _logits(self, chunk: Chunk) -> Tensor:
        split = chunk.split
        logits: Tensor = self.network(prepare(split.images, chunk.positions, split.crop, crop_first=self.crop_first))
        return logits

    def _note(self, name: str, measured: dict[str, float], split: Split | None = None) -> None:
        """Adds what was measured to `epoch_metrics`."""
        metrics = {f"{name}/loss": measured["loss"], f"{name}/accuracy": measured["accuracy"]}
        if name == "test_randomized" and "test" not in self._splits():  # one set of images, labels of both kinds
            metrics |= {"test/loss": measured["true_loss"], "test/accuracy": measured["true_accuracy"]}
        if split is not None and name == "train" and split.corrupted.any():
            if not split.corrupted.all():
                metrics["train_clean/accuracy"] = measured["clean_accuracy"]
            metrics["train_corrupted/accuracy"] = measured["corrupted_accuracy"]
            metrics["train_corrupted/recovered"] = measured["recovered"]
        self.epoch_metrics |= metrics

    # Set-up, and what a checkpoint holds besides the weights.

    def setup(self, stage: str) -> None:
        """Checks the switches against the data, before anything runs."""
        train = self._splits()["train"]
        randomization = self.trainer.datamodule.randomization  # type: ignore[attr-defined]
        margin = train.images.shape[1] - train.crop
        if "random_crop" in self.augmentation and margin == 0:
            raise UserError(
                f"augmentation {self.augmentation!r} needs images larger than the window of {train.crop}x{train.crop} "
                "that the network sees, and these are not. Use --model.augmentation none or flip_rotate."
            )
        untouched_margin = margin > 0 and randomization.randomizes_images and randomization.region != "full"
        if untouched_margin and self.augmentation != "none":
            raise UserError(
                f"augmentation {self.augmentation!r} would show the network the untouched margin around the "
                f"randomized centre of {type(randomization).__name__}. Add --data.randomization.region full."
            )
        if untouched_margin and not self.crop_first:
            raise UserError(
                "crop_first False would standardize with the untouched margin around the randomized centre of "
                f"{type(randomization).__name__}. Add --data.randomization.region full."
            )
        self.draw_initial_weights()
        self.network.to(memory_format=torch.channels_last)
        self.evaluations = nn.ModuleList(Evaluation() for _ in self._splits()).to(self.device)

    def on_train_epoch_start(self) -> None:
        """Forgets the last epoch's measurements."""
        self.epoch_metrics = {}

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keeps the online mean of an epoch that is saved in its middle, summed over the ranks."""
        with self.online.sync_context(should_sync=self.online._to_sync):
            checkpoint["online"] = {name: getattr(self.online, name).item() for name in ("loss", "count", "correct")}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Takes the online mean up again, on one rank."""
        for name, value in checkpoint.get("online", {}).items():
            getattr(self.online, name).fill_(value if self.global_rank == 0 else 0)

    def _evaluations(self) -> list[Evaluation]:
        return cast(list[Evaluation], self.evaluations)

    def _splits(self) -> dict[str, Split]:
        splits: dict[str, Split] = self.trainer.datamodule.splits  # type: ignore[attr-defined]
        return splits

    def _augmentation_draws(self, split: Split, epoch: int) -> AugmentationDraws | None:
        """The epoch's draws, on the device of the images, made once an epoch."""
        if self._draws is None or self._draws[0] != epoch:
            margin = split.images.shape[1] - split.crop
            draws = AugmentationDraws.draw(self.augmentation, self.seed, epoch, split.index.cpu().numpy(), margin)
            self._draws = epoch, draws and draws.to(split.images.device)
        return self._draws[1]

    def _key_dropout(self, step: int) -> None:
        """Keys the masks of a step by (seed, step, rank, layer)."""
        for number, layer in enumerate(self.network.modules()):
            if isinstance(layer, Dropout) and layer.p > 0:
                if layer.generator is None or layer.generator.device != self.device:
                    layer.generator = torch.Generator(self.device)
                layer.generator.manual_seed(randomness.key(self.seed, "dropout", step, self.global_rank, number))
