"""Evaluation of a network on a split: torchmetrics, weighted by examples, synchronized over ranks without padding."""

import math
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor
from torchmetrics import Metric


class Evaluation(Metric):
    """Loss and accuracy against the given labels, against the true labels, and on the corrupted part.

    All states are sums over examples (counts as integers, losses in float64), so that any split of the examples over
    batches and ranks gives the same values.

    Args:
        top5: Whether the label among the five largest logits is counted too, as on ImageNet.
    """

    full_state_update = False
    is_differentiable = False

    count: Tensor
    loss: Tensor
    correct: Tensor
    true_loss: Tensor
    true_correct: Tensor
    corrupted: Tensor
    corrupted_correct: Tensor
    recovered: Tensor
    top5_correct: Tensor
    true_top5_correct: Tensor

    def __init__(self, top5: bool = False) -> None:
        super().__init__()
        self.top5 = top5
        for name in ("top5_correct", "true_top5_correct") if top5 else ():
            self.add_state(name, torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")
        for name in ("loss", "true_loss"):
            self.add_state(name, torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")
        for name in ("count", "correct", "true_correct", "corrupted", "corrupted_correct", "recovered"):
            self.add_state(name, torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, logits: Tensor, labels: Tensor, true_labels: Tensor, corrupted: Tensor) -> None:
        """Adds examples: logits (b, K), given and true labels (b,) int64, corrupted (b,) bool."""
        logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
        predicted = logits.argmax(1)
        right, truly_right = predicted == labels, predicted == true_labels
        self.count += len(labels)
        self.loss += F.cross_entropy(logits, labels, reduction="none").double().sum()
        self.true_loss += F.cross_entropy(logits, true_labels, reduction="none").double().sum()
        self.correct += right.sum()
        self.true_correct += truly_right.sum()
        self.corrupted += corrupted.sum()
        self.corrupted_correct += (right & corrupted).sum()
        self.recovered += (truly_right & corrupted).sum()
        if self.top5:
            five = logits.topk(min(5, logits.shape[1])).indices
            self.top5_correct += (five == labels[:, None]).sum()
            self.true_top5_correct += (five == true_labels[:, None]).sum()

    def compute(self) -> dict[str, float]:
        """Means over the examples seen; NaN for a part that has none."""
        sums = ["count", "loss", "correct", "true_loss", "true_correct", "corrupted", "corrupted_correct", "recovered"]
        sums += ["top5_correct", "true_top5_correct"] if self.top5 else []
        values = torch.stack([getattr(self, name).double() for name in sums])  # one transfer from the device
        s = dict(zip(sums, values.tolist(), strict=True))
        clean = s["count"] - s["corrupted"]
        five = {"accuracy_top5": "top5_correct", "true_accuracy_top5": "true_top5_correct"} if self.top5 else {}
        return {name: _ratio(s[correct], s["count"]) for name, correct in five.items()} | {
            "loss": _ratio(s["loss"], s["count"]),
            "accuracy": _ratio(s["correct"], s["count"]),
            "true_loss": _ratio(s["true_loss"], s["count"]),
            "true_accuracy": _ratio(s["true_correct"], s["count"]),
            "clean_accuracy": _ratio(s["correct"] - s["corrupted_correct"], clean),
            "corrupted_accuracy": _ratio(s["corrupted_correct"], s["corrupted"]),
            "recovered": _ratio(s["recovered"], s["corrupted"]),
        }


class OnlineMean(Metric):
    """Mean loss and accuracy of the minibatches of an epoch as they were trained on (Table 4 reports these)."""

    full_state_update = False
    is_differentiable = False

    count: Tensor
    loss: Tensor
    correct: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("loss", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("count", torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")
        self.add_state("correct", torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")

    def _apply(self, fn: Callable[[Tensor], Tensor], exclude_state: Sequence[str] = "") -> "OnlineMean":
        """Moves the sums with the network, but not to its precision: bfloat16 could not sum a thousand losses."""
        loss = self.loss
        super()._apply(fn, exclude_state)
        self.loss, self._defaults["loss"] = loss.to(self.device), torch.zeros_like(loss, device=self.device)
        return self

    def update(self, losses: Tensor, corrects: Tensor, count: int) -> None:
        """Adds batches: their summed losses (b,), their numbers of correct predictions (b,), and all their examples."""
        self.loss += losses.double().sum()
        self.correct += corrects.sum()
        self.count += count

    def compute(self) -> dict[str, float]:
        """The means, NaN before the first batch."""
        count = int(self.count)
        return {"loss": _ratio(float(self.loss), count), "accuracy": _ratio(int(self.correct), count)}


def _ratio(total: float, count: float) -> float:
    return total / count if count else math.nan
