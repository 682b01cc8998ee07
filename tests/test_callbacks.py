"""What the callbacks measure along training, and what the record keeps of it."""

import json
import math
import re
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from test_training import train

from rethink.callbacks.best_test_accuracy import BestTestAccuracy, EarlyStopping
from rethink.callbacks.convergence import RULES, Convergence, ConvergenceStep
from rethink.callbacks.history import History, journal_of
from rethink.callbacks.label_corruption import CorruptedPart, LabelCorruption
from rethink.callbacks.progress import ProgressDisplay, line
from rethink.callbacks.record import Record, finite
from rethink.data import Synthetic
from rethink.errors import UserError
from rethink.models import MLP
from rethink.randomization import GaussianPixels, PartiallyCorruptedLabels, RandomLabels, TrueLabels
from rethink.runs.journal import FIRST, LAST, format_rows
from rethink.runs.rules import Rule, onset
from rethink.runs.run import Run


def feed(measured: Any, epochs: list[dict[str, float]], steps: int = 391, first: int = 1) -> Any:
    """Hands the epochs' numbers to a plain object, until it wants to end; no trainer is needed."""
    for epoch, metrics in enumerate(epochs, start=first):
        measured.update(epoch, epoch * steps, metrics)
        if getattr(measured, "ends", False):
            break
    return measured


def convergence_step(**options: Any) -> ConvergenceStep:
    """At the defaults of the callback."""
    return ConvergenceStep(**{"rules": RULES, "stop_rule": "accuracy>=0.99", "num_classes": 10} | options)


def epoch(loss: float, accuracy: float, **more: float) -> dict[str, float]:
    return {"online/loss": loss, "train/loss": loss, "train/accuracy": accuracy} | more


CURVE = [
    *(epoch(2.30, 0.1), epoch(2.18, 0.2), epoch(0.5, 0.9), epoch(0.099, 0.99), epoch(0.05, 0.9895)),
    *(epoch(0.049, 0.9995), epoch(0.02, 1.0), epoch(0.009, 1.0)),
]


# Convergence.


def test_every_rule_has_its_own_first_epoch():
    convergence = convergence_step()
    assert not feed(convergence, CURVE).ends  # by default the budget is spent
    summary = convergence.summary()
    passed = {rule: crossing["epoch"] for rule, crossing in summary["rules"].items()}
    assert passed == dict(zip(RULES, [4, 6, 7, 4, 6, 8], strict=True))
    assert summary["rules"]["accuracy>=0.999"] == {"outcome": "converged", "epoch": 6, "step": 6 * 391}
    assert convergence.outcome == "converged"
    # 0.95 ln 10 = 2.1875: the second epoch.
    assert summary["onset"] == {"outcome": "converged", "epoch": 2, "step": 782}
    assert summary["onset_to_convergence"] == {"epoch": 2, "step": 782}


@pytest.mark.parametrize(("after", "last"), [(0, 4), (2, 6), (None, 8)])
def test_the_run_stops_a_chosen_number_of_epochs_after_the_stop_rule(after, last):
    convergence = convergence_step(stop_after=after)
    assert feed(convergence, CURVE).ends == (after is not None)
    assert convergence.last == last


def test_a_stop_rule_of_ones_own_is_recorded_too():
    convergence = convergence_step(rules=["loss<0.1"], stop_rule="accuracy>=1.0", stop_after=0)
    feed(convergence, CURVE)
    assert list(convergence.summary()["rules"]) == ["loss<0.1", "accuracy>=1.0"]
    assert convergence.last == 7


def test_a_spent_budget_is_not_converged():
    convergence = convergence_step()
    feed(convergence, CURVE[:3])
    assert convergence.outcome == "not converged"
    assert convergence.summary()["rules"]["loss<0.01"] == {
        "outcome": "not converged",
        "epoch": None,
        "step": None,
    }
    assert convergence.summary()["diverged"] is None
    assert convergence.summary()["onset_to_convergence"] == {"epoch": None, "step": None}


