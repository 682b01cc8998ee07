"""A signal ends a run where it can be saved; the same command goes on and ends the same, to the last bit."""

import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from lightning.pytorch import Callback
from processes import at_step, fork
from test_ddp import OPTIONS as SHARED
from test_ddp import TWO
from test_resume import OPTIONS, assert_same, result, undisturbed  # noqa: F401
from test_training import train as train_bare

import rethink.models.classifier as classifier
from rethink.callbacks.checkpoint import RunCheckpoint
from rethink.cli import main
from rethink.cluster import preemption, slurm
from rethink.cluster.preemption import EXIT_CODE, received, signals_noted
from rethink.data import ImageDataModule, Synthetic
from rethink.models import MLP
from rethink.running.trainer import cluster_environment
from rethink.training import lightning_internals

# Nothing is saved but because of a signal. Blocks begin at the steps 0, 4, 8 and 12, the last, of each epoch of 13.
UNSAVED = ["--checkpoint.every_seconds", "10000", "--checkpoint.every_n_steps", "null"]


def train(runs: Path, *more: str) -> None:
    main([*OPTIONS, *UNSAVED, "--runs", str(runs), *more])


def send(*signals: int) -> Callable[[], None]:
    """Sends them to this process."""

    def act() -> None:
        for number in signals:
            os.kill(os.getpid(), number)

    return act


def preempted(runs: Path, step: int, *signals: int) -> int:
    """Trains in another process that gets signals before its step number `step`; returns how it ended."""

    def work() -> None:
        at_step(step, send(*(signals or [signal.SIGTERM])))
        train(runs)

    return fork(work)


@pytest.mark.parametrize(
    ("steps", "said"),
    [
        pytest.param([0], ["at step 4: saved"], id="first step"),
        pytest.param([6], ["at step 8: saved"], id="within an epoch"),
        pytest.param([11], ["at step 12: saved"], id="before the last block of an epoch"),
        pytest.param([12], ["at step 13: saved"], id="in the last block of an epoch"),
        pytest.param([25], ["at step 26: saved"], id="in that of another"),
        pytest.param([5, 5, 9], ["at step 8", "at step 17", "at step 30"], id="again and again"),
        pytest.param([12, 12], ["at step 13", "at step 26"], id="at the end of each epoch"),
    ],
)
def test_a_preempted_run_ends_as_an_undisturbed_one(tmp_path, undisturbed, capfd, steps, said):  # noqa: F811
    for step, expected in zip(steps, said, strict=True):
        assert preempted(tmp_path, step) == EXIT_CODE == 75
        line = capfd.readouterr().err.strip().splitlines()[-1]
        assert line.startswith("rethink: preempted by SIGTERM")
        assert expected in line
        assert line.endswith("the same command goes on from there")
        (folder,) = tmp_path.glob("*")
        assert not (folder / "lease.json").exists()
        assert not (folder / "record.json").exists()
    assert fork(lambda: train(tmp_path)) == 0
    assert_same(result(tmp_path), undisturbed)


@pytest.mark.parametrize("number", preemption.SIGNALS, ids=lambda number: number.name)
def test_each_signal(tmp_path, capfd, number):
    assert preempted(tmp_path, 2, number) == (130 if number == signal.SIGINT else EXIT_CODE)
    assert f"preempted by {number.name} at step 4" in capfd.readouterr().err


def test_a_second_ctrl_c_ends_at_once_and_the_first_one_passed_on_is_no_second(tmp_path, undisturbed, capfd):  # noqa: F811
    def work() -> None:
        def act() -> None:
            send(signal.SIGINT, signal.SIGINT)()
            preemption._received_at -= 1
            send(signal.SIGINT)()

        at_step(6, act)
        try:
            train(tmp_path)
        except KeyboardInterrupt:
            os._exit(99)

    assert fork(work) == 99
    (folder,) = tmp_path.glob("*")
    assert not (folder / "lease.json").exists()
    assert not (folder / "checkpoints").exists()  # step 8 was not reached
    assert fork(lambda: train(tmp_path)) == 0
    assert_same(result(tmp_path), undisturbed)


def test_a_signal_that_nohup_ignores_stays_ignored():
    def work() -> None:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        with signals_noted():
            send(signal.SIGHUP)()
            assert received() is None
            assert signal.SIGHUP not in preemption.stop_signals()

    assert fork(work) == 0


def test_after_ctrl_c_slurm_is_not_asked_to_start_again(play_slurm, tmp_path):
    log = play_slurm()
    assert preempted(tmp_path / "runs", 6, signal.SIGINT) == preemption.INTERRUPTED
    assert not log.exists()


