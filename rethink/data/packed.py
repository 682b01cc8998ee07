"""A packed copy of a folder of images: its squares, decoded, one after another in a file for each part.

The squares are the very bytes that decoding the files gives, so that a run on the copy has the same numbers. A file of
bytes needs no library to be read at random, and was as fast as LMDB (docs/data.md has the measurement).

    NAME-SIZE/train.squares     n squares of SIZE x SIZE x 3 bytes
    NAME-SIZE/train.npz         the list of files, aspects, what is damaged, and a SHA-256 sum for every CHUNK squares
    NAME-SIZE/train.journal     while it is made: a line for every chunk that is safely on disk
"""

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from filelock import FileLock
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress
from torch import Tensor

from rethink.data.ahead import read_ahead
from rethink.data.catalog import DataError
from rethink.data.image_files import DECODER, DamagedImage, read_image
from rethink.data.image_list import ImageList, list_folder
from rethink.data.split import Stored
from rethink.data.transfer import require_space
from rethink.files import write_atomically

CHUNK = 256  # squares that are written and summed together
PARTS = ("train", "test")


@dataclass(frozen=True)
class Packed:
    """A part of a packed copy. damaged: index in the list -> what is wrong with the file, whose square is black."""

    path: Path
    side: int
    files: ImageList
    aspects: NDArray[np.float32]
    damaged: dict[int, str]
    sums: NDArray[np.uint8]

    @classmethod
    def open(cls, folder: Path, part: str, originals: Path) -> "Packed":
        """Opens it; `originals` is the folder that it is a copy of, which need not be there.

        Raises:
            DataError: It is not whole.
        """
        path, side = folder / f"{part}.squares", int(folder.name.rpartition("-")[2])
        try:
            with np.load(path.with_suffix(".npz")) as arrays:
                files = ImageList.read(arrays, originals / str(arrays["part"]))
                damaged = {int(number): reason for number, reason in json.loads(str(arrays["damaged"])).items()}
                packed = cls(path, side, files, arrays["aspects"], damaged, arrays["sums"])
                decoder = int(arrays.get("decoder", 1))
            whole = path.stat().st_size == len(files) * side * side * 3
        except (OSError, ValueError, KeyError) as error:
            raise DataError(f"{path} cannot be read: {error}. Remove {folder} and make it again.") from error
        if decoder != DECODER:
            raise DataError(
                f"{path} was made by another rethink, whose squares are not the bytes that decoding the files gives "
                f"now. Remove {folder} and make it again."
            )
        if not whole:
            raise DataError(f"{path} has not the size that it had. Remove {folder} and make it again.")
        return packed

    def read(self, places: NDArray[np.int64], index: Tensor) -> Stored:
        """Squares and aspects of the examples `index` of a choice, whose places in the whole list are `places`."""
        origin = places[index.numpy()]
        images = np.empty((len(index), self.side, self.side, 3), np.uint8)
        with self.path.open("rb", buffering=0) as file:
            for square, place in zip(images, origin.tolist(), strict=True):
                file.seek(place * square.nbytes)
                file.readinto(square.data)
        return Stored(torch.from_numpy(images), torch.from_numpy(self.aspects[origin]))

    def verify(self, advance: Callable[[int], None]) -> None:
        """Reads all of it and compares the sums.

        Raises:
            DataError: Some squares are not what was written.
        """
        size = CHUNK * self.side**2 * 3
        with self.path.open("rb") as file:
            for number, expected in enumerate(self.sums):
                if hashlib.sha256(file.read(size)).digest() != expected.tobytes():
                    raise DataError(f"{self.path} is damaged in squares {number * CHUNK} to {(number + 1) * CHUNK - 1}")
                advance(min(CHUNK, len(self.files) - number * CHUNK))