@pytest.mark.parametrize("bad", [math.nan, math.inf])
@pytest.mark.parametrize("where", ["online/loss", "train/loss"])
def test_a_nan_or_infinite_loss_ends_the_run_as_diverged(bad, where):
    convergence = convergence_step()
    assert feed(convergence, [*CURVE[:3], CURVE[2] | {where: bad}, CURVE[3]]).ends
    assert convergence.outcome == "diverged"
    assert convergence.summary()["diverged"] == {"epoch": 4, "step": 4 * 391}
    assert {crossing["outcome"] for crossing in convergence.summary()["rules"].values()} == {"diverged"}


def test_an_epoch_without_an_evaluation_passes_no_rule():
    convergence = convergence_step()
    feed(convergence, [{"online/loss": 0.0, "online/accuracy": 1.0}, CURVE[-1]])
    assert {crossing["epoch"] for crossing in convergence.summary()["rules"].values()} == {2}


def test_convergence_goes_on_from_a_checkpoint_and_refuses_other_rules():
    whole, first, second = (convergence_step(stop_after=2) for _ in range(3))
    feed(whole, CURVE)
    feed(first, CURVE[:5])
    second.load_state_dict(json.loads(json.dumps(first.state_dict())))
    assert feed(second, CURVE[5:], first=6).ends
    assert second.summary() == whole.summary()
    with pytest.raises(UserError, match="--force"):
        convergence_step(rules=["loss<0.2"]).load_state_dict(first.state_dict())


@pytest.mark.parametrize(
    "text", ["accuracy>0.9", "accuracy>=1.5", "loss<0", "loss>=1", "error<0.1", "", "loss<", "accuracy>=0"]
)
def test_a_rule_that_means_nothing_is_refused(text):
    with pytest.raises(UserError, match=r"Expected accuracy>=A|cannot be passed"):
        Rule.parse(text)


def test_rules_are_strict_below_and_inclusive_above():
    assert not Rule.parse("loss<0.1").passed({"train/loss": 0.1})
    assert Rule.parse("accuracy >= 0.99").passed({"train/accuracy": 0.99})
    assert not Rule.parse("accuracy>=0.99").passed({"train/accuracy": math.nan, "train/loss": 0.0})
    assert not Rule.parse("loss<0.1").passed({"online/loss": 0.0, "test/loss": 0.0})
    assert onset(1000).threshold == pytest.approx(0.95 * math.log(1000))


def test_a_run_that_diverges_is_recorded_as_diverged(tmp_path):
    callbacks = [Convergence(), History(), Record()]
    model = MLP([16, 16], learning_rate=1e6)
    fitted = train(model, Synthetic(num_train=64, num_test=8), *callbacks, max_epochs=50, folder=tmp_path)
    assert fitted.current_epoch < 50  # ended early
    record = json.loads((tmp_path / "record.json").read_text())  # with null for NaN, which JSON does not have
    assert record["outcome"] == "diverged"
    assert record["convergence"]["diverged"]["epoch"] == fitted.current_epoch


# Best test accuracy.


def accuracies(*rows: tuple[float, ...]) -> list[dict[str, float]]:
    names = ("test/accuracy", "test_randomized/accuracy", "validation/accuracy")
    return [dict(zip(names, row, strict=False)) for row in rows]


def test_the_best_epoch_and_the_gain_of_early_stopping():
    best = EarlyStopping()
    feed(best, accuracies((0.5, 0.1), (0.7, 0.2), (0.7, 0.15), (0.6, 0.1)))
    assert best.summary() == {
        "test": {"best": 0.7, "epoch": 2, "final": 0.6, "gain": pytest.approx(0.1)},
        "test_randomized": {"best": 0.2, "epoch": 2, "final": 0.1, "gain": pytest.approx(0.1)},
    }


