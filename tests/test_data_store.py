"""The files of datasets: written whole or not at all, by one process at a time, verified when read."""

import hashlib
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from rethink.cli.data import main
from rethink.data import catalog, sources, store
from rethink.data.catalog import DATASETS, DataError, Dataset, Decoded
from rethink.data.store import HEADER_BYTES, get, load, path_of, status
from rethink.errors import UserError


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Dataset:
    """MNIST with three training images and one test image, as the only dataset of the catalogue.

    Its files in torchvision's layout lie under the root `data` of the current folder.
    """
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("RETHINK_DATA", raising=False)
    monkeypatch.setattr(sources, "official_servers", lambda dataset: [])
    draw = np.random.default_rng(0)
    dataset = replace(DATASETS["mnist"], train_size=3, test_size=1, npm=None)
    arrays = {name: draw.integers(0, 10, shape, np.uint8) for name, shape in dataset.shapes.items()}
    dataset = replace(dataset, sha256={n: hashlib.sha256(a.tobytes()).hexdigest() for n, a in arrays.items()})
    raw = Path("data/MNIST/raw")
    raw.mkdir(parents=True)
    for name, array in zip(sources.IDX_FILES, arrays.values(), strict=True):
        array = array[..., 0] if array.ndim == 4 else array
        header = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes()
        (raw / name).write_bytes(header + array.tobytes())
    monkeypatch.setattr(store, "DATASETS", {"mnist": dataset})
    monkeypatch.setitem(catalog.DATASETS, "mnist", dataset)
    return dataset


def flip_a_bit(path: Path, position: int) -> None:
    content = bytearray(path.read_bytes())
    content[position] ^= 1
    path.write_bytes(content)


# Reading


def test_arrays_have_the_documented_shapes_and_types(tiny: Dataset) -> None:
    get(tiny)
    arrays = load(tiny)
    assert [tuple(array.shape) for array in arrays] == [(3, 28, 28, 1), (3,), (1, 28, 28, 1), (1,)]
    assert [str(array.dtype) for array in arrays] == ["torch.uint8", "torch.int64"] * 2


def test_the_root_is_the_argument_or_the_environments_or_data(tiny: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    assert path_of(tiny) == Path("data/mnist.bin")
    monkeypatch.setenv("RETHINK_DATA", "elsewhere")
    assert path_of(tiny) == Path("elsewhere/mnist.bin")
    assert path_of(tiny, "here") == Path("here/mnist.bin")


def test_a_missing_dataset_names_the_remedies(tiny: Dataset) -> None:
    with pytest.raises(DataError, match=r"MNIST is not in data\. Get it with `rethink data get mnist`, .*--from"):
        load(tiny)
    with pytest.raises(DataError, match="`rethink data get mnist --root there`"):
        load(tiny, "there")


@pytest.mark.parametrize(
    ("position", "reason"),
    [
        (0, "its header is not that of MNIST"),
        (HEADER_BYTES, "train_images has the SHA-256 sum"),
        (HEADER_BYTES + 3 * 784, "train_labels has the SHA-256 sum"),
        (-1, "test_labels has the SHA-256 sum"),
    ],
)
def test_a_flipped_bit_is_found_and_mended(position: int, reason: str, tiny: Dataset) -> None:
    path = get(tiny)
    whole = path.read_bytes()
    flip_a_bit(path, position)
    with pytest.raises(
        DataError, match=rf"data/mnist.bin is damaged: {reason}.*Get it again with `rethink data get mnist`"
    ):
        load(tiny)
    messages: list[str] = []
    get(tiny, say=messages.append)
    assert f"damaged ({reason}" in messages[0]
    assert path.read_bytes() == whole


def test_a_truncated_file_is_found(tiny: Dataset) -> None:
    path = get(tiny)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DataError, match="damaged: it has 7,235 bytes, expected 7,236"):
        load(tiny)


# Writing


def test_what_is_there_is_left_alone_unless_forced(tiny: Dataset) -> None:
    path = get(tiny)
    before = path.stat().st_ino
    messages: list[str] = []
    assert get(tiny, say=messages.append) == path
    assert not messages
    assert path.stat().st_ino == before
    get(tiny, force=True)
    assert path.stat().st_ino != before


def test_a_forced_get_that_fails_leaves_the_old_file(tiny: Dataset) -> None:
    get(tiny)
    shutil.rmtree("data/MNIST")
    with pytest.raises(DataError, match="No source gave MNIST"):
        get(tiny, force=True)
    load(tiny)


def test_what_a_killed_process_left_is_cleared(tiny: Dataset) -> None:
    leftover = Path("data/.mnist.partial/cache")
    leftover.mkdir(parents=True)
    (leftover.parent / "mnist.bin").write_bytes(b"half")
    get(tiny)
    load(tiny)
    assert not leftover.parent.exists()


def test_a_crash_while_writing_leaves_nothing(tiny: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UserError, match=r"Cannot write data/.*/mnist.bin: No space left on device .*\. Make room"):
        get(tiny)
    assert sorted(os.listdir("data")) == [".mnist.lock", "MNIST"]


