"""Memory is planned: what a computation needs is compared with what there is before it begins."""

import os
from collections.abc import Callable
from pathlib import Path

import torch

from rethink.errors import UserError

_CGROUPS = Path("/sys/fs/cgroup")
_MEMINFO = Path("/proc/meminfo")
_SELF = Path("/proc/self/cgroup")
_TRIED = 10_000  # numbers of images


def require(
    bytes_of: Callable[[int], int],
    n: int,
    what: str,
    remedy: str = "",
    device: torch.device | str = "cpu",
    option: str = "n",
    least: int = 1,
) -> None:
    """Refuses n where it needs more memory than there is: a UserError with both numbers and the n that fits.

    Args:
        bytes_of: Bytes needed for n.
        n: How many are wanted.
        what: What needs the memory, such as "the kernel matrix of 60,000 images".
        remedy: How to do with less, a sentence; the n that fits is said in any case.
        device: Where it is needed.
        option: What n is called on the command line.
        least: The smallest n that is of use.
    """
    there = available(device)
    if there is None or bytes_of(n) <= there:
        return
    place = "" if torch.device(device).type == "cpu" else f" on {device}"
    fits = largest(bytes_of, n, there)
    less = f"At most {option} = {fits:,} fits: --{option} {fits}."
    if fits < least:
        less = f"No {option} fits: {gigabytes(bytes_of(least))} even with --{option} {least}."
    raise UserError(
        f"{what} needs {gigabytes(bytes_of(n))} of memory, and {gigabytes(there)} are there{place}. "
        f"{less}{remedy and ' '}{remedy}"
    )


def largest(bytes_of: Callable[[int], int], n: int, there: int) -> int:
    """The largest number up to n whose bytes are there; 0 if none is.

    Bytes may fall where a plan changes, so up to 10,000 numbers are tried; bisection is for the few between them.
    """
    step = max(n // _TRIED, 1)
    low = next((size for size in range(n, 0, -step) if bytes_of(size) <= there), 0)
    high = min(low + step - 1, n)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if bytes_of(middle) <= there else (low, middle - 1)
    return low


def available(device: torch.device | str = "cpu") -> int | None:
    """Bytes that this process can still have on a device without swapping; None where the system does not say."""
    device = torch.device(device)
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    limits = [limit for limit in (_free(), _left_of_cgroup()) if limit is not None]
    return min(limits) if limits else None


def gigabytes(count: int) -> str:
    """A number of bytes as `14.40 GB`."""
    return f"{count / 1e9:.2f} GB"


def _free() -> int | None:
    """Linux: free memory and what caches can give back. Elsewhere three quarters of all there is."""
    if _MEMINFO.exists():
        lines = dict(line.split(":", 1) for line in _MEMINFO.read_text().splitlines() if ":" in line)
        if "MemAvailable" in lines:
            return 1024 * int(lines["MemAvailable"].split()[0])
    return _installed()


def _installed() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") * 3 // 4
    except (AttributeError, ValueError, OSError):  # Windows has no sysconf, others not these names
        return None


def _left_of_cgroup() -> int | None:
    """What the container leaves, the narrowest of the groups that this process is in; None without a limit."""
    if not _SELF.exists():
        return None
    left = []
    for line in _SELF.read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers == "":  # version 2
            folder, names = _CGROUPS, ("memory.max", "memory.current")
        elif "memory" in controllers.split(","):
            folder, names = _CGROUPS / "memory", ("memory.limit_in_bytes", "memory.usage_in_bytes")
        else:
            continue
        inner = folder / path.lstrip("/")
        for group in (inner, *inner.parents):
            if group == folder.parent:
                break
            limit, used = (_number(group / name) for name in names)
            if limit is not None and used is not None:
                left.append(max(limit - used + _reclaimable(group), 0))
    return min(left, default=None)


def _number(file: Path) -> int | None:
    try:
        text = file.read_text().strip()
    except OSError:
        return None
    return int(text) if text.isdigit() else None  # "max": no limit


def _reclaimable(group: Path) -> int:
    """Pages of files in the group's count, which the system drops when memory is needed."""
    try:
        lines = dict(line.split(" ", 1) for line in (group / "memory.stat").read_text().splitlines())
    except OSError:
        return 0
    return int(lines.get("total_inactive_file", lines.get("inactive_file", 0)))
