"""The convergence step: when a network fits its randomized training set (Figures 1a and 1b)."""

import math
from typing import Any

from jsonargparse.typing import NonNegativeInt
from lightning.pytorch import LightningModule, Trainer

from rethink.callbacks.measurement import Measurement
from rethink.errors import UserError
from rethink.runs.rules import Rule, onset

RULES = ["accuracy>=0.99", "accuracy>=0.999", "accuracy>=1.0", "loss<0.1", "loss<0.05", "loss<0.01"]


class ConvergenceStep:
    """The first epoch and step at which the training set passes each rule, or at which a loss is not finite any more.

    Args:
        rules: The rules to record.
        stop_rule: The rule that decides whether the run as a whole converged.
        stop_after: Epochs to go on after the stop rule is passed; None: until the budget is spent.
        num_classes: Number of classes, for the onset of learning; None: it is not recorded.
    """

    def __init__(
        self, rules: list[str], stop_rule: str, stop_after: int | None = None, num_classes: int | None = None
    ) -> None:
        self.rules = {text: Rule.parse(text) for text in dict.fromkeys([*rules, stop_rule])}
        self.stop_rule = stop_rule
        self.stop_after = stop_after
        self.num_classes = num_classes
        self.passed: dict[str, list[int]] = {}
        """Rule, or "onset" -> [epoch, step] of its first passing."""
        self.diverged: list[int] | None = None
        self.last = 0

    @property
    def outcome(self) -> str:
        """`converged`, `not converged` or `diverged`."""
        if self.diverged:
            return "diverged"
        return "converged" if self.stop_rule in self.passed else "not converged"

    @property
    def ends(self) -> bool:
        """Whether there is nothing more to train for."""
        fitted = self.passed.get(self.stop_rule)
        enough = self.stop_after is not None and fitted is not None and self.last >= fitted[0] + self.stop_after
        return bool(self.diverged) or enough

    def update(self, epoch: int, step: int, metrics: dict[str, float]) -> None:
        rules = self.rules | ({"onset": onset(self.num_classes)} if self.num_classes else {})
        for name, rule in rules.items():
            if name not in self.passed and rule.passed(metrics):
                self.passed[name] = [epoch, step]
        losses = [metrics[name] for name in ("online/loss", "train/loss") if name in metrics]
        if not all(map(math.isfinite, losses)) and not self.diverged:
            self.diverged = [epoch, step]
        self.last = epoch

    def summary(self) -> dict[str, Any]:
        """Where each rule was passed, and the steps from the onset of learning to the stop rule."""
        begin, fitted = self._crossing("onset"), self._crossing(self.stop_rule)
        both = begin["epoch"] is not None and fitted["epoch"] is not None
        return {
            "stop_rule": self.stop_rule,
            "rules": {name: self._crossing(name) for name in self.rules},
            "onset": begin,
            "onset_to_convergence": {unit: fitted[unit] - begin[unit] if both else None for unit in ("epoch", "step")},
            "diverged": {"epoch": self.diverged[0], "step": self.diverged[1]} if self.diverged else None,
        }

    def _crossing(self, name: str) -> dict[str, Any]:
        if name in self.passed:
            epoch, step = self.passed[name]
            return {"outcome": "converged", "epoch": epoch, "step": step}
        return {"outcome": "diverged" if self.diverged else "not converged", "epoch": None, "step": None}

    def state_dict(self) -> dict[str, Any]:
        return {"passed": self.passed, "diverged": self.diverged, "last": self.last, "rules": list(self.rules)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Goes on from a checkpoint.

        Raises:
            UserError: It recorded other rules.
        """
        if state_dict["rules"] != list(self.rules):
            raise UserError(
                f"The checkpoint recorded the rules {', '.join(state_dict['rules'])}; this run has "
                f"{', '.join(self.rules)}. Use the same --convergence options, or start anew with --force."
            )
        self.passed, self.diverged, self.last = (state_dict[k] for k in ("passed", "diverged", "last"))


class Convergence(ConvergenceStep, Measurement):
    """Records the first epoch and step at which the training set passes each rule, and can stop the run.

    The training set is evaluated as randomized, without augmentation, at the end of each epoch. `not converged`
    means that the budget was spent; `diverged` means that a loss became NaN or infinite, which ends the run.

    Args:
        rules: The rules to record.
        stop_rule: The rule that decides whether the run as a whole converged, and stops it if that is asked for.
        stop_after: Epochs to go on after the stop rule is passed; by default the budget is spent.
    """

    part = "convergence"
    only_measures = False  # it can stop a run

    def __init__(
        self,
        rules: list[str] = RULES,
        stop_rule: str = "accuracy>=0.99",
        stop_after: NonNegativeInt | None = None,
    ) -> None:
        super().__init__(rules, stop_rule, stop_after)

    def measure(self, trainer: Trainer, epoch: int, step: int, metrics: dict[str, float]) -> None:
        self.num_classes = getattr(trainer.lightning_module, "num_classes", None)
        self.update(epoch, step, metrics)
        trainer.should_stop |= self.ends

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """A run that was saved after it had ended does not go on."""
        trainer.should_stop |= self.ends
