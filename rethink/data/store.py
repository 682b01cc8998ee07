"""Datasets on disk: one file each, verified before it is written and again whenever it is read.

A file is a header of 4096 bytes (a line of JSON that says what follows) and the four arrays of uint8, one
after another. All of it is determined by the catalogue entry, so a file is either exactly right or damaged.

A dataset appears in one step: everything is got into a scratch folder beside it, `.NAME.partial`, under a lock, and
the finished file is moved into place. Whoever takes the lock clears what a killed process left.
"""

import contextlib
import json
import math
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
from filelock import FileLock, Timeout

from rethink.data.catalog import DATASETS, DataError, Dataset, Decoded
from rethink.data.sources import Request, obtain
from rethink.data.transfer import Limits, require_space
from rethink.files import write_atomically

if TYPE_CHECKING:  # importing torch takes seconds, which `rethink data status` should not
    from torch import Tensor

HEADER_BYTES = 4096


class Arrays(NamedTuple):
    """A dataset in memory, in the official order.

    Attributes:
        train_images: (N, H, W, C) uint8.
        train_labels: (N,) int64.
        test_images: (M, H, W, C) uint8.
        test_labels: (M,) int64.
    """

    train_images: "Tensor"
    train_labels: "Tensor"
    test_images: "Tensor"
    test_labels: "Tensor"


class Status(NamedTuple):
    """What the store has of a dataset; `detail` says what is wrong with a damaged file."""

    dataset: Dataset
    path: Path
    state: Literal["verified", "damaged", "missing"]
    detail: str = ""


def load(dataset: Dataset, root: Path | str | None = None) -> Arrays:
    """Read a dataset into memory.

    Args:
        dataset: One of `rethink.data.catalog.DATASETS`.
        root: The folder of datasets; by default `$RETHINK_DATA`, else `data`.

    Raises:
        DataError: It is not there, or damaged.
    """
    path = path_of(dataset, root)
    command = _command(dataset, root)
    try:
        decoded = _read(dataset, path)
    except FileNotFoundError:
        raise DataError(
            f"{dataset.title} is not in {path.parent}. Get it with `{command}`, or from a folder that has it "
            f"with `{command} --from FOLDER`, or set RETHINK_DATA to the folder that holds {path.name}"
        ) from None
    except _Damaged as fault:
        raise DataError(f"{path} is damaged: {fault}. Get it again with `{command}`") from fault
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}. Mend that, or use another folder") from error
    import torch

    tensors = (torch.from_numpy(array) for array in decoded)
    train_images, train_labels, test_images, test_labels = tensors
    return Arrays(train_images, train_labels.long(), test_images, test_labels.long())


def get(
    dataset: Dataset,
    root: Path | str | None = None,
    *,
    folder: Path | str | None = None,
    mirror: str | None = None,
    force: bool = False,
    say: Callable[[str], None] | None = None,
    limits: Limits | None = None,
) -> Path:
    """Have a dataset in the store: nothing to do if a verified file is there.

    Args:
        dataset: One of `rethink.data.catalog.DATASETS`.
        root: The folder of datasets; by default `$RETHINK_DATA`, else `data`.
        folder: Take it from this folder in torchvision's layout, and from nowhere else.
        mirror: A server with torchvision's folders, asked in place of the official ones; by default
            `$RETHINK_MIRROR`.
        force: Get it even if it is there. The old file stays until the new one is verified.
        say: Takes one-line messages; by default they go to standard error.
        limits: When a server counts as silent or slow.

    Returns:
        The path of the file.

    Raises:
        DataError: No source has it, or it cannot be written. The store is as it was.
    """
    say = say or _say_on_stderr
    path = path_of(dataset, root)
    if not force and _state(dataset, path).state == "verified":
        return path
    with _writable(path), _locked(dataset, path, say) as waited:
        before = _state(dataset, path)
        if before.state == "verified" and (waited or not force):
            return path  # another process got it meanwhile
        if before.state == "damaged":
            say(f"{dataset.title}: {path} is damaged ({before.detail}), getting it again")
        with _scratch(path) as scratch:
            require_space(path.parent, _file_bytes(dataset))
            request = Request(
                dataset,
                root=path.parent,
                scratch=scratch,
                say=say,
                folder=None if folder is None else Path(folder),
                mirror=mirror or os.environ.get("RETHINK_MIRROR") or None,
                limits=limits or Limits(),
            )
            content = [_header(dataset), *(np.ascontiguousarray(array).tobytes() for array in obtain(request))]
            write_atomically(scratch / path.name, lambda file: file.writelines(content))
            os.replace(scratch / path.name, path)
    return path


