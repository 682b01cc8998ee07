"""Early stopping as the paper judges it: the best test accuracy along training against the last (Section 3.2)."""

from typing import Any

from lightning.pytorch import Trainer

from rethink.callbacks.measurement import Measurement

SETS = ("test", "test_randomized", "validation")


class EarlyStopping:
    """The best accuracy on each set along training, its epoch, and what stopping there would gain over the end."""

    def __init__(self) -> None:
        self.best: dict[str, dict[str, Any]] = {}
        self.final: dict[str, float] = {}

    def update(self, epoch: int, step: int, metrics: dict[str, float]) -> None:
        now = {name: metrics[f"{name}/accuracy"] for name in SETS if f"{name}/accuracy" in metrics}
        for name, accuracy in now.items():
            if name not in self.best or accuracy > self.best[name]["best"]:
                self.best[name] = {"best": accuracy, "epoch": epoch, "then": now}
        self.final |= now

    def summary(self) -> dict[str, Any]:
        """Of each set; with held-out images also the test accuracy at the epoch which they choose."""
        summary: dict[str, Any] = {
            name: {
                "best": best["best"],
                "epoch": best["epoch"],
                "final": self.final[name],
                "gain": best["best"] - self.final[name],
            }
            for name, best in self.best.items()
        }
        if "validation" in self.best and "test" in self.final:  # a plain validation loader has no test set beside it
            chosen = self.best["validation"]
            summary["by_validation"] = {
                "epoch": chosen["epoch"],
                "test": chosen["then"]["test"],
                "gain": chosen["then"]["test"] - self.final["test"],
            }
        return summary

    def state_dict(self) -> dict[str, Any]:
        return {"best": self.best, "final": self.final}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.best, self.final = state_dict["best"], state_dict["final"]


class BestTestAccuracy(EarlyStopping, Measurement):
    """Records the best accuracy along training with its epoch, and what early stopping would gain.

    By the test set, as in the paper, that gain is optimistic, since the same images choose the epoch. With held-out
    images (`--data.validation_size`) the record also has the test accuracy at the epoch which they choose.
    """

    part = "best_test_accuracy"

    def measure(self, trainer: Trainer, epoch: int, step: int, metrics: dict[str, float]) -> None:
        self.update(epoch, step, metrics)
