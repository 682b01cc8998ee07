"""The lease of a run: one process at a time, a dead owner loses it, a live one never does."""

import json
import os
import random
import signal
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
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
        except BaseException:
            traceback.print_exc()
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


# Never two: the racers start together, and the winner stays until all others have given up.

RACERS = 6
DEAD = replace(Owner.this_process(), started="long ago")


@pytest.fixture(params=["hard links", "no hard links"])
def links(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    def link(*paths: Path) -> None:
        raise PermissionError("this file system has none")

    if request.param == "no hard links":
        monkeypatch.setattr(os, "link", link)


@pytest.mark.parametrize("races", [1, pytest.param(4, marks=pytest.mark.slow)])
@pytest.mark.parametrize("before", ["nothing", "stale", "dead", "dead twice", "damaged"])
def test_exactly_one_of_many_wins(tmp_path, before, links, races):
    for number in range(races):
        folder = tmp_path / str(number)
        folder.mkdir()
        start, end = folder / "start", folder / "end"
        match before:
            case "stale":
                write(folder, age=STALE_AFTER + 5)
            case "dead":
                write(folder, DEAD)
            case "dead twice":
                write(folder, DEAD)
                leave_a_dead_one(folder)
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


def leave_a_dead_one(folder: Path) -> bool:
    """As an owner would that is killed; whether it had its turn."""
    lease = Lease(folder)
    lease.owner, lease._content = DEAD, leases._content(replace(DEAD, token=os.urandom(8).hex()))
    with suppress(Busy):
        lease._acquire()
        return True
    return False


@pytest.mark.parametrize("turns", [100, pytest.param(3000, marks=pytest.mark.slow)])
def test_never_two_while_owners_come_go_and_die(tmp_path, links, monkeypatch, turns):
    """Every call of the file system may be interrupted: the windows between two of them are a hundred times as wide."""
    draw = random.Random(0)

    def interrupted(call):
        def slow(*args, **kwargs):
            if draw.random() < 0.5:
                time.sleep(draw.random() / 500)
            return call(*args, **kwargs)

        return slow

    for owner, name in ((leases, "_put"), (leases, "_chain"), (Path, "unlink"), (os, "utime")):
        monkeypatch.setattr(owner, name, interrupted(getattr(owner, name)))
    folder, inside = tmp_path / "run", tmp_path / "inside"

    def come_and_go() -> bool:
        draw.seed(os.getpid())
        left = turns // RACERS
        while left:
            if draw.random() < 0.5:
                left -= leave_a_dead_one(folder)
                continue
            with suppress(Busy), Lease(folder).held() as lease:
                os.close(os.open(inside, os.O_CREAT | os.O_EXCL))  # FileExistsError: there are two
                time.sleep(draw.random() / 1000)
                assert not lease.lost
                os.unlink(inside)
                left -= 1
        return True

    assert exit_codes([in_the_background(come_and_go) for _ in range(RACERS)]) == [0] * RACERS
    assert holder(folder) is None
    assert take(folder)
    assert os.listdir(folder) == []


def test_without_hard_links(tmp_path, links):
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


@pytest.mark.parametrize("owner", [ELSEWHERE, None], ids=["another machine's", "damaged"])
def test_one_from_the_future_is_free_after_a_moment_without_renewal(tmp_path, owner):
    path = write(tmp_path, owner or ELSEWHERE, age=-5 * 3600)
    if owner is None:
        path.write_text("{")
        os.utime(path, (time.time() + 5 * 3600,) * 2)
    assert holder(tmp_path) is None
    with pytest.raises(Busy, match=r"Its time was in the future\. Try again in 120 s"):
        Lease(tmp_path)._acquire()
    assert not take(tmp_path)
    assert abs(path.stat().st_mtime - time.time()) < 20
    os.utime(path, (time.time() - STALE_AFTER - 5,) * 2)
    assert take(tmp_path)


def test_a_successor_is_the_holder_and_leaves_nothing(tmp_path):
    write(tmp_path, DEAD)
    with Lease(tmp_path).held() as lease:
        assert holder(tmp_path) == lease.owner
        assert not lease.lost
        assert not take(tmp_path)
        assert {path.name for path in tmp_path.iterdir()} == {leases.NAME, lease.path.name}
    assert os.listdir(tmp_path) == []


def test_an_owner_who_was_taken_for_dead_leaves_its_successor_alone(tmp_path):
    with Lease(tmp_path).held() as asleep:
        asleep.path.write_bytes(leases._content(replace(asleep.owner, scope="another boot")))  # seen from elsewhere
        asleep._content = asleep.path.read_bytes()
        os.utime(asleep.path, (0, 0))
        awake = Lease(tmp_path)
        awake._acquire()
        asleep._check()
        assert asleep.lost
    assert holder(tmp_path) == awake.owner
    awake._release()
    assert os.listdir(tmp_path) == []


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