def test_a_second_signal_does_no_harm(tmp_path, undisturbed, capfd):  # noqa: F811
    def work() -> None:
        at_step(6, send(signal.SIGUSR1, signal.SIGTERM, signal.SIGTERM))
        save = RunCheckpoint.save

        def disturbed(self: RunCheckpoint, trainer) -> None:
            send(signal.SIGTERM, signal.SIGUSR2)()
            save(self, trainer)
            send(signal.SIGTERM)()

        RunCheckpoint.save = disturbed
        train(tmp_path)

    assert fork(work) == EXIT_CODE
    assert "preempted by SIGUSR1 at step 8" in capfd.readouterr().err
    assert fork(lambda: train(tmp_path)) == 0
    assert_same(result(tmp_path), undisturbed)


@pytest.mark.parametrize("epoch", [1, 2])
def test_a_signal_during_the_evaluation(tmp_path, undisturbed, capfd, epoch):  # noqa: F811
    def work() -> None:
        evaluate = classifier.Classifier.validation_step

        def validation_step(self, chunk, batch_idx, dataloader_idx=0) -> None:
            if self.trainer.current_epoch + 1 == epoch:
                send(signal.SIGTERM)()
            evaluate(self, chunk, batch_idx, dataloader_idx)

        classifier.Classifier.validation_step = validation_step
        train(tmp_path)

    assert fork(work) == EXIT_CODE
    assert f"at step {13 * epoch}: saved" in capfd.readouterr().err
    (history,) = tmp_path.glob("*/history.csv")
    assert len(history.read_text().splitlines()) == 1 + epoch  # the evaluation was ended and kept
    assert fork(lambda: train(tmp_path)) == 0
    assert_same(result(tmp_path), undisturbed)


def test_a_signal_when_training_is_over_lets_the_run_finish(tmp_path, undisturbed):  # noqa: F811
    assert preempted(tmp_path, 38) == 0
    assert_same(result(tmp_path), undisturbed)


def test_a_signal_before_the_first_step(tmp_path, undisturbed, capfd):  # noqa: F811
    def work() -> None:
        setup = ImageDataModule.setup

        def disturbed(self: ImageDataModule, stage: str | None = None) -> None:
            send(signal.SIGTERM)()
            setup(self, stage)

        ImageDataModule.setup = disturbed
        train(tmp_path)

    assert fork(work) == EXIT_CODE
    assert "at step 0: nothing was trained since" in capfd.readouterr().err
    assert preempted(tmp_path, 6) == EXIT_CODE
    assert fork(work) == EXIT_CODE  # what was saved before stays
    assert "at step 8: nothing was trained since it was saved" in capfd.readouterr().err
    assert fork(lambda: train(tmp_path)) == 0
    assert_same(result(tmp_path), undisturbed)


def test_a_signal_during_the_imports_is_noted():
    def work() -> None:
        seen = []

        def begin(arguments: list[str]) -> None:
            send(signal.SIGTERM)()
            seen.append(received())

        sys.modules["rethink.running.command"] = SimpleNamespace(main=begin)  # type: ignore[assignment]
        main(["fit"])
        assert seen == [signal.SIGTERM]
        main(["validate"])  # where it has its usual effect

    assert fork(work) == -signal.SIGTERM


def test_the_handlers_before_are_put_back():
    before = [signal.getsignal(number) for number in preemption.SIGNALS]
    with signals_noted():
        assert received() is None
        send(signal.SIGUSR2, signal.SIGTERM)()
        assert received() == signal.SIGUSR2
    assert [signal.getsignal(number) for number in preemption.SIGNALS] == before
    with signals_noted():
        assert received() is None


def test_a_thread_leaves_signals_alone():
    def work() -> None:
        with signals_noted():
            assert signal.getsignal(signal.SIGTERM) == before
        passed.append(True)

    before, passed = signal.getsignal(signal.SIGTERM), []
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert passed


def test_the_contract_with_lightning_on_signals(tmp_path):
    """It registers no handler of its own, with or without SLURM, and restores nothing that it did not change."""
    seen = []

    class Watch(Callback):
        def on_train_start(self, trainer, pl_module):
            seen.append(signal.getsignal(signal.SIGTERM))

        def setup(self, trainer, pl_module, stage):
            lightning_internals.leave_signals_alone(trainer)

    with signals_noted():
        train_bare(MLP([4]), Synthetic(num_train=32, num_test=4), Watch(), max_epochs=1, folder=tmp_path)
        assert signal.getsignal(signal.SIGTERM) == preemption._note
    assert seen == [preemption._note]


# Several processes.

DDP = [*SHARED, "--data.steps_per_call", "1", "--model", "MLP", "--model.hidden_sizes", "[16]", *UNSAVED, *TWO]


def train_two(runs: Path) -> None:
    main([*DDP, "--runs", str(runs)])


@pytest.fixture(scope="module")
def undisturbed_two(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict, dict, dict]:
    runs = tmp_path_factory.mktemp("undisturbed_two")
    assert fork(lambda: train_two(runs)) == 0
    return result(runs)


