"""What every recipe is: an optimizer, its learning rate at every step, the labels' smoothing, averaged weights."""

import copy
import inspect
import math
from collections.abc import Mapping
from typing import Any, Literal, Self

import torch
from jsonargparse.typing import ClosedUnitInterval, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt
from torch import nn

from rethink.discovery import Rebuildable
from rethink.errors import UserError

STEPS_PER_PAPER_EPOCH = 391  # ceil(50000 / 128): Figures 1a and 2b are plotted at multiples of it


class Recipe(Rebuildable):
    """How a network is trained. To add a recipe, subclass this and override `optimizer`.

    A recipe has no state: what changes in training is the optimizer's, or the averaged network's, and is in every
    checkpoint. The weight decay is the model's, and reaches the optimizer with its parameter groups.

    Args:
        learning_rate: Learning rate at the first step, or after the warm-up.
        schedule: "constant"; "exponential" is `decay` per `decay_steps`; "cosine" falls to zero in `cosine_steps`.
        decay: Factor on the learning rate per `decay_steps`.
        decay_steps: Optimizer steps between two factors.
        staircase: Whether the factor applies at once every `decay_steps`, or little by little.
        cosine_steps: Optimizer steps until the cosine schedule reaches zero.
        warmup_steps: Optimizer steps in which the learning rate rises to the schedule's, in equal parts.
        label_smoothing: Share of the target that is spread evenly over all classes, in the training loss only.
        average: Decay of the exponential moving average of the weights that is evaluated instead of them; at step t it
            is at most (1 + t) / (10 + t). Default: no average.
        auxiliary_weight: Weight of an auxiliary head's loss in the gradient, for a network that has one.
        in_epochs: Whether decay_steps, cosine_steps and warmup_steps count epochs of the training set instead.
        rate_batch: Examples of the global batch that the learning rate is meant for; for another one it is scaled by
            rate_scaling. Default: the rate is taken as it is.
        rate_scaling: "linear" multiplies the rate by batch / rate_batch (Goyal et al. 2017), "square_root" by its
            root (Krizhevsky 2014).
    """

    def __init__(
        self,
        learning_rate: PositiveFloat,
        schedule: Literal["constant", "exponential", "cosine"] = "constant",
        decay: PositiveFloat = 0.95,
        decay_steps: PositiveInt = STEPS_PER_PAPER_EPOCH,
        staircase: bool = True,
        cosine_steps: PositiveInt | None = None,
        warmup_steps: NonNegativeInt = 0,
        label_smoothing: ClosedUnitInterval = 0.0,
        average: ClosedUnitInterval | None = None,
        auxiliary_weight: NonNegativeFloat = 0.4,
        in_epochs: bool = False,
        rate_batch: PositiveInt | None = None,
        rate_scaling: Literal["linear", "square_root"] = "linear",
    ) -> None:
        # Checked, and plain numbers again: the optimizer's options are in the checkpoint, which loads nothing else.
        self.learning_rate = float(PositiveFloat(learning_rate))
        self.schedule = schedule
        self.decay = decay
        self.decay_steps = decay_steps
        self.staircase = staircase
        if schedule == "cosine" and cosine_steps is None:
            raise UserError("schedule cosine needs cosine_steps, the optimizer steps until it reaches zero.")
        self.cosine_steps = cosine_steps
        self.warmup_steps = NonNegativeInt(warmup_steps)
        self.label_smoothing = float(ClosedUnitInterval(label_smoothing))
        self.average = None if average is None else float(ClosedUnitInterval(average))
        self.auxiliary_weight = float(NonNegativeFloat(auxiliary_weight))
        self.in_epochs = in_epochs
        self.rate_batch = rate_batch
        self.rate_scaling = rate_scaling

    @property
    def depends_on_data(self) -> bool:
        """Whether its steps or its rate follow from the training set and the batch: see `for_data`."""
        return self.in_epochs or self.rate_batch is not None

    def for_data(self, data: Any) -> Self:
        """The same recipe in optimizer steps, with the learning rate of a global batch of the data's size.

        Args:
            data: An ImageDataModule that was set up.

        Raises:
            UserError: There is none: a plain DataLoader does not say how large its global batch is.
        """
        if data is None:
            raise UserError("A recipe with in_epochs or rate_batch needs a data module of this package.")
        recipe = copy.copy(self)
        steps = math.ceil(len(data.splits["train"]) / data.batch_size) if self.in_epochs else 1
        recipe.decay_steps, recipe.warmup_steps = self.decay_steps * steps, self.warmup_steps * steps
        recipe.cosine_steps = None if self.cosine_steps is None else self.cosine_steps * steps
        if self.rate_batch is not None:
            ratio = data.batch_size / self.rate_batch
            recipe.learning_rate *= ratio if self.rate_scaling == "linear" else math.sqrt(ratio)
        recipe.in_epochs, recipe.rate_batch = False, None
        return recipe

    def optimizer(self, groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
        """The optimizer, at the learning rate that was asked for.

        Args:
            groups: Parameter groups as torch's optimizers take them, with `params` and `weight_decay`.
        """
        raise NotImplementedError(f"{type(self).__name__} does not say which optimizer it uses.")

    def factor(self, step: int) -> float:
        """What the learning rates that the optimizer was built with are multiplied by at a step, from 0."""
        factor = 1.0
        if self.schedule == "exponential":
            factor = self.decay ** (step // self.decay_steps if self.staircase else step / self.decay_steps)
        elif self.schedule == "cosine" and self.cosine_steps is not None:
            factor = (1 + math.cos(math.pi * min(step / self.cosine_steps, 1.0))) / 2
        if step < self.warmup_steps:
            factor *= (step + 1) / (self.warmup_steps + 1)
        return float(factor)

    @torch.no_grad()
    def update_average(self, average: nn.Module, network: nn.Module, step: int) -> None:
        """Moves the averaged network, its statistics of batch norm included, after the optimizer's step `step`."""
        assert self.average is not None
        ours, theirs = list(average.state_dict().values()), list(network.state_dict().values())
        torch._foreach_lerp_(ours, theirs, 1 - min(self.average, (1 + step) / (10 + step)))


def refuse_unused(recipe: Recipe, model: type, options: Mapping[str, Any]) -> None:
    """Refuses options of the paper's recipe where another one is chosen: they would do nothing.

    Args:
        recipe: The chosen recipe.
        model: Class of the model that has the options.
        options: Their values.

    Raises:
        UserError: One of them is not at its default.
    """
    defaults = {
        name: parameter.default
        for kind in reversed(model.__mro__)
        if "__init__" in vars(kind)
        for name, parameter in inspect.signature(vars(kind)["__init__"]).parameters.items()
    }
    for name, value in options.items():
        if value != defaults[name]:
            raise UserError(
                f"--model.{name} {value} is not used by the recipe {type(recipe).__name__}. "
                f"Use --model.recipe.{name}, if it has one."
            )
