"""What a run keeps of its training, without a Trainer; and what of it says that a run is whole."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from lightning.pytorch import Callback

from rethink.cli import main
from rethink.errors import UserError
from rethink.runs import code
from rethink.runs.journal import CUT_SHORT, Journal, SavingClock, ending, seconds_per_epoch
from rethink.runs.run import CUT_SHORT_RECORD, Run


class Clock:
    """Shows the time that a test sets."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_journal_is_fed_epochs_and_keeps_rows_clocks_and_the_last_numbers():
    clock = Clock()
    journal = Journal(clock)
    journal.start()
    journal.begin_epoch()
    clock.now = 4.0
    journal.begin_evaluation()
    clock.now = 5.0
    assert journal.add(1, 10, {"train/loss": 2.0}, images=100) == {
        "epoch": 1,
        "step": 10,
        "train/loss": 2.0,
        "seconds/train": 4.0,
        "seconds/evaluation": 1.0,
        "images_per_second": 25.0,
    }
    journal.note(1, 10, {"train/loss": 2.0})
    journal.note(2, 20, {"online/loss": 1.0})  # not evaluated: the last whole numbers stay
    assert journal.final == {"epoch": 1, "step": 10, "train/loss": 2.0}
    assert journal.durations() == {"epochs": 1, "seconds/train": 4.0, "seconds/evaluation": 1.0}
    later = Journal(clock, journal.rows, journal.final, journal.total)
    clock.now = 7.0
    assert (journal.total, later.total) == (7.0, 7.0)


def test_an_epoch_in_which_a_run_was_suspended_does_not_count_for_what_is_left():
    hour = 3600.0
    assert seconds_per_epoch([10.0, 12.0, 11.0, 9 * hour, 2 * hour], [2.0] * 5) == 12 + 2
    assert seconds_per_epoch([10.0, 9 * hour], []) == 10
    assert seconds_per_epoch([10.0] * 4, [8.0, 9 * hour]) == 10 + 8 / 2  # of every second epoch


def test_the_clock_of_checkpoints_counts_seconds_after_epochs_and_steps_within_them():
    clock = Clock()
    saving = SavingClock(60.0, every_n_steps=10, clock=clock)
    assert [saving.due_within_epoch(step) for step in (9, 10)] == [False, True]
    clock.now = 60.0
    assert saving.due_after_epoch()
    saving.saved(10)
    assert not saving.due_after_epoch()
    assert not saving.due_within_epoch(19)
    assert not SavingClock(60.0).due_within_epoch(10**9)
    saving = SavingClock(60.0, every_n_minutes=2.0, clock=clock)
    clock.now = 60.0 + 119.0
    assert not saving.due_within_epoch(10**9)
    clock.now = 60.0 + 120.0
    assert saving.due_within_epoch(1)


@pytest.mark.parametrize(
    ("epoch", "step", "how", "expected"),
    [
        (3, 30, {}, "budget spent"),
        (3, 30, {"whole_epoch": False}, CUT_SHORT),
        (2, 25, {"max_steps": 25, "max_epochs": None}, "budget spent"),
        (2, 20, {}, CUT_SHORT),
        (0, 0, {}, CUT_SHORT),
        (0, 0, {"max_epochs": 0}, CUT_SHORT),
        (2, 20, {"max_epochs": -1}, CUT_SHORT),
        (2, 20, {"stop_rule_met": True}, "stop rule met"),
        (2, 20, {"stopped_early": True}, "stopped early"),
        (2, 20, {"diverged": True}, "diverged"),
    ],
)
def test_a_run_is_whole_where_its_budget_or_a_rule_ended_it(epoch, step, how, expected):
    assert ending(epoch, step, **({"max_epochs": 3, "max_steps": -1} | how)) == expected


class Interferes(Callback):
    """Sets `should_stop` for no reason that the options have, within an epoch or at its end."""

    def __init__(self, within: bool = False) -> None:
        self.within = within

    def on_train_batch_end(self, trainer: Any, *_: Any) -> None:
        if self.within and trainer.current_epoch == 1 and STOPS:
            trainer.should_stop = True

    def on_train_epoch_end(self, trainer: Any, *_: Any) -> None:
        if not self.within and trainer.current_epoch == 1 and STOPS:
            trainer.should_stop = True