def test_held_out_images_choose_the_epoch_without_the_test_set():
    best = EarlyStopping()
    feed(best, accuracies((0.5, 0.5, 0.4), (0.7, 0.7, 0.5), (0.65, 0.65, 0.6), (0.6, 0.6, 0.3)))
    chosen = best.summary()["by_validation"]
    assert chosen == {"epoch": 3, "test": 0.65, "gain": pytest.approx(0.05)}


def test_best_test_accuracy_goes_on_from_a_checkpoint():
    rows = accuracies((0.5, 0.1), (0.7, 0.2), (0.6, 0.1))
    whole, first, second = BestTestAccuracy(), BestTestAccuracy(), BestTestAccuracy()
    feed(whole, rows)
    feed(first, rows[:2])
    second.load_state_dict(json.loads(json.dumps(first.state_dict())))
    feed(second, rows[2:], first=3)
    assert second.summary() == whole.summary()


# Label corruption.


@pytest.mark.parametrize("probability", [0.3, 1.0])
def test_label_corruption_counts_what_was_drawn_and_what_changed(probability, tmp_path):
    corruption, data = (
        LabelCorruption(),
        Synthetic(randomization=PartiallyCorruptedLabels(probability, 1), num_train=200),
    )
    model = MLP([16])
    train(model, data, corruption, max_epochs=2)
    split = data.splits["train"]
    assert corruption.summary() == {
        "probability": probability,
        "corrupted": int(split.corrupted.sum()),
        "changed": int((split.labels != split.true_labels).sum()),
        "clean_accuracy": model.epoch_metrics.get("train_clean/accuracy"),
        "corrupted_accuracy": model.epoch_metrics["train_corrupted/accuracy"],
        "recovered": model.epoch_metrics["train_corrupted/recovered"],
    }
    assert (corruption.summary()["clean_accuracy"] is None) == (probability == 1)
    assert 0 < corruption.summary()["changed"] < corruption.summary()["corrupted"] <= 200


def test_the_corrupted_part_needs_no_trainer():
    part = feed(
        CorruptedPart(0.3, 60, 54), [{"train/loss": 1.0, "train_corrupted/accuracy": 0.5}, {"online/loss": 1.0}]
    )
    expected = {"clean_accuracy": None, "corrupted_accuracy": 0.5, "recovered": None}
    assert part.measured == {"probability": 0.3, "corrupted": 60, "changed": 54} | expected
    assert feed(CorruptedPart(None, 0, 0), [{"train/loss": 1.0}]).measured == {}


def test_label_corruption_keeps_the_last_evaluation():
    corruption, model = LabelCorruption(), MLP([16])
    data = Synthetic(randomization=RandomLabels(), num_train=64, num_test=8)
    train(model, data, corruption, max_epochs=3, check_val_every_n_epoch=2)
    assert corruption.summary()["corrupted_accuracy"] is not None


@pytest.mark.parametrize("randomization", [TrueLabels(), GaussianPixels()], ids=["TrueLabels", "GaussianPixels"])
def test_where_no_label_is_corrupted_there_is_nothing_to_record(randomization):
    corruption = LabelCorruption()
    train(MLP([4]), Synthetic(randomization=randomization, num_train=20, num_test=8), corruption, max_epochs=1)
    assert corruption.summary() == {}


# History.


def test_the_columns_of_the_history_are_in_their_places():
    rows = [
        {
            "epoch": 1,
            "step": 5,
            "images_per_second": 2.0,
            "test/loss": 0.123456789012,
            "learning_rate": 0.01,
            "online/loss": 1.0,
        },
        {
            "epoch": 2,
            "step": 10,
            "train/loss": math.nan,
            "train/accuracy": 1.0,
            "seconds/train": 3.0,
            "a": 1e-12,
        },
    ]
    assert format_rows(rows).splitlines() == [
        "epoch,step,train/loss,train/accuracy,online/loss,a,test/loss,learning_rate,seconds/train,images_per_second",
        "1,5,,,1,,0.123456789,0.01,,2",
        "2,10,nan,1,,1e-12,,,3,",
    ]


