"""Something else in the place of a file - a folder, a pipe, a socket, a link to nothing - is damage that is named."""

import os
import random
import shutil
import signal
from pathlib import Path

import pytest
import torch
from torture import damage, faults, references
from torture.commands import Ended

from rethink import files
from rethink.analyses.networks import at_the_end
from rethink.cli import main
from rethink.cluster.lease import Busy, Lease, holder
from rethink.errors import UserError
from rethink.files import Damaged
from rethink.runs.run import Run
from rethink.sweep.jobs import read_failure
from rethink.training.checkpoints import TRAINING, find_checkpoint, write_checkpoint

KINDS = {name: replace for name, replace in faults._PLACE.items() if name.startswith("replaced")}
SECONDS = 30


@pytest.fixture(autouse=True)
def _nothing_waits():
    """A pipe in the place of a file would be waited for, for ever."""

    def late(number, frame):
        raise AssertionError(f"it takes more than {SECONDS} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(SECONDS)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture(params=KINDS)
def replaced(request, tmp_path):
    """Puts something else in the place of a file, which is made if need be."""

    def replace(path: Path) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        KINDS[request.param](path)
        return path

    return replace


@pytest.mark.parametrize(
    "read", [files.read_bytes, files.read_text, files.read_json, files.read_yaml, files.read_archive]
)
def test_every_reader_names_it(read, replaced, tmp_path):
    path = replaced(tmp_path / "file")
    assert files.is_there(path)
    with pytest.raises(Damaged, match=rf"{path}: damaged \(this is .*\)"):
        read(path)


def test_what_is_not_there_is_no_damage(tmp_path):
    assert not files.is_there(tmp_path / "file")
    with pytest.raises(FileNotFoundError):
        files.read_bytes(tmp_path / "file")


def test_a_pipe_of_the_shell_is_read():
    """`--config <(...)`."""
    reading, writing = os.pipe()
    os.write(writing, b"max_epochs: 3\n")
    os.close(writing)
    assert files.read_yaml(Path(f"/dev/fd/{reading}")) == {"max_epochs": 3}
    os.close(reading)


def test_a_checkpoint_is_passed_over_and_the_previous_one_taken(replaced, tmp_path, capsys):
    checkpoint = {key: {"w": torch.arange(3.0)} for key in TRAINING}
    previous = tmp_path / "checkpoints" / "previous.ckpt"
    write_checkpoint(previous, checkpoint)
    last = replaced(previous.with_name("last.ckpt"))
    assert find_checkpoint(tmp_path) == previous
    assert str(last) in capsys.readouterr().out
    assert not files.is_there(last)


def test_a_run_can_be_saved_or_the_place_is_named(replaced, tmp_path):
    path = replaced(tmp_path / "history.csv")
    if not path.is_dir() or path.is_symlink():
        files.write_text(path, "epoch\n")
        assert files.read_text(path) == "epoch\n"
        return
    with pytest.raises(UserError, match=r"history\.csv: a folder stands in its place\. Move it away"):
        files.write_text(path, "epoch\n")


def test_a_lease_and_a_failure_do_not_wait(replaced, tmp_path):
    lease = replaced(tmp_path / "lease.json")
    assert holder(tmp_path) is None
    with pytest.raises((UserError, Busy), match=str(tmp_path)), Lease(tmp_path).held():
        pass
    assert files.is_there(lease)
    assert str(tmp_path) in (read_failure(replaced(tmp_path / "failure.txt").parent) or "")


# Every file of a store with every command that reads it.


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Path:
    """A working folder with three finished runs and two analyses."""
    store = tmp_path_factory.mktemp("store") / "store"
    shutil.copytree(references.store(), store, symlinks=True)
    return store


def give(words, capsys) -> Ended:
    """Gives a command in this process."""
    code = 0
    try:
        main([*words])
    except SystemExit as end:
        code = int(end.code or 0)
    printed = capsys.readouterr()
    return Ended(tuple(words), code, printed.out + printed.err, 0)


def meets(scene, kind, store, place, capsys, monkeypatch) -> str:
    """Why a command is wrong with what stands in the place of a file; nothing if it is right."""
    monkeypatch.setenv("RETHINK_RUNS", "runs")
    monkeypatch.setenv("COLUMNS", "200")
    place.mkdir()
    monkeypatch.chdir(place)
    damage._set(store, place, scene)
    os.chdir(place)  # which is another folder now
    undisturbed = give(scene.words, capsys)
    expected = damage._products(undisturbed, place)
    damage._set(store, place, scene)
    os.chdir(place)
    KINDS[kind](place / scene.file)
    signal.alarm(SECONDS)
    ended = give(scene.words, capsys)
    same = damage._products(ended, place) == expected
    what, why = damage.judge(ended, undisturbed.code or 0, same, scene, place)
    return "" if what in ("recovered", "clear error") else f"{kind}: {scene.file}\n{ended}\n{what}: {why}"


@pytest.mark.parametrize("number", range(len(KINDS)))
def test_every_command_that_reads_it_names_it(number, store, tmp_path, capsys, monkeypatch):
    """Each scene with one kind; `report`, which takes seconds, is below."""
    for position, scene in enumerate(scene for scene in damage._scenes(store) if scene.words[0] != "report"):
        if position % len(KINDS) == number:
            kind = list(KINDS)[(position // len(KINDS) + number) % len(KINDS)]
            assert not meets(scene, kind, store, tmp_path / str(position), capsys, monkeypatch)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_every_command_with_every_kind(kind, store, tmp_path, capsys, monkeypatch):
    for position, scene in enumerate(damage._scenes(store)):
        assert not meets(scene, kind, store, tmp_path / str(position), capsys, monkeypatch)


# Classes that a record names.


def test_a_record_whose_class_is_none_is_named_with_its_path(store, tmp_path):
    for seed in range(6):  # model, data and randomization are among them
        place = tmp_path / str(seed)
        shutil.copytree(store / "runs" / references.run_ids(store)[0], place)
        faults.hostile(place / "record.json", random.Random(seed))
        run = Run.open(place)
        with pytest.raises(UserError, match=rf"{place}/record\.json: 'subprocess\.call' is no \w+\."):
            at_the_end(run)


@pytest.mark.parametrize("init_args", [{"hidden_sizes": "many"}, {"hidden_sizes": [0]}, {"no_such": 1}])
def test_a_record_whose_class_cannot_be_made_is_named_with_its_path(init_args, store, tmp_path):
    shutil.copytree(store / "runs" / references.run_ids(store)[0], tmp_path / "run")
    run = Run.open(tmp_path / "run")
    run.record["config"]["model"]["init_args"] = init_args
    with pytest.raises(UserError, match=rf"{run.path}/record\.json: its MLP cannot be made here"):
        at_the_end(run)
