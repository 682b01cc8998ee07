"""A disk that is full or read-only, a limit on the size of files: one line that says where, nothing half written."""

import resource
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from torture import commands, references, warming
from torture.places import _fill

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Path:
    """A working folder with three finished runs and two analyses."""
    warming.warm()
    store = tmp_path_factory.mktemp("store") / "store"
    shutil.copytree(references.store(), store, symlinks=True)
    return store


@pytest.fixture
def place(store, tmp_path) -> Path:
    """A copy of it."""
    shutil.copytree(store, tmp_path / "place", symlinks=True)
    return tmp_path / "place"


@pytest.fixture
def mounted(tmp_path):
    """Puts a small file system, with what is there, in the place of a folder."""
    places = []

    def mount(folder: Path, options: str) -> None:
        folder.mkdir(exist_ok=True)
        kept = tmp_path / f"kept {len(places)}"
        shutil.copytree(folder, kept)
        command = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(folder)]
        ended = subprocess.run(command, capture_output=True, text=True)
        if ended.returncode != 0:
            pytest.skip(f"mounting is not allowed here: {ended.stderr.strip()}")
        places.append(folder)
        shutil.copytree(kept, folder, dirs_exist_ok=True)
        if options == "full":
            _fill(folder / "filler", 0)
        else:
            subprocess.run(["mount", "-o", f"remount,{options}", str(folder)], check=True)

    yield mount
    for folder in places:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def words_of(place: Path) -> dict[str, tuple[str, tuple[str, ...]]]:
    """Command -> the folder that it writes into, and its words."""
    run = references.run_ids(place)[0]
    return {
        "report": ("results", ("report", references.EXPERIMENT)),
        "publish": ("experiments", ("publish", references.EXPERIMENT)),
        "predict": ("runs", ("predict", "--config", f"runs/{run}/config.yaml")),
        "fit": ("runs", (*references.fit_of(place, run), "--force")),
        "analyze": ("runs", ("analyze", "NormMeasures", "--runs", f"[{run}]", "--force")),
    }


def ends_in_a_line(place: Path, name: str, sabotage: Callable[[], object] = lambda: None) -> None:
    folder, words = words_of(place)[name]
    before = {path: path.read_bytes() for path in place.glob("*/*/record.json")}
    ended = commands.run(words, place, sabotage=sabotage)
    assert ended.code == 2, ended
    assert not ended.fault, ended
    message = [line for line in ended.output.splitlines() if line.startswith("rethink: ")]
    assert len(message) == 1, ended
    assert f"{folder}" in message[0], ended
    assert {path: path.read_bytes() for path in place.glob("*/*/record.json")} == before
    assert not [*place.glob(f"{folder}/**/.*.????????")]  # nothing half written stays


@pytest.mark.parametrize("options", ["full", "ro"])
@pytest.mark.parametrize("name", ["report", "publish", "predict", "fit", "analyze"])
def test_a_disk_that_takes_nothing(name, options, place, mounted):
    if name == "fit" and options == "full":
        pytest.skip("a run that is trained anew has no record to keep; the disk that fills up is in tests/torture")
    mounted(place / words_of(place)[name][0], options)
    ends_in_a_line(place, name)


@pytest.mark.parametrize(("name", "room"), [("report", 500), ("publish", 500), ("predict", 350)])
def test_a_limit_on_the_size_of_files(name, room, place):
    """In bytes: there is room for the message, which goes to a file too."""
    ends_in_a_line(place, name, lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (room, resource.RLIM_INFINITY)))


def test_a_read_only_folder_is_refused_before_anything_is_predicted(place, mounted):
    mounted(place / "runs", "ro")
    run = references.run_ids(place)[0]
    ended = commands.run(("predict", "--config", f"runs/{run}/config.yaml"), place)
    assert f"rethink: cannot write to runs/{run}: is it another's?" in ended.output