def test_the_history_of_a_run_has_every_column(tmp_path):
    data = Synthetic(randomization=PartiallyCorruptedLabels(0.5), num_train=40, num_test=20, validation_size=10)
    train(MLP([4]), data, History(), max_epochs=2, folder=tmp_path)
    header = (tmp_path / "history.csv").read_text().splitlines()[0].split(",")
    assert (
        tuple(header[:6])
        == FIRST
        == ("epoch", "step", "train/loss", "train/accuracy", "online/loss", "online/accuracy")
    )
    assert tuple(header[-4:]) == LAST
    assert set(header[6:-4]) == {
        *("test/loss", "test/accuracy", "test_randomized/loss", "test_randomized/accuracy"),
        *("validation/loss", "validation/accuracy"),
        *("train_clean/accuracy", "train_corrupted/accuracy", "train_corrupted/recovered"),
    }


# The record.


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, MLP, Synthetic]:
    folder = tmp_path_factory.mktemp("record")
    model, data = (
        MLP([16]),
        Synthetic(randomization=RandomLabels(2), num_train=64, num_test=20, validation_size=8),
    )
    callbacks = [Convergence(), BestTestAccuracy(), LabelCorruption(), History(), Record()]
    train(model, data, *callbacks, max_epochs=3, folder=folder)
    return Run.open(folder), model, data


def test_the_record_is_complete(recorded):
    run, _, data = recorded
    record = run.record
    assert record["format"] == 2
    assert record["run_id"] == run.path.name
    assert record["model"] == {"class": "MLP", "parameters": 2352 * 16 + 16 + 16 * 10 + 10, "init_args": {}}
    assert record["data"]["digests"] == data.digests
    assert set(data.digests) == {"train", "test_randomized", "validation"}
    assert record["randomization"] == {"class": "RandomLabels", "seed": 2, "probability": 1.0}
    assert set(record["convergence"]["rules"]) == set(RULES)
    assert set(record["best_test_accuracy"]) == {"test", "test_randomized", "validation", "by_validation"}
    assert record["label_corruption"]["corrupted"] == 56
    assert {"seconds/total", "seconds/train", "seconds/evaluation", "epochs"} <= record["durations"].keys()
    environment = record["environment"]
    keys = {"versions", "git_commit", "device", "precision", "engine", "threads", "world_size"}
    assert keys <= environment.keys()
    assert {"python", "torch", "lightning", "numpy"} <= environment["versions"].keys()
    assert environment["precision"] == "32-true"
    assert environment["world_size"] == 1
    assert environment["threads"] == torch.get_num_threads()
    assert environment["device"].startswith("cpu")


def test_the_final_metrics_are_the_last_row_of_the_history(recorded):
    run, model, _ = recorded
    assert run.record["final"] == {"epoch": 3, "step": 3} | model.epoch_metrics
    for name, value in run.record["final"].items():
        assert run.history[name][-1] == pytest.approx(value, rel=1e-8), name


def test_the_final_weights_are_kept_and_load(recorded):
    run, model, _ = recorded
    saved = torch.load(run.path / "checkpoints" / "final.ckpt", weights_only=True)["state_dict"]
    other = MLP([16], seed=9)
    other.load_state_dict(saved)
    assert all(map(torch.equal, other.network.parameters(), model.network.parameters()))


def test_the_final_metrics_are_those_of_one_epoch(tmp_path):
    """The last epoch that was evaluated; never the loss of one epoch at the step of another."""
    model, history = MLP([4]), History()
    data = Synthetic(num_train=64, num_test=8)
    train(model, data, history, Record(), max_epochs=3, check_val_every_n_epoch=2, folder=tmp_path)
    final = json.loads((tmp_path / "record.json").read_text())["final"]
    assert final["epoch"] == 2
    assert all(history.rows[1][name] == value for name, value in final.items())