@pytest.mark.parametrize(
    ("rank", "step", "steps"),
    [
        pytest.param("0", 1, 2, id="the first, within an epoch", marks=pytest.mark.slow),
        pytest.param("1", 1, 2, id="the second, within an epoch"),
        pytest.param("1", 4, 5, id="the second, in its last block", marks=pytest.mark.slow),
        pytest.param("none", 1, 2, id="the process that waits for them", marks=pytest.mark.slow),
        pytest.param("all", 1, 2, id="Ctrl-C in their terminal"),
    ],
)
def test_all_ranks_leave_together(tmp_path, undisturbed_two, rank, step, steps, capfd):
    def disturbed() -> None:
        def act() -> None:
            if os.environ["LOCAL_RANK"] == rank:
                send(signal.SIGTERM)()
            elif rank == "none" and os.environ["LOCAL_RANK"] == "1":
                os.kill(parent, signal.SIGUSR1)
            elif rank == "all":
                send(signal.SIGINT)()
                if os.environ["LOCAL_RANK"] == "1":
                    os.kill(parent, signal.SIGINT)

        parent = os.getpid()
        at_step(step, act)
        train_two(tmp_path)

    assert fork(disturbed) == (preemption.INTERRUPTED if rank == "all" else EXIT_CODE)
    assert "preempted" in capfd.readouterr().err
    (saved,) = tmp_path.glob("*/checkpoints/last.ckpt")
    step = torch.load(saved, weights_only=True)["global_step"]
    assert step == steps or (rank == "none" and step >= steps)  # which is asked a little later
    assert fork(lambda: train_two(tmp_path)) == 0
    assert_same(result(tmp_path), undisturbed_two)


# SLURM, as far as it can be played; tests/slurm has a real one.


def test_a_job_is_requeued_when_it_has_been_saved(tmp_path, play_slurm, capfd):
    log = play_slurm(answer=f"ls {tmp_path}/runs/*/checkpoints >> {tmp_path}/asked")
    assert preempted(tmp_path / "runs", 6, signal.SIGUSR1) == EXIT_CODE
    assert log.read_text().splitlines() == [
        "squeue --noheader --format=%T %r --jobs=12",
        "scontrol requeue 12",
        "last.ckpt",
    ]
    assert "saved; SLURM starts job 12 again; the same command goes on" in capfd.readouterr().err


def test_a_requeue_that_fails_is_said(play_slurm):
    play_slurm(answer="echo slurm_requeue error: Requested operation is disabled >&2; exit 1")
    assert slurm.requeue() == (
        "SLURM does not requeue job 12 (slurm_requeue error: Requested operation is disabled), so submit it again"
    )


def test_a_cancelled_job_does_not_come_back(play_slurm):
    log = play_slurm(state="COMPLETING None")
    assert "not requeued" in slurm.requeue()
    assert "scontrol" not in log.read_text()


def test_a_job_at_its_time_limit_and_a_task_of_an_array(play_slurm, monkeypatch):
    log = play_slurm(state="COMPLETING TimeLimit")
    monkeypatch.setenv("SLURM_ARRAY_JOB_ID", "11")
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "3")
    assert slurm.requeue() == "SLURM starts job 11_3 again"
    assert "scontrol requeue 11_3" in log.read_text()


def test_without_slurm_nothing_is_asked(monkeypatch):
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    assert slurm.requeue() == ""


def test_a_requeued_job_does_not_begin_anew(tmp_path, undisturbed, monkeypatch, capfd):  # noqa: F811
    """Its command is that of the first start, --force included."""

    def work() -> None:
        at_step(6, send(signal.SIGTERM))
        train(tmp_path, "--force")

    assert fork(work) == EXIT_CODE
    assert capfd.readouterr().err.strip().endswith("the same command goes on from there, without --force")
    monkeypatch.setenv("SLURM_RESTART_COUNT", "1")

    def again() -> None:
        at_step(39 - 8, send(signal.SIGKILL))  # there are no more steps left than these
        train(tmp_path, "--force")

    assert fork(again) == 0
    assert_same(result(tmp_path), undisturbed)
    assert fork(lambda: train(tmp_path, "--force")) == 0
    assert "is finished" in capfd.readouterr().out


def test_lightning_finds_slurm_without_its_handler_and_torchrun_first(monkeypatch):
    for name in [name for name in os.environ if name.startswith(("SLURM_", "TORCHELASTIC_"))]:
        monkeypatch.delenv(name)
    assert cluster_environment() == []
    monkeypatch.setenv("SLURM_NTASKS", "1")
    monkeypatch.setenv("SLURM_JOB_NAME", "fit")
    (environment,) = cluster_environment()
    assert environment.auto_requeue is False
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "1")
    assert cluster_environment() == []