STOPS: list[bool] = []
FIT = ["fit", "--config", "configs/base.yaml", "--config", "configs/data/synthetic.yaml", "--model", "MLP"]
FIT += ["--model.hidden_sizes", "[4]", "--trainer.max_epochs", "3", "--trainer.devices", "1", "--precision", "32-true"]
FIT += ["--data.num_train", "64", "--data.batch_size", "8", "--data.steps_per_call", "2"]


def only_run(runs: Path) -> Path:
    (config,) = runs.glob("*/config.yaml")
    return config.parent


def history(folder: Path) -> list[str]:
    """Without the times."""
    return [line.rsplit(",", 3)[0] for line in (folder / "history.csv").read_text().splitlines()]


@pytest.mark.parametrize("within", [False, True])
def test_a_run_that_was_cut_short_is_no_finished_one_and_goes_on(within, runs, capsys, monkeypatch):
    command = [*FIT, f"--trainer.callbacks+={__name__}.Interferes", f"--trainer.callbacks.within={within}"]
    main(command)
    folder = only_run(runs)
    whole = history(folder)
    assert Run.open(folder).record["ended"] == "budget spent"
    monkeypatch.setattr(sys.modules[__name__], "STOPS", [True])
    with pytest.raises(SystemExit) as exit:
        main([*command, "--force"])
    assert exit.value.code == 2
    assert "was cut short" in capsys.readouterr().err
    assert json.loads((folder / CUT_SHORT_RECORD).read_text())["outcome"] == CUT_SHORT
    with pytest.raises(UserError, match="cut short"):
        Run.open(folder)
    monkeypatch.setattr(sys.modules[__name__], "STOPS", [])
    main(command)
    assert history(folder) == whole
    assert not (folder / CUT_SHORT_RECORD).exists()


@pytest.mark.parametrize("options", [["--trainer.max_epochs", "0"], ["--trainer.limit_train_batches", "0"]])
def test_a_run_that_would_train_nothing_is_refused(options, runs, capsys):
    with pytest.raises(SystemExit):
        main([*FIT, *options])
    assert "0 trains nothing" in capsys.readouterr().err
    assert not list(runs.glob("*"))


def test_early_stopping_is_a_rule_that_was_asked_for(runs):
    main(
        [
            *FIT,
            "--trainer.callbacks+=EarlyStopping",
            "--trainer.callbacks.monitor=train/loss",
            "--trainer.callbacks.stopping_threshold=1000",
        ]
    )
    run = Run.open(only_run(runs))
    assert (run.record["ended"], run.last_epoch) == ("stopped early", 1)


# The code that a run was computed by.

OWN = '''
from rethink.models import MLP


class Mine(MLP):
    """A network of one's own."""  # with a comment

    def forward(self, images):
        return super().forward(images) * {factor}
'''


def test_a_finished_run_whose_code_has_changed_is_not_taken_as_finished(runs, tmp_path, capsys, monkeypatch):
    file = tmp_path / "mine_of_a_test.py"
    file.write_text(OWN.format(factor=1))
    monkeypatch.syspath_prepend(tmp_path)
    command = [word if word != "MLP" else "mine_of_a_test.Mine" for word in FIT]
    main(command)
    run = Run.open(only_run(runs))
    assert list(run.record["code"]["modules"]) == ["mine_of_a_test"]
    file.write_text(
        OWN.format(factor=1).replace("# with a comment", "").replace("of one's own", "as before") + "\n# more"
    )
    assert Run.open(run.path).changed_code == []
    file.write_text(OWN.format(factor=2))
    assert Run.open(run.path).changed_code == [str(file)]
    capsys.readouterr()
    with pytest.raises(SystemExit):
        main(command)
    assert "has changed since" in capsys.readouterr().err
    main(["show", run.run_id])
    assert "code has changed since" in capsys.readouterr().out
    monkeypatch.setattr(code, "NUMBERS", code.NUMBERS + 1)
    assert len(Run.open(run.path).changed_code) == 2