def test_the_record_is_written_last_and_not_at_all_after_an_error(tmp_path, monkeypatch):
    order: list[str] = []
    import rethink.callbacks.history as history
    import rethink.callbacks.record as record

    for module, name in ((history, "write_text"), (record, "write_json")):
        write = getattr(module, name)
        monkeypatch.setattr(
            module, name, lambda path, content, w=write, **more: (order.append(path.name), w(path, content, **more))
        )
    train(
        MLP([4]),
        Synthetic(num_train=20, num_test=8),
        Record(),
        History(),
        max_epochs=1,
        folder=tmp_path / "done",
    )
    assert order[-1] == "record.json"
    assert order.count("record.json") == 1

    class Breaks(History):
        def measure(self, *args: Any) -> None:
            raise RuntimeError("in the middle")

    with pytest.raises(RuntimeError, match="in the middle"):
        train(
            MLP([4]),
            Synthetic(num_train=20, num_test=8),
            Breaks(),
            Record(),
            max_epochs=1,
            folder=tmp_path / "broken",
        )
    assert not (tmp_path / "broken" / "record.json").exists()


def test_a_file_is_whole_or_as_it_was(tmp_path):
    from rethink.files import write_atomically

    path = tmp_path / "record.json"
    path.write_text("old")

    def breaks(file: Any) -> None:
        file.write(b"half of the n")
        raise OSError(28, "No space left on device")

    with pytest.raises(UserError, match="No space left"):
        write_atomically(path, breaks)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_what_json_lacks_becomes_null():
    value = {"a": [1.0, math.nan, (math.inf, -math.inf)], "b": {"c": 2, "d": "nan"}}
    assert finite(value) == {"a": [1.0, None, [None, None]], "b": {"c": 2, "d": "nan"}}


@pytest.mark.parametrize("width", [40, 60, 80, 200])
def test_a_narrow_terminal_keeps_epoch_and_time_left(width):
    fields = {
        "epoch": "epoch 12/1000",
        "rate": "123.4 steps/s",
        "loss": "0.1234",
        "train": "12.34 %",
        "test": "10.00 %",
    }
    text = line(fields | {"left": "1:02:34"}, width)
    assert len(text) <= width
    assert text.startswith("epoch 12/1000")
    assert text.endswith("1:02:34 left")
    assert ("train 12.34 %" in text) == (width >= 60)
    assert ("123.4 steps/s" in text) == (width > 80)


class Suspended:
    """As much of a Trainer as the display needs, after four of a hundred epochs."""

    train_dataloader = SimpleNamespace(steps=10)
    num_training_batches, max_epochs, max_steps, global_step = 1, 100, -1, 40


def test_the_time_left_forgets_the_night_in_which_a_run_was_suspended():
    trainer, display = Suspended(), ProgressDisplay()
    epochs = [{"seconds/train": seconds, "seconds/evaluation": 2.0} for seconds in (9, 8, 39_979, 8)]
    journal_of(trainer).rows.extend(epochs)
    display._update(trainer, 4)
    assert display._fields["left"] == "0:16:00"  # 96 epochs of 10 s


def test_a_log_file_has_readable_lines(fit, capsys):
    fit(
        *("--data", "Synthetic", "--model", "MLP", "--model.hidden_sizes", "[8]", "--trainer.max_epochs", "3"),
        *("--trainer.devices", "1", "--progress.log_every_seconds", "0"),
    )
    lines = capsys.readouterr().err.splitlines()
    assert [line.split()[1] for line in lines] == ["1/3", "2/3", "3/3", "3/3"]  # each epoch, and the end
    number, left = r"\d+(\.\d+)?", r"(\d:\d\d:\d\d|nothing) left"
    shown = rf"epoch \d/3  {number} steps/s  loss {number}  train {number} %  test {number} %  {left}"
    assert all(re.fullmatch(shown, line) for line in lines)
