"""Evaluation and the online mean against values by hand, for any split of the examples over batches."""

import math
from itertools import pairwise

import pytest
import torch
from torch import Tensor

from rethink.training.metrics import Evaluation, OnlineMean

# Three classes, five examples. Softmax of (ln 2, 0, 0) is (1/2, 1/4, 1/4).
LOGITS = torch.tensor([[1, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 1, 0]]) * math.log(2)
LABELS = torch.tensor([0, 1, 1, 0, 2])  # given: right, wrong, right, wrong, wrong
TRUE = torch.tensor([0, 0, 2, 0, 1])  # right, right, wrong, wrong, right
CORRUPTED = torch.tensor([False, True, True, False, True])


def evaluate(*batches: slice, corrupted: Tensor = CORRUPTED) -> dict[str, float]:
    evaluation = Evaluation()
    for batch in batches:
        evaluation.update(LOGITS[batch], LABELS[batch], TRUE[batch], corrupted[batch])
    return evaluation.compute()


def test_all_values_by_hand():
    assert evaluate(slice(0, 5)) == pytest.approx(
        {
            "loss": (2 * math.log(2) + 3 * math.log(4)) / 5,
            "accuracy": 2 / 5,
            "true_loss": (3 * math.log(2) + 2 * math.log(4)) / 5,
            "true_accuracy": 3 / 5,
            "clean_accuracy": 1 / 2,  # examples 0 and 3
            "corrupted_accuracy": 1 / 3,  # examples 1, 2 and 4
            "recovered": 2 / 3,  # 1 and 4 are predicted with their true label
        },
        rel=1e-6,
    )


def test_top5_by_hand():
    """Logits of seven classes in falling order: the first five are in it, for the given and for the true labels."""
    evaluation = Evaluation(top5=True)
    logits = torch.arange(7, 0, -1.0).repeat(4, 1)
    for part in (slice(0, 1), slice(1, 4)):
        labels, true = torch.tensor([0, 4, 5, 6])[part], torch.tensor([3, 6, 6, 5])[part]
        evaluation.update(logits[part], labels, true, labels != true)
    measured = evaluation.compute()
    assert (measured["accuracy"], measured["accuracy_top5"], measured["true_accuracy_top5"]) == (0.25, 0.5, 0.25)
    few = Evaluation(top5=True)
    few.update(LOGITS, LABELS, TRUE, CORRUPTED)  # three classes: all are among the first five
    assert few.compute()["accuracy_top5"] == 1
    assert not any("top5" in name for name in evaluate(slice(0, 5)))


@pytest.mark.parametrize("cuts", [[0, 5], [0, 1, 5], [0, 2, 2, 4, 5], [0, 1, 2, 3, 4, 5]])
def test_any_split_into_batches_weighs_examples_and_not_batches(cuts):
    batches = [slice(first, last) for first, last in pairwise(cuts)]
    assert evaluate(*batches) == pytest.approx(evaluate(slice(0, 5)), rel=1e-12)


@pytest.mark.parametrize(("share", "empty"), [(False, {"corrupted_accuracy", "recovered"}), (True, {"clean_accuracy"})])
def test_a_part_without_examples_has_no_value(share, empty):
    measured = evaluate(slice(0, 5), corrupted=torch.full((5,), share))
    assert {name for name, value in measured.items() if math.isnan(value)} == empty


def test_before_any_example_nothing_has_a_value():
    assert all(map(math.isnan, Evaluation().compute().values()))
    assert all(map(math.isnan, OnlineMean().compute().values()))


def test_an_infinite_loss_stays_infinite():
    evaluation = Evaluation()
    evaluation.update(torch.tensor([[0.0, math.inf]]), torch.tensor([0]), torch.tensor([1]), torch.tensor([False]))
    assert not math.isfinite(evaluation.compute()["loss"])


def test_reset_starts_from_zero():
    evaluation = Evaluation()
    evaluation.update(LOGITS[:2], LABELS[:2], TRUE[:2], CORRUPTED[:2])
    evaluation.reset()
    evaluation.update(LOGITS, LABELS, TRUE, CORRUPTED)
    assert evaluation.compute() == evaluate(slice(0, 5))


def test_sums_of_many_small_losses_do_not_drift():
    """A float32 sum of 50,000 losses of 0.1 is off in the fifth digit."""
    evaluation, logits = Evaluation(), torch.tensor([[0.0, math.log(math.expm1(0.1))]])
    for _ in range(50):
        index = torch.zeros(1000, dtype=torch.int64)
        evaluation.update(logits.expand(1000, 2), index, index, index.bool())
    assert evaluation.compute()["loss"] == pytest.approx(0.1, rel=1e-6)


def test_the_online_mean_weighs_by_examples():
    online = OnlineMean()
    online.update(torch.tensor(128 * 2.0), torch.tensor(64), 128)
    online.update(torch.tensor(80 * 0.5), torch.tensor(80), 80)
    assert online.compute() == pytest.approx({"loss": (256 + 40) / 208, "accuracy": 144 / 208})
