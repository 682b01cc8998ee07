"""The lease of a run: one process at a time, a dead owner loses it, a live one never does."""

import json
import os
import signal
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from processes import fork

from rethink.cli import main
from rethink.cluster import lease as leases
from rethink.cluster.lease import STALE_AFTER, Busy, Lease, Owner, holder
from rethink.errors import UserError

ELSEWHERE = replace(Owner.this_process(), host="node7", scope="another boot", job="12_3", token="theirs")


def write(folder: Path, owner: Owner = ELSEWHERE, age: float = 0.0) -> Path:
    """A lease that was last renewed `age` seconds ago."""
    path = folder / leases.NAME
    path.write_text(json.dumps(asdict(owner)))
    os.utime(path, (time.time() - age,) * 2)
    return path


def take(folder: Path) -> bool:
    try:
        with Lease(folder).held():
            return True
    except Busy:
        return False


def in_the_background(work: Callable[[], object]) -> int:
    """Forks a process, which ends with code 0 if `work` returns something true."""
    child = os.fork()
    if child == 0:
        try:
            os._exit(0 if work() else 1)
        finally:
            os._exit(2)
    return child


def exit_codes(children: list[int]) -> list[int]:
    return sorted(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children)


def wait_for(condition: Callable[[], object]) -> None:
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Renewals that a test can wait for."""
    monkeypatch.setattr(leases, "RENEWED_EVERY", 0.05)
    monkeypatch.setattr(leases, "_GRACE", 0.1)


def test_it_says_who_trains_and_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("SLURM_JOB_ID", "77")
    folder = tmp_path / "run"
    assert holder(folder) is None
    with Lease(folder).held() as lease:
        owner = holder(folder)
        assert owner == lease.owner
        assert (owner.pid, owner.job) == (os.getpid(), "77")
        assert f"process {os.getpid()} on {owner.host}, SLURM job 77" == str(owner)
        with pytest.raises(Busy, match=f"being trained by another process: process {os.getpid()} on .* job 77"):
            Lease(folder)._acquire()
        assert os.listdir(folder) == [leases.NAME]
        assert not lease.lost
    assert os.listdir(folder) == []
    assert take(folder)


# Two at a time: many tries, started together, and each winner stays until all others have given up.

RACERS = 6


@pytest.mark.parametrize("locks", [True, False], ids=["locks on folders", "no locks"])
@pytest.mark.parametrize("before", ["nothing", "stale", "dead", "damaged"])
def test_exactly_one_of_many_wins(tmp_path, before, locks, monkeypatch):
    if not locks:
        import fcntl

        monkeypatch.setattr(fcntl, "flock", _no_locks)
    for number in range(5):
        folder = tmp_path / str(number)
        folder.mkdir()
        start, end = folder / "start", folder / "end"
        match before:
            case "stale":
                write(folder, age=STALE_AFTER + 5)
            case "dead":
                write(folder, replace(Owner.this_process(), started="long ago"))
            case "damaged":
                write(folder, age=STALE_AFTER + 5).write_text("{")
                os.utime(folder / leases.NAME, (0, 0))

        def race(folder: Path = folder, start: Path = start, end: Path = end) -> bool:
            wait_for(start.exists)
            try:
                with Lease(folder).held() as lease:
                    (folder / f"won by {os.getpid()}").touch()
                    wait_for(end.exists)
                    return not lease.lost
            except Busy:
                (folder / f"refused {os.getpid()}").touch()
                return False

        children = [in_the_background(race) for _ in range(RACERS)]
        start.touch()
        wait_for(lambda folder=folder: len([*folder.glob("won*"), *folder.glob("refused*")]) == RACERS)
        end.touch()
        assert exit_codes(children) == [0] + [1] * (RACERS - 1)
        assert not [*folder.glob(".lease*"), *folder.glob("lease*")]


def _no_locks(descriptor: int, operation: int) -> None:
    raise OSError("this file system has none")


def test_without_hard_links(tmp_path, monkeypatch):
    def link(*paths: Path) -> None:
        raise PermissionError("this file system has none")

    monkeypatch.setattr(os, "link", link)
    with Lease(tmp_path).held() as lease:
        assert holder(tmp_path) == lease.owner
        assert not take(tmp_path)
    write(tmp_path, age=STALE_AFTER + 5)
    assert take(tmp_path)


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"cannot write to .*file.*--runs"):
        Lease(tmp_path / "file" / "run")._acquire()


# Who is dead.


def test_a_killed_owner_loses_it_at_once(tmp_path):
    def hold() -> None:
        with Lease(tmp_path).held():
            time.sleep(60)

    child = in_the_background(hold)
    wait_for(lambda: holder(tmp_path))
    assert not take(tmp_path)
    os.kill(child, signal.SIGSTOP)
    assert not take(tmp_path)  # it is not dead
    os.kill(child, signal.SIGKILL)
    wait_for(lambda: holder(tmp_path) is None)  # also while its parent has not asked how it ended
    assert take(tmp_path)
    os.waitpid(child, 0)


def test_a_reused_pid_is_not_the_owner(tmp_path):
    write(tmp_path, replace(Owner.this_process(), started="1"))
    assert holder(tmp_path) is None
    assert take(tmp_path)


def test_another_machine_loses_it_by_age_only(tmp_path):
    write(tmp_path, age=STALE_AFTER - 20)
    assert holder(tmp_path) == ELSEWHERE
    with pytest.raises(Busy, match=r"process \d+ on node7, SLURM job 12_3\. Wait for it"):
        Lease(tmp_path)._acquire()
    write(tmp_path, age=STALE_AFTER + 5)
    assert holder(tmp_path) is None
    assert take(tmp_path)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"pid": 1}', "\x00\x00"])
def test_a_damaged_one_is_lost_by_age_only(tmp_path, content):
    path = write(tmp_path)
    path.write_text(content)
    assert holder(tmp_path) is None
    with pytest.raises(Busy, match="damaged"):
        Lease(tmp_path)._acquire()
    os.utime(path, (time.time() - STALE_AFTER - 5,) * 2)
    assert take(tmp_path)


@pytest.mark.parametrize("hours", [-5, 5])
def test_a_wrong_clock_takes_nothing_from_a_live_owner_and_leaves_nothing_to_a_dead_one(tmp_path, monkeypatch, hours):
    right = time.time
    monkeypatch.setattr(time, "time", lambda: right() + 3600 * hours)
    path = write(tmp_path)
    os.utime(path)
    assert not take(tmp_path)
    os.utime(path, (right() - STALE_AFTER - 5,) * 2)
    assert take(tmp_path)


# A live owner.


def test_it_is_renewed(tmp_path, quick):
    with Lease(tmp_path).held() as lease:
        os.utime(lease.path, (0, 0))
        wait_for(lambda: lease.path.stat().st_mtime > time.time() - 60)
        assert not lease.lost


@pytest.mark.parametrize("fate", ["gone", "another's"])
def test_an_owner_notices_that_it_has_lost_it(tmp_path, quick, fate):
    with Lease(tmp_path).held() as lease:
        lease.path.unlink()
        if fate == "another's":
            write(tmp_path)
        wait_for(lambda: lease.lost)
    assert lease.path.exists() == (fate == "another's")  # it takes nothing away from its successor


def test_a_forked_process_notices_too_and_leaves_the_lease_alone(tmp_path, quick):
    with Lease(tmp_path).held() as lease:
        assert fork(lambda: lease._release()) == 0
        assert holder(tmp_path) == lease.owner

        def notices() -> None:
            wait_for(lambda: lease.lost)

        write(tmp_path)
        assert fork(notices) == 0


def test_one_put_back_in_time_is_not_lost(tmp_path, monkeypatch):
    """Where someone has moved it away by mistake and puts it back."""
    with Lease(tmp_path).held() as lease:
        aside = tmp_path / "aside"
        lease.path.rename(aside)
        monkeypatch.setattr(time, "sleep", lambda seconds: aside.rename(lease.path))
        lease._check()
        assert not lease.lost


# The command line.

TINY = [
    *("fit", "--precision", "32-true", "--model", "MLP", "--model.hidden_sizes", "[4]", "--data", "Synthetic"),
    *("--data.num_train", "64", "--data.num_test", "20", "--trainer.max_epochs", "2", "--trainer.devices", "1"),
    *("--data.batch_size", "8", "--data.steps_per_call", "1", "--trainer.accelerator", "cpu"),
]


def run_of(runs: Path) -> Path:
    (folder,) = runs.glob("*")
    return folder


def test_a_run_that_another_process_trains_is_refused_by_name(runs, capsys):
    main(TINY)
    folder = run_of(runs)
    (folder / "record.json").unlink()
    write(folder)
    before = {path: path.read_bytes() for path in folder.rglob("*.*")}
    with pytest.raises(SystemExit) as exit:
        main([*TINY, "--force"])
    assert exit.value.code == 2
    assert "being trained by another process: process" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in folder.rglob("*.*")} == before


def test_a_run_that_was_refused_leaves_no_folder(runs):
    with pytest.raises(SystemExit):
        main([*TINY, "--data.train_size", "9999"])
    assert not list(runs.glob("*"))


@pytest.mark.parametrize("step", [3, 8], ids=["within an epoch", "at its end"])
def test_a_run_that_lost_its_lease_ends_and_writes_nothing_more(runs, capsys, monkeypatch, step):
    import rethink.models.classifier as classifier

    original, taken, left = classifier.sgd_step, [0], {}

    def sgd_step(*args, **kwargs):
        taken[0] += 1
        if taken[0] == step:  # the machine slept for an hour, and another one went on
            right = time.time
            monkeypatch.setattr(time, "time", lambda: right() + 3600)
            write(run_of(runs))
            left.update({path: path.read_bytes() for path in run_of(runs).rglob("*.*")})
        return original(*args, **kwargs)

    monkeypatch.setattr(classifier, "sgd_step", sgd_step)
    with pytest.raises(SystemExit) as exit:
        main([*TINY, "--checkpoint.every_seconds", "0"])
    assert exit.value.code == 2
    assert "has passed to another process" in capsys.readouterr().err
    assert taken[0] == step
    assert {path: path.read_bytes() for path in run_of(runs).rglob("*.*")} == left
