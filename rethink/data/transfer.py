"""Transfers that are watched: a server that is silent or slow for too long is passed over."""

import http.client
import shutil
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from rethink.data.catalog import DataError
from rethink.data.decoders import Unusable


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


def download(url: str, limits: Limits) -> bytes:
    """The content of a URL, into memory: the largest file, CIFAR-10's archive, has 170 MB.

    Raises:
        Unusable: The server gives no answer or an error, is too slow, or breaks off.
    """
    download = _Download(url, limits)
    download.start()
    try:
        watch(
            url.rpartition("/")[2],
            limits=limits,
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
            # `watch` judges; this time-out only ends the thread of a download that was passed over.
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


def watch(
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


def require_space(folder: Path, needed: int) -> None:
    """Raise DataError unless the folder's disk has that many bytes."""
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise DataError(
            f"Not enough disk space in {folder}: {needed:,} bytes are needed, {free:,} are free. "
            f"Make room, or choose another folder with --root or RETHINK_DATA"
        )