def pack(files: ImageList, target: Path, part: str, workers: int, advance: Callable[[int], None]) -> None:
    """Makes a part of a packed copy, or goes on where a killed process has left it, or does nothing if it is there.

    Args:
        files: What to pack.
        target: The folder NAME-SIZE.
        part: `train` or `test`.
        workers: Processes that decode.
        advance: Is called with the number of squares written.

    Raises:
        DataError: There is no room, or it cannot be written.
    """
    side = int(target.name.rpartition("-")[2])
    path, journal = target / f"{part}.squares", target / f"{part}.journal"
    bytes_of_square = side * side * 3
    try:
        with ExitStack() as opened:
            opened.enter_context(FileLock(target / f".{part}.lock"))
            if path.with_suffix(".npz").exists():
                return
            squares, lines = opened.enter_context(path.open("ab")), opened.enter_context(journal.open("a+b"))
            head = {"files": files.fingerprint(), "decoder": DECODER}
            done = _done(lines, head)
            lines.truncate(sum(len(line) for line, _ in done))
            chunks = [entry for _, entry in done[1:]]
            squares.truncate(min(len(chunks) * CHUNK, len(files)) * bytes_of_square)
            require_space(target, len(files) * bytes_of_square - squares.tell())
            if not done:
                _append(lines, head)
            advance(min(len(chunks) * CHUNK, len(files)))
            left = torch.arange(len(files)).split(CHUNK)[len(chunks) :]
            for chunk in read_ahead(partial(_chunk, files, side), left, workers):
                squares.write(chunk.images.numpy().data)
                squares.flush()
                os.fsync(squares.fileno())
                entry = {"sum": hashlib.sha256(chunk.images.numpy().data).hexdigest(), "aspects": chunk.aspects}
                chunks.append(_append(lines, entry | {"damaged": chunk.damaged}))
                advance(len(chunk.images))
            damaged = {number: reason for entry in chunks for number, reason in entry["damaged"].items()}
            more = {
                "part": files.folder.name,
                "decoder": DECODER,
                "aspects": np.array([aspect for entry in chunks for aspect in entry["aspects"]], np.float32),
                "damaged": json.dumps(damaged),
                "sums": np.array([list(bytes.fromhex(entry["sum"])) for entry in chunks], np.uint8),
            }
            write_atomically(path.with_suffix(".npz"), lambda stream: files.save(stream, **more))
            journal.unlink()
    except OSError as error:
        raise DataError(f"{path} cannot be written: {error.strerror or error}") from error


def cache(place: Path, target: Path, workers: int) -> list[Packed]:
    """Makes a packed copy of a folder, or goes on with it, and verifies it.

    Args:
        place: The folder with `train` and `test` or `val`.
        target: The folder NAME-SIZE to write.
        workers: Processes that decode.

    Raises:
        UserError: The folder has no images, or the copy cannot be written or is not what was written.
    """
    target.mkdir(parents=True, exist_ok=True)
    packed = []
    lists = list_folder(place, target.parent / ".lists")
    with Progress(*Progress.get_default_columns(), MofNCompleteColumn(), console=Console(stderr=True)) as progress:
        for part, files in zip(PARTS, lists, strict=True):
            for doing in ("packing", "verifying"):
                task = progress.add_task(f"{doing} {part}", total=len(files))
                if doing == "packing":
                    pack(files, target, part, workers, partial(progress.advance, task))
                else:
                    packed.append(Packed.open(target, part, place))
                    packed[-1].verify(partial(progress.advance, task))
                progress.update(task, completed=len(files))
    return packed


class _Chunk(NamedTuple):
    images: Tensor
    aspects: list[float]
    damaged: dict[str, str]


def _chunk(files: ImageList, side: int, index: Tensor) -> _Chunk:
    images = np.zeros((len(index), side, side, 3), np.uint8)
    aspects, damaged = [1.0] * len(index), {}
    for place, number in enumerate(index.tolist()):
        try:
            images[place], aspects[place] = read_image(files.path(number), side)
        except DamagedImage as error:
            damaged[str(number)] = error.reason
    return _Chunk(torch.from_numpy(images), aspects, damaged)


def _append(lines: Any, entry: dict[str, Any]) -> dict[str, Any]:
    lines.write(json.dumps(entry).encode() + b"\n")
    lines.flush()
    os.fsync(lines.fileno())
    return entry


def _done(lines: Any, head: dict[str, Any]) -> list[tuple[bytes, dict[str, Any]]]:
    """The whole lines of a journal, as written and decoded; none if its first one is another."""
    lines.seek(0)
    done = list(_entries(lines))
    return done if done and done[0][1] == head else []


def _entries(lines: Any) -> Iterator[tuple[bytes, dict[str, Any]]]:
    with suppress(ValueError):  # a line that was cut off
        for line in lines:
            yield line, json.loads(line)