def status(root: Path | str | None = None) -> list[Status]:
    """What the store has of every dataset of the catalogue; the files are read whole and verified."""
    return [_state(dataset, path_of(dataset, root)) for dataset in DATASETS.values()]


def data_folder(chosen: Path | str | None = None) -> Path:
    """The folder of the data sets: the one chosen, `$RETHINK_DATA` or `data`, in that order."""
    return Path(chosen or os.environ.get("RETHINK_DATA") or "data")


def path_of(dataset: Dataset, root: Path | str | None = None) -> Path:
    """The dataset's file in the folder of the data sets."""
    return data_folder(root) / f"{dataset.name}.bin"


class _Damaged(Exception):
    """A file of the store that is not what its name says; the message is a one-line reason."""


def _state(dataset: Dataset, path: Path) -> Status:
    try:
        _read(dataset, path)
    except FileNotFoundError:
        return Status(dataset, path, "missing")
    except _Damaged as fault:
        return Status(dataset, path, "damaged", str(fault))
    except OSError as error:
        return Status(dataset, path, "damaged", f"it cannot be read: {error.strerror}")
    return Status(dataset, path, "verified")


def _read(dataset: Dataset, path: Path) -> Decoded:
    """The arrays of a file, as views of one block of memory."""
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        if size != _file_bytes(dataset):
            raise _Damaged(f"it has {size:,} bytes, expected {_file_bytes(dataset):,}")
        content = np.empty(size, dtype=np.uint8)
        file.readinto(content.data)
    if content[:HEADER_BYTES].tobytes() != _header(dataset):
        raise _Damaged(f"its header is not that of {dataset.title}")
    ends = HEADER_BYTES + np.cumsum([math.prod(shape) for shape in dataset.shapes.values()])
    parts = np.split(content, [HEADER_BYTES, *ends[:-1]])[1:]
    shapes = dataset.shapes.values()
    decoded = Decoded(*(part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)))
    if fault := dataset.fault(decoded):
        raise _Damaged(fault)
    return decoded


def _file_bytes(dataset: Dataset) -> int:
    return HEADER_BYTES + dataset.num_bytes


def _header(dataset: Dataset) -> bytes:
    arrays = [
        {"name": name, "dtype": "uint8", "shape": shape, "sha256": dataset.sha256[name]}
        for name, shape in dataset.shapes.items()
    ]
    line = json.dumps({"dataset": dataset.name, "format": 1, "arrays": arrays})
    return line.encode("ascii").ljust(HEADER_BYTES - 1) + b"\n"


def _command(dataset: Dataset, root: Path | str | None) -> str:
    return f"rethink data get {dataset.name}" + (f" --root {root}" if root else "")


def _say_on_stderr(message: str) -> None:
    print(message, file=sys.stderr, flush=True)


@contextlib.contextmanager
def _writable(path: Path) -> Iterator[None]:
    """Make the folder, and turn whatever the file system refuses into a message with the remedy."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise DataError(
            f"Cannot write {path.name} in {path.parent}: {error.strerror or error}. "
            f"Choose a folder that can be written, with --root or RETHINK_DATA"
        ) from error


@contextlib.contextmanager
def _locked(dataset: Dataset, path: Path, say: Callable[[str], None]) -> Iterator[bool]:
    """Hold the dataset's lock; yields whether another process held it first."""
    lock = FileLock(path.parent / f".{dataset.name}.lock")
    waited = False
    try:
        lock.acquire(timeout=0)
    except Timeout:
        waited = True
        say(f"{dataset.title}: another process is getting it into {path.parent}; waiting for that one")
        lock.acquire()
    try:
        yield waited
    finally:
        lock.release()


@contextlib.contextmanager
def _scratch(path: Path) -> Iterator[Path]:
    """An empty folder for temporary files, on the same file system as the dataset's file. Needs the lock."""
    scratch = path.parent / f".{path.stem}.partial"
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir()
    try:
        yield scratch
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