def test_a_full_disk_is_named_before_anything_is_got(tiny: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=100))
    with pytest.raises(
        DataError,
        match=r"Not enough disk space in data: 7,236 bytes are needed, 100 are free\. Make room, or .*--root",
    ):
        get(tiny)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder_is_named(tiny: Dataset) -> None:
    Path("sealed").mkdir(mode=0o500)
    with pytest.raises(DataError, match=r"Cannot write mnist.bin in sealed: Permission denied\. Choose .* --root"):
        get(tiny, "sealed")


def test_a_root_that_cannot_be_a_folder_is_named(tiny: Dataset) -> None:
    Path("file").touch()
    with pytest.raises(DataError, match=r"Cannot write mnist.bin in file: File exists\. Choose .* RETHINK_DATA"):
        get(tiny, "file")


def test_the_second_of_two_processes_waits_and_uses_the_firsts_result(
    tiny: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first is a process that holds the lock and leaves the finished file once it is waited for."""
    get(tiny)
    os.rename("data/mnist.bin", "finished")
    first = subprocess.Popen([sys.executable, "-c", HOLDER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert first.stdin is not None
    assert first.stdout is not None
    assert first.stdout.readline() == "locked\n"
    monkeypatch.setattr(store, "obtain", lambda request: pytest.fail("got a second time"))
    messages: list[str] = []

    def say(message: str) -> None:
        messages.append(message)
        first.stdin.write("finish\n")
        first.stdin.flush()

    get(tiny, say=say)
    load(tiny)
    assert messages == ["MNIST: another process is getting it into data; waiting for that one"]
    assert first.wait(5) == 0


HOLDER = """
import os, filelock
with filelock.FileLock("data/.mnist.lock"):
    print("locked", flush=True)
    input()
    os.rename("finished", "data/mnist.bin")
"""


def test_a_process_killed_while_writing_leaves_the_lock_free(tiny: Dataset) -> None:
    killed = subprocess.Popen([sys.executable, "-c", HOLDER], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert killed.stdout is not None
    assert killed.stdout.readline() == b"locked\n"
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    get(tiny)
    load(tiny)


# The command line


def test_get_and_status(tiny: Dataset, capsys: pytest.CaptureFixture[str]) -> None:
    main(["status"])
    assert "missing; rethink data get mnist" in capsys.readouterr().out
    main(["get", "mnist"])
    captured = capsys.readouterr()
    assert captured.out == "MNIST: verified in data/mnist.bin\n"
    assert captured.err == "MNIST: trying data/MNIST/raw\nMNIST: checksums verified\n"
    main(["status"])
    assert "7,236" in (out := capsys.readouterr().out)
    assert "verified" in out
    flip_a_bit(path_of(tiny), -1)
    assert [(entry.state, "test_labels" in entry.detail) for entry in status()] == [("damaged", True)]
    main(["get", "mnist", "--root", "other", "--from", "data"])
    assert path_of(tiny, "other").exists()


@pytest.mark.parametrize(
    ("args", "reason"),
    [
        (
            ["get", "cifar_10"],
            r"Unknown dataset 'cifar_10': expected one of cifar10, .*\. Did you mean 'cifar10'\?",
        ),
        (["get"], "required: DATASET"),
        (["gte", "mnist"], "invalid choice: 'gte'"),
        (["get", "mnist", "--form", "data"], "unrecognized arguments: --form"),
    ],
)
def test_a_bad_command_line_is_one_message(args: list[str], reason: str) -> None:
    with pytest.raises(UserError, match=reason) as raised:
        main(args)
    assert "usage:" not in str(raised.value)


def test_the_command_starts_without_torch() -> None:
    heavy = "{'torch', 'torchvision', 'lightning'} & set(sys.modules)"
    program = f"import sys, rethink.cli.data; sys.exit(str({heavy}) if {heavy} else 0)"
    subprocess.run([sys.executable, "-c", program], check=True)


# The real datasets


@pytest.mark.skipif(
    not path_of(DATASETS["cifar10"]).exists(), reason="CIFAR-10 is not here: `rethink data get cifar10`"
)
def test_cifar10_is_the_published_one() -> None:
    """Its training batches, as records of the binary version (label, then channels first), by SHA-256."""
    arrays = load(DATASETS["cifar10"])
    labels, images = arrays.train_labels.byte().numpy(), arrays.train_images.numpy().transpose(0, 3, 1, 2)
    records = np.concatenate([labels[:, None], images.reshape(50_000, -1)], axis=1)
    assert [hashlib.sha256(batch.tobytes()).hexdigest() for batch in np.split(records, 5)] == [
        "cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5",
        "a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed",
        "bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67",
        "014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48",
        "755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add",
    ]


@pytest.mark.parametrize("dataset", DATASETS.values(), ids=DATASETS)
def test_a_catalogue_entry_is_complete(dataset: Dataset) -> None:
    assert set(dataset.sha256) == set(dataset.shapes) == set(Decoded._fields)
    assert all(len(sum_) == 64 for sum_ in dataset.sha256.values())
    assert dataset.num_classes == len(set(dataset.class_names)) == 10
    assert dataset.name in DATASETS
