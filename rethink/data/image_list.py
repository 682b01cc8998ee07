"""The files of a folder of classes, in a few compact arrays: a million names are no million objects."""

import hashlib
import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any, Self
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from rethink.errors import UserError
from rethink.files import write_atomically

EXTENSIONS = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")  # as torchvision's
EVALUATED = ("test", "val", "validation", "valid")  # the first that is there is the test set


@dataclass(frozen=True)
class ImageList:
    """The images of a folder with a folder for each class, in the order of torchvision's ImageFolder.

    folder: with the class folders. classes: their names, sorted. names: of all files relative to `folder`, one after
    another, as the file system writes them. ends: (n,) int64, where each name ends. labels: (n,) int64. sizes: (n,)
    int64, bytes. origin: (n,) int64, the place of each file in the list of the whole folder. others: number of files
    that are no images by their names.
    """

    folder: Path
    classes: tuple[str, ...]
    names: bytes
    ends: NDArray[np.int64]
    labels: NDArray[np.int64]
    sizes: NDArray[np.int64]
    origin: NDArray[np.int64]
    others: int = 0

    def __len__(self) -> int:
        return len(self.labels)

    def name(self, index: int) -> str:
        """Name of a file relative to the folder."""
        return os.fsdecode(self._bytes(index))

    def path(self, index: int) -> Path:
        """Path of a file."""
        return self.folder / self.name(index)

    def fingerprint(self) -> str:
        """SHA-256 of classes, names, labels and sizes; the same for a copy of the folder elsewhere."""
        digest = hashlib.sha256("/".join(self.classes).encode(errors="surrogateescape"))
        for content in (self.names, self.ends.tobytes(), self.labels.tobytes(), self.sizes.tobytes()):
            digest.update(content)
        return digest.hexdigest()

    def without(self, index: set[int]) -> "ImageList":
        """All but some of the files."""
        return self._chosen(np.setdiff1d(np.arange(len(self)), np.array(sorted(index), np.int64)))

    def of_classes(self, kept: NDArray[np.int64]) -> "ImageList":
        """The files of some classes, (k,) sorted, which become the classes 0 to k - 1."""
        number = np.full(len(self.classes), -1)
        number[kept] = np.arange(len(kept))
        few = self._chosen(np.flatnonzero(number[self.labels] >= 0))
        return replace(few, classes=tuple(self.classes[c] for c in kept), labels=number[few.labels])

    def save(self, file: IO[bytes], **more: Any) -> None:
        """Writes it, and other arrays beside it."""
        arrays = {name: getattr(self, name) for name in ("ends", "labels", "sizes", "origin")}
        names, classes = np.frombuffer(self.names, np.uint8), "/".join(self.classes).encode(errors="surrogateescape")
        np.savez(file, **arrays, names=names, classes=np.frombuffer(classes, np.uint8), others=self.others, **more)

    @classmethod
    def read(cls, arrays: Mapping[str, Any], folder: Path) -> Self:
        """What `save` has written."""
        classes = arrays["classes"].tobytes().decode(errors="surrogateescape").split("/")
        same = {name: arrays[name] for name in ("ends", "labels", "sizes", "origin")}
        return cls(folder, tuple(classes), arrays["names"].tobytes(), **same, others=int(arrays["others"]))

    def _chosen(self, index: NDArray[np.int64]) -> "ImageList":
        names = [self._bytes(i) for i in index.tolist()]
        ends = np.cumsum([len(name) for name in names], dtype=np.int64)
        same = {name: getattr(self, name)[index] for name in ("labels", "sizes", "origin")}
        return replace(self, names=b"".join(names), ends=ends, **same)

    def _bytes(self, index: int) -> bytes:
        return self.names[int(self.ends[index - 1]) if index else 0 : int(self.ends[index])]


def kept_list(folder: Path, kept_in: Path) -> ImageList:
    """The list of a folder as `scan` gives it, from a file if no folder within has changed since it was written.

    A folder changes when a file comes, goes or gets another name; a file that is written over is not noticed.

    Args:
        folder: With the class folders.
        kept_in: Folder of such files. Where nothing can be written, the list is made anew each time.
    """
    key = hashlib.sha256(os.fsencode(folder.absolute())).hexdigest()[:16]
    file = kept_in / f"{key}.npz"
    with suppress(OSError, ValueError, KeyError, BadZipFile), np.load(file) as arrays:  # or none yet, or cut off
        names = arrays["folders"].tobytes().split(b"\0")
        if arrays["changed"].tolist() == [_changed(folder, name) for name in names]:
            return ImageList.read(arrays, folder)
    files, folders = scan(folder)
    if files.others:
        print(f"passed over {files.others:,} files in {folder} that do not end like an image's", file=sys.stderr)
    with suppress(OSError, UserError):
        joined, changed = np.frombuffer(b"\0".join(folders), np.uint8), np.array([*folders.values()], np.int64)
        write_atomically(file, lambda stream: files.save(stream, folders=joined, changed=changed), durable=False)
    return files


