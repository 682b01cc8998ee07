"""The LightningModule that every architecture shares: one SGD step, one evaluation, all switches."""

import copy
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Literal

import torch
from jsonargparse.typing import ClosedUnitInterval, NonNegativeFloat, PositiveFloat, PositiveInt
from torch import Tensor, nn

from rethink import randomness
from rethink.data.batch import Batch, PlainBatch
from rethink.data.batches import Block
from rethink.data.pipelines.pipeline import Augmentation, Switches
from rethink.discovery import Rebuildable, plain
from rethink.errors import UserError
from rethink.models.evaluation import EvaluatedModule
from rethink.models.evaluation_statistics import EvaluationStatistics, require_batch_norm
from rethink.models.initialization import initialize, take_over
from rethink.models.layers import key_dropout
from rethink.training import lightning_internals
from rethink.training.metrics import OnlineMean
from rethink.training.recipes import SGD, Recipe
from rethink.training.recipes.recipe import STEPS_PER_PAPER_EPOCH, refuse_unused
from rethink.training.refusals import refuse_impossible
from rethink.training.step import sgd_step

_RECIPE_OPTIONS = ("learning_rate", "momentum", "decay", "decay_steps", "staircase")


class Classifier(Rebuildable, EvaluatedModule):
    """An image classifier trained as in Appendix A, or by another recipe: SGD with momentum, 0.95 per epoch.

    An architecture is a subclass that builds `self.network`, a plain nn.Module from (B, C, H, W) to logits (B, K),
    and sets its default learning rate. Nothing else is tuned, and nothing between true and random labels.

    It trains on the data modules of this package and on the (images, labels) of any DataLoader, preprocessed. On
    those, `train` is the mean over the minibatches as they were trained on.

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
        recipe: How to train in another way, such as Adam with a rate of its own. The options `learning_rate`,
            `momentum`, `decay`, `decay_steps` and `staircase` are the paper's recipe; another one has its own.
        crop_first: Whether images are cropped and then standardized (Appendix A), or the other way round.
        initialization: "recipe" is what the contemporary recipe of this architecture drew (see the architecture); the
            others are drawn for all layers alike, with zero biases.
        evaluation_statistics: What batch norm normalizes by in the evaluation. "running": averages that follow the
            batches of training. "batch": the moments of each batch that is evaluated. "recomputed": the averages of
            the moments of training batches, taken anew before each evaluation (Wu and Johnson 2021).
        statistics_size: Number of training images of which statistics are recomputed, in whole batches.
        weights_from: The run_id of a finished run with whose weights training starts, in all layers but the last one.
        compiled: Whether torch.compile compiles the network. It is worth a try on a GPU; rounding differs.
        seed: Seed of initialization, augmentation and dropout. Default: that of `seed_everything`.
        image_shape: (channels, height, width) of what the network sees; set by the data.
        num_classes: Number of classes; set by the data.
    """

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
        recipe: Recipe | None = None,
        crop_first: bool = True,
        initialization: Literal["recipe", "glorot_uniform", "he_normal", "truncated_normal"] = "recipe",
        evaluation_statistics: EvaluationStatistics = "running",
        statistics_size: PositiveInt = 2560,
        weights_from: str | None = None,
        compiled: bool = False,
        seed: int | None = None,
        image_shape: tuple[int, int, int] = (3, 28, 28),
        num_classes: PositiveInt = 10,
    ) -> None:
        super().__init__()
        self.automatic_optimization = False  # many steps in one call of `training_step`
        paper = SGD(
            learning_rate, momentum, schedule="exponential", decay=decay, decay_steps=decay_steps, staircase=staircase
        )
        if recipe is not None:
            refuse_unused(recipe, type(self), {name: getattr(paper, name) for name in _RECIPE_OPTIONS})
        self.recipe: Recipe = recipe or paper
        self.weight_decay = float(NonNegativeFloat(weight_decay))
        self.weight_decay_on = weight_decay_on
        self.crop_first = crop_first
        self.seed = randomness.global_seed() if seed is None else seed
        self.switches = Switches(augmentation, crop_first, self.seed)
        self.initialization = initialization
        self.evaluation_statistics = evaluation_statistics
        self.statistics_size = PositiveInt(statistics_size)
        self.weights_from = weights_from
        self.compiled = compiled
        channels, height, width = image_shape
        self.image_shape = (channels, height, width)
        self.num_classes = num_classes
        self.online = OnlineMean()
        self._rates: list[float] = []  # learning rates of the optimizer's groups, before the schedule
        self._has_weights = False

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
        """The recipe's optimizer; the weight decay is on its layers only."""
        if self.recipe.depends_on_data:
            self.recipe = self.recipe.for_data(getattr(self.trainer, "datamodule", None))
        layers: dict[str, Any] = {"recipe": self.recipe_decayed, "all": self.network.parameters}
        layers["weights"] = lambda: Classifier.recipe_decayed(self)
        decayed = list(layers[self.weight_decay_on]()) if self.weight_decay > 0 else []
        chosen = set(decayed)
        groups = [
            {"params": [p for p in self.network.parameters() if p not in chosen], "weight_decay": 0.0},
            {"params": decayed, "weight_decay": self.weight_decay},
        ]
        optimizer = self.recipe.optimizer([group for group in groups if group["params"]])
        self._rates = [group["lr"] for group in optimizer.param_groups]
        return optimizer

    def learning_rate_at(self, step: int) -> float:
        """Learning rate of the optimizer step number `step`, from 0."""
        return self.recipe.learning_rate * self.recipe.factor(step)

    def training_step(self, data: Block | Sequence[Tensor], batch_idx: int) -> Tensor:
        """Takes an SGD step for each batch of a block, or for a plain batch; returns the mean loss of the last one."""
        optimizer: Any = self.optimizers(use_pl_optimizer=False)
        first, ranks = self.trainer.global_step, self.trainer.world_size
        self._plain = not isinstance(data, Block)
        batches: Iterable[Batch] = data if isinstance(data, Block) else [PlainBatch.of(data, ranks)]
        results, examples, loss_of = [], 0, 1
        left = None if self.trainer.max_steps == -1 else self.trainer.max_steps - first
        for step, batch in enumerate(islice(batches, left), start=first):
            for group, rate in zip(optimizer.param_groups, self._rates, strict=True):
                group["lr"] = rate * self.recipe.factor(step)
            key_dropout(self.network, self.device, self.seed, step, self.global_rank)
            labels = batch.labels
            # An example has the weight 1 / size for any number of ranks: DDP takes the mean of their gradients.
            result = sgd_step(
                self.network,
                optimizer,
                batch.prepare(self.switches).to(self.dtype),
                labels,
                weight=ranks / batch.size,
                # Lightning's backward is what averages over processes; alone it would only cost time.
                backward=self.manual_backward if ranks > 1 else Tensor.backward,
                label_smoothing=self.recipe.label_smoothing,
                auxiliary_weight=self.recipe.auxiliary_weight,
            )
            if self.average is not None:
                self.recipe.update_average(self.average, self.network, step)
            results.append(result)
            loss_of = len(labels)
            examples += loss_of
        losses, corrects = map(torch.stack, zip(*results, strict=True))
        self.online.update(losses, corrects, examples)
        lightning_internals.count_steps(self.trainer, len(results))
        return losses[-1] / max(loss_of, 1)

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Ends the online mean with the epoch, before the evaluation."""
        if lightning_internals.ends_epoch(self.trainer):
            self._note("train" if self._plain else "online", self.online.compute())
            optimizer = self.optimizers(use_pl_optimizer=False)
            assert isinstance(optimizer, torch.optim.Optimizer)
            self.epoch_metrics["learning_rate"] = optimizer.param_groups[0]["lr"]
            self.online.reset()
            if self.trainer.global_step == self.trainer.max_steps:
                self.trainer.should_stop = True  # Lightning evaluates an epoch that `max_steps` cuts off only so

    def on_train_epoch_end(self) -> None:
        """Logs what was trained on plain batches, for which there is no history."""
        if "learning_rate" in self.epoch_metrics and "online/loss" not in self.epoch_metrics:
            self.log_dict(
                {name: self.epoch_metrics[name] for name in ("train/loss", "train/accuracy", "learning_rate")}
            )

    # Set-up, and what a checkpoint holds besides the weights.

    def setup(self, stage: str) -> None:
        """Draws the weights that training starts from, once."""
        if stage == "fit":
            refuse_impossible(self.trainer)
        if self._trainer is not None:
            self._refuse_other_images(getattr(self._trainer, "datamodule", None))
        if not self._has_weights:
            self._has_weights = True
            self.draw_initial_weights()
            require_batch_norm(self.network, self.evaluation_statistics)
        self.network.to(memory_format=torch.channels_last)
        if self.recipe.average is not None and self.average is None:
            self.average = copy.deepcopy(self.network).requires_grad_(False)
        if self.compiled:
            self.network.compile()

    def _refuse_other_images(self, data: Any) -> None:
        """Says in words where a model was made for images of another shape, or for fewer classes, than its data has."""
        shape, classes = getattr(data, "image_shape", self.image_shape), getattr(data, "num_classes", 0)
        if tuple(shape) != self.image_shape or classes > self.num_classes:
            kind = type(self).__name__
            raise UserError(
                f"{kind} is made for images of {self.image_shape} in {self.num_classes} classes, and "
                f"{type(data).__name__} has {tuple(shape)} in {classes}. Use {kind}(image_shape={tuple(shape)}, "
                f"num_classes={classes})."
            )

    def take_weights(self, state: Mapping[str, Tensor]) -> None:
        """Takes those of a checkpoint that were evaluated, averaged or not; they are drawn no more.

        Args:
            state: The `state_dict` of a checkpoint.
        """
        averaged = any(name.startswith("average.") for name in state)
        prefix = "average." if averaged else "network."
        self.network.load_state_dict({k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)})
        self._has_weights = True

    def on_train_epoch_start(self) -> None:
        """Forgets the last epoch's measurements."""
        self.epoch_metrics = {}

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Adds the arguments, and the online mean of an epoch that is saved in its middle, summed over the ranks."""
        arguments = {k: plain(v) for k, v in self.built_with.items() if v is None or plain(v) is not None}
        if isinstance(self.built_with.get("recipe"), Recipe):
            arguments["_instantiator"] = "lightning.pytorch.cli.instantiate_module"  # makes the recipe too
        checkpoint[self.CHECKPOINT_HYPER_PARAMS_KEY] = arguments | {"seed": self.seed}
        with self.online.sync_context(should_sync=self.online._to_sync):
            checkpoint["online"] = {name: getattr(self.online, name).item() for name in ("loss", "count", "correct")}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Takes the online mean up again, on one rank, where training goes on."""
        self._has_weights = True
        if self.average is None and any(name.startswith("average.") for name in checkpoint["state_dict"]):
            self.average = copy.deepcopy(self.network).requires_grad_(False)
        if self._trainer is not None:
            for name, value in checkpoint.get("online", {}).items():
                getattr(self.online, name).fill_(value if self.global_rank == 0 else 0)
