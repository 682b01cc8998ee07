"""Transfers: a server that is silent or slow for too long is passed over."""

import http.client
import shutil
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from rethink.data.catalog import DataError
from rethink.data.decoders import Unusable


@dataclass(frozen=True)
class Limits:
    """When a source is passed over: no answer, or too slow for too long.

    Args:
        answer_seconds: Time until the first byte, and between two reads.
        bytes_per_second: The least average speed in a window.
        window_seconds: Of each of the windows that follow on the first byte.
        start_seconds: What npm gets beside the time that its package may take, because node has to start first.
    """

    answer_seconds: float = 5.0
    bytes_per_second: float = 500_000.0
    window_seconds: float = 10.0
    start_seconds: float = 15.0


def download(url: str, limits: Limits) -> bytes:
    """The content of a URL, into memory: the largest file, CIFAR-10's archive, has 170 MB.

    Raises:
        Unusable: The server gives no answer or an error, is too slow, or breaks off.
    """
    content, total = bytearray(), None
    try:
        with urllib.request.urlopen(url, timeout=limits.answer_seconds) as response, _progress() as progress:
            total = int(length) if (length := response.headers.get("Content-Length")) else None
            task = progress.add_task(url.rpartition("/")[2], total=total)
            start, count_at_start = time.monotonic(), 0  # of the window
            while chunk := response.read1(1 << 18):
                content += chunk
                progress.update(task, completed=len(content))
                if (seconds := time.monotonic() - start) > limits.window_seconds:
                    if (speed := (len(content) - count_at_start) / seconds) < limits.bytes_per_second:
                        raise Unusable(
                            f"{speed / 1e3:,.0f} kB/s for {limits.window_seconds:g} s, "
                            f"expected {limits.bytes_per_second / 1e3:,.0f}; stopped after {len(content):,} bytes"
                        )
                    start, count_at_start = time.monotonic(), len(content)
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise Unusable(_reason(error, limits)) from error
    if total not in (None, len(content)):
        raise Unusable(f"cut off after {len(content):,} of {total:,} bytes")
    return bytes(content)


def _reason(error: Exception, limits: Limits) -> str:
    if isinstance(error, urllib.error.HTTPError):
        return f"the server answers {error.code} {error.reason}"
    cause = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(cause, TimeoutError):
        return f"no answer in {limits.answer_seconds:g} s"
    if cause is not error:
        return f"no connection ({getattr(cause, 'strerror', None) or cause})"
    return f"the connection broke ({type(error).__name__}: {error})"


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