def list_folder(place: Path, kept_in: Path) -> tuple[ImageList, ImageList]:
    """The files of a folder's training set and test set.

    Args:
        place: The folder with `train` and `test` or `val`.
        kept_in: Folder in which the lists are kept.

    Raises:
        UserError: A folder is missing, the two have different classes, or there is but one.
    """
    if not place.is_dir():
        raise UserError(
            f"There is no folder {place}. A relative one is looked for in the folder of the data sets: --data.root, "
            "RETHINK_DATA, or else data."
        )
    if not (place / "train").is_dir():
        raise UserError(f"{place} has no folder train. Expected {place}/train/CLASS/IMAGE.jpg.")
    evaluated = next((place / name for name in EVALUATED if _has_folders(place / name)), None)
    if evaluated is None:
        raise UserError(f"{place} has no test set. Expected {place}/test or {place}/val, with the same classes.")
    train, test = (kept_list(part, kept_in) for part in (place / "train", evaluated))
    if train.classes != test.classes:
        only = [
            f"only {part.folder} has {', '.join(sorted(set(part.classes) - set(other.classes))[:3])}"
            for part, other in ((train, test), (test, train))
            if set(part.classes) - set(other.classes)
        ]
        raise UserError(f"The classes differ: {'; '.join(only)}. Both need the same class folders.")
    if len(train.classes) == 1:
        raise UserError(
            f"{train.folder} has a single class folder, {train.classes[0]}: there is nothing to tell apart."
        )
    return train, test


def scan(folder: Path) -> tuple[ImageList, dict[bytes, int]]:
    """Lists the images of a folder with a folder for each class, subfolders included, and when all these were changed.

    Hidden files are passed over, as are files whose names do not end like an image's; the latter are counted.

    Raises:
        UserError: It has no class folders, or one without an image; or it cannot be read.
    """
    parts: list[bytes] = []
    sizes: list[int] = []
    labels: list[NDArray[np.int64]] = []
    others = 0
    try:
        folders = {b".": _changed(folder, b".")}  # before they are read: what changes meanwhile is seen the next time
        with os.scandir(folder) as entries:
            classes = tuple(sorted(entry.name for entry in entries if entry.name[0] != "." and entry.is_dir()))
        if not classes:
            raise UserError(f"{folder} has no class folders. Expected {folder}/CLASS/IMAGE.jpg for each class.")
        for label, name in enumerate(classes):
            files: list[tuple[bytes, int]] = []
            others += _list_into(files, folders, folder, os.fsencode(name))
            if not files:
                raise UserError(
                    f"{folder / name} has no images, files that end in {', '.join(EXTENSIONS[:3])} and the like. "
                    "Remove the folder or fill it."
                )
            files.sort()
            parts.extend(file for file, _ in files)
            sizes.extend(size for _, size in files)
            labels.append(np.full(len(files), label, np.int64))
    except OSError as error:
        place = os.fsdecode(error.filename) if error.filename else folder
        raise UserError(f"{place} cannot be read: {error.strerror}.") from error
    ends = np.cumsum(np.fromiter(map(len, parts), np.int64, len(parts)))
    every = np.arange(len(parts))
    described = (folder, classes, b"".join(parts), ends, np.concatenate(labels), np.array(sizes, np.int64), every)
    return ImageList(*described, others=others), folders


def _list_into(files: list[tuple[bytes, int]], folders: dict[bytes, int], top: Path, name: bytes) -> int:
    """Adds (name, size) of a folder's images, and the folders; gives how many other files there are."""
    folders[name] = _changed(top, name)
    others = 0
    with os.scandir(os.fsencode(top) + b"/" + name) as entries:
        for entry in entries:
            if entry.name.startswith(b"."):
                continue
            if entry.name.lower().endswith(_ENDINGS):
                size = 0
                with suppress(FileNotFoundError):  # a link to nowhere has no bytes, and is named when it is read
                    size = entry.stat().st_size
                files.append((name + b"/" + entry.name, size))
            elif entry.is_dir():
                others += _list_into(files, folders, top, name + b"/" + entry.name)
            else:
                others += 1
    return others


def _changed(top: Path, name: bytes) -> int:
    return os.stat(os.fsencode(top) + b"/" + name).st_mtime_ns


_ENDINGS = tuple(extension.encode() for extension in EXTENSIONS)


def _has_folders(folder: Path) -> bool:
    return folder.is_dir() and any(entry.is_dir() for entry in os.scandir(folder) if entry.name[0] != ".")
