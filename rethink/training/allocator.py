"""The C library's memory allocator, told once that this process trains: every step allocates the same again."""

import ctypes
import platform

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # glibc's malloc.h
_LARGEST_HEAP_BLOCK = 32 * 2**20  # the most that glibc takes; activations and gradients here are smaller


def keep_freed_memory() -> None:
    """Keeps what a step frees for the next step, where the C library is glibc; elsewhere this does nothing.

    By default glibc gives large blocks back to the system, which clears every page before it hands it out again. For
    an SGD step of the MLP that can be 2,000 page faults and a third of its time, with the same numbers in the end.
    """
    if platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        libc.mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)
        libc.mallopt(_M_MMAP_THRESHOLD, _LARGEST_HEAP_BLOCK)
