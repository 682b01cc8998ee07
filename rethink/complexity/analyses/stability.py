"""Leave-one-out retraining with shared randomness: what it shows of uniform stability (Section 2.2)."""

from typing import Any

import torch
from torch import Tensor

from rethink.analyses.analysis import Context, Result, RunAnalysis
from rethink.analyses.networks import Network, at_the_end
from rethink.complexity.stability import largest_change, mean_change, probability_loss, zero_one_loss
from rethink.data.split import Split
from rethink.errors import UserError
from rethink.runs.run import Run

_LOSSES = {"probability": probability_loss, "error": zero_one_loss}


class UniformStability(RunAnalysis):
    """What leaving out one training example changes, all else being drawn alike: largest and mean changes of the loss.

    The largest change that is seen bounds the constant of uniform stability from below. That constant is a supremum
    over data sets and cannot tell true from random labels by definition; the mean change on the data at hand may.
    Losses are the 0-1 loss ("error") and 1 minus the probability of the label ("probability").

    Args:
        runs: The run_ids of a run on a training set, and of runs that differ from it in --data.leave_out only.
        seed: Not used: nothing is drawn.
    """

    def analyse(self, context: Context) -> Result:
        """Means over the left-out examples, and the largest changes over all of them."""
        whole, without = _whole_and_left_out(self.opened())
        reference = at_the_end(whole)
        before = _all_logits(reference)
        rows = []
        for number, run in enumerate(without, start=1):
            rows.append(_changes(before, _all_logits(at_the_end(run)), reference, _left_out(run)))
            context.progress("left-out examples", number, len(without))
        values: dict[str, Any] = {
            "data": whole.record["data"]["class"],
            "train_size": len(reference.train),
            "left_out": [_left_out(run) for run in without],
            "largest": max(row["largest"] for row in rows),
            "largest_error": max(row["largest_error"] for row in rows),
            "mean": {name: sum(row[name] for row in rows) / len(rows) for name in rows[0]},
            "each": {name: [row[name] for row in rows] for name in rows[0]},
        }
        return Result(values)


def _whole_and_left_out(runs: list[Run]) -> tuple[Run, list[Run]]:
    """The run on all examples, and those with one left out in the order of these."""
    whole = [run for run in runs if _left_out(run) is None]
    without = sorted((run for run in runs if _left_out(run) is not None), key=_left_out)
    if len(whole) != 1 or not without:
        raise UserError(
            f"--runs has {len(whole)} runs on all examples and {len(without)} with one left out (--data.leave_out). "
            "Name one on all, and at least one other."
        )
    for run in without:
        if _without_leave_out(run) != _without_leave_out(whole[0]):
            raise UserError(
                f"--runs: {run.run_id} differs from {whole[0].run_id} in more than --data.leave_out "
                "(compare their config.yaml). Name runs of one setting and one seed."
            )
    return whole[0], without


def _left_out(run: Run) -> Any:
    return run.record["config"]["data"]["init_args"].get("leave_out")


def _without_leave_out(run: Run) -> dict[str, Any]:
    config = {name: run.record["config"].get(name) for name in ("seed_everything", "model", "data", "convergence")}
    data = config["data"]["init_args"]
    config["data"] = config["data"] | {"init_args": {k: v for k, v in data.items() if k not in ("leave_out", "root")}}
    config["budget"] = run.record["budget"]
    return config


def _all_logits(network: Network) -> dict[str, Tensor]:
    """Of the training set and of the test set that is randomized alike, which is drawn from the same distribution."""
    return {name: network.logits(network.data.splits[name]) for name in ("train", "test_randomized")}


def _changes(
    before: dict[str, Tensor], after: dict[str, Tensor], reference: Network, left_out: int
) -> dict[str, float]:
    """Changes that one left-out example makes: on itself, on the other training examples, on the test set."""
    row: dict[str, float] = {}
    others = torch.arange(len(reference.train)) != left_out
    for name, loss in _LOSSES.items():
        train = [loss(logits["train"], reference.train.labels) for logits in (before, after)]
        test = [loss(logits["test_randomized"], _test(reference).labels) for logits in (before, after)]
        row[f"itself_{name}"] = float(train[1][left_out] - train[0][left_out])
        row[f"others_{name}"] = mean_change(train[0][others], train[1][others])
        row[f"test_{name}"] = mean_change(*test)
    row["largest"] = max(float(largest_change(before[name], after[name]).max()) for name in before)
    row["largest_error"] = max(float((before[n].argmax(1) != after[n].argmax(1)).any()) for n in before)
    return row


def _test(reference: Network) -> Split:
    return reference.data.splits["test_randomized"]
