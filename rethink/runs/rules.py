"""Named rules of convergence: when a run counts as having fitted its training set.

The paper does not state its rule (Figure 1b), so several are recorded and the choice is made when reading.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from rethink.errors import UserError

ONSET_SHARE = 0.95  # the onset of learning is a loss under this share of ln K, the loss of a constant prediction


@dataclass(frozen=True)
class Rule:
    """A threshold on the end-of-epoch evaluation of the randomized training set, such as `accuracy>=0.99`."""

    metric: str
    threshold: float

    @classmethod
    def parse(cls, text: str) -> Self:
        """From `accuracy>=0.99` or `loss<0.1`."""
        match = re.fullmatch(r"(accuracy>=|loss<)(\d*\.?\d+)", text.replace(" ", ""))
        if match is None:
            raise UserError(
                f"{text!r} is no convergence rule (--convergence.rules, --convergence.stop_rule). Expected "
                "accuracy>=A with A in (0, 1], or loss<L, such as accuracy>=0.99 or loss<0.1."
            )
        rule = cls(match[1].rstrip(">=<"), float(match[2]))
        if rule.threshold == 0 or (rule.metric == "accuracy" and rule.threshold > 1):
            raise UserError(f"The threshold of {text!r} cannot be passed. Accuracies are in (0, 1], losses above 0.")
        return rule

    def passed(self, metrics: Mapping[str, float]) -> bool:
        """Whether an epoch passes; NaN never does."""
        value = metrics.get(f"train/{self.metric}", math.nan)
        return value >= self.threshold if self.metric == "accuracy" else value < self.threshold

    def __str__(self) -> str:
        return f"{self.metric}{'>=' if self.metric == 'accuracy' else '<'}{self.threshold}"


def onset(num_classes: int) -> Rule:
    """The rule of the onset of learning: loss < 0.95 ln K."""
    return Rule("loss", ONSET_SHARE * math.log(num_classes))
