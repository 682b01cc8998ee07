"""The files of a folder of classes, in a few compact arrays: a million names are no million objects."""

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rethink.errors import UserError

EXTENSIONS = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")  # as torchvision's


@dataclass(frozen=True)
class ImageList:
    """The images of a folder with a folder for each class, in the order of torchvision's ImageFolder.

    folder: with the class folders. classes: their names, sorted. names: of all files relative to `folder`, one after
    another, as the file system writes them. ends: (n,) int64, where each name ends. labels: (n,) int64. sizes: (n,)
    int64, bytes. others: number of files that are no images by their names.
    """

    folder: Path
    classes: tuple[str, ...]
    names: bytes
    ends: NDArray[np.int64]
    labels: NDArray[np.int64]
    sizes: NDArray[np.int64]
    others: int = 0

    def __len__(self) -> int:
        return len(self.labels)

    def name(self, index: int) -> str:
        """Name of a file relative to the folder."""
        return os.fsdecode(self.names[self.ends[index - 1] if index else 0 : self.ends[index]])

    def path(self, index: int) -> Path:
        """Path of a file."""
        return self.folder / self.name(index)

    def fingerprint(self) -> str:
        """SHA-256 of classes, names, labels and sizes; the same for a copy of the folder elsewhere."""
        digest = hashlib.sha256("/".join(self.classes).encode(errors="surrogateescape"))
        for content in (self.names, self.ends.tobytes(), self.labels.tobytes(), self.sizes.tobytes()):
            digest.update(content)
        return digest.hexdigest()

    def chosen(self, index: NDArray[np.int64], classes: Sequence[int] | None = None) -> "ImageList":
        """Some of the files, in this order.

        Args:
            index: (m,) of the files.
            classes: The classes that are left, in their order, which become 0, 1, and so on. Default: all.
        """
        names = [self.names[self.ends[i - 1] if i else 0 : self.ends[i]] for i in index]
        labels, kept = self.labels[index], self.classes
        if classes is not None:
            number = np.full(len(kept), -1)
            number[list(classes)] = np.arange(len(classes))
            labels, kept = number[labels], tuple(kept[c] for c in classes)
        ends = np.cumsum([len(name) for name in names], dtype=np.int64)
        return ImageList(self.folder, kept, b"".join(names), ends, labels, self.sizes[index], self.others)


def scan(folder: Path) -> ImageList:
    """Lists the images of a folder with a folder for each class, subfolders included.

    Hidden files are passed over, as are files whose names do not end like an image's; the latter are counted.

    Raises:
        UserError: It has no class folders, or one without an image; or it cannot be read.
    """
    try:
        with os.scandir(folder) as entries:
            classes = tuple(sorted(entry.name for entry in entries if _visible(entry) and entry.is_dir()))
        if not classes:
            raise UserError(f"{folder} has no class folders. Expected {folder}/CLASS/IMAGE.jpg for each class.")
        parts: list[bytes] = []
        sizes: list[int] = []
        labels, others = [], 0
        for label, name in enumerate(classes):
            files, other = _files(os.fsencode(folder / name), os.fsencode(name))
            if not files:
                raise UserError(
                    f"{folder / name} has no images, files that end in {', '.join(EXTENSIONS[:3])} and the like. "
                    "Remove the folder or fill it."
                )
            files.sort()
            parts.extend(file for file, _ in files)
            sizes.extend(size for _, size in files)
            labels.append(np.full(len(files), label))
            others += other
    except OSError as error:
        raise UserError(f"{error.filename or folder} cannot be read: {error.strerror}.") from error
    ends = np.cumsum(np.fromiter(map(len, parts), np.int64, len(parts)))
    return ImageList(folder, classes, b"".join(parts), ends, np.concatenate(labels), np.array(sizes, np.int64), others)


def _files(folder: bytes, name: bytes) -> tuple[list[tuple[bytes, int]], int]:
    """(name, size) of the images of a folder, and how many other files it has."""
    files, others = [], 0
    with os.scandir(folder) as entries:
        for entry in entries:
            if not _visible(entry):
                continue
            if entry.name.lower().endswith(_ENDINGS):
                files.append((name + b"/" + entry.name, entry.stat().st_size))
            elif entry.is_dir():
                within, beside = _files(entry.path, name + b"/" + entry.name)
                files += within
                others += beside
            else:
                others += 1
    return files, others


_ENDINGS = tuple(extension.encode() for extension in EXTENSIONS)


def _visible(entry: "os.DirEntry[str] | os.DirEntry[bytes]") -> bool:
    return not os.fsencode(entry.name).startswith(b".")
