"""The exception that reaches a person: a readable message, no traceback, exit code 2; and what else is put so."""

import errno
import re
import shutil
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path

# Errors of the system that say what the user can mend; of any other, a traceback says more.
_REMEDIES = {
    "EACCES EPERM EROFS": "Give permission, or choose another folder.",
    "ENOSPC EDQUOT EFBIG": "Make room, and give the same command again.",
    "ENOENT ESTALE ENODEV ENOTCONN": "Has the folder gone? Bring it back, and give the same command again.",
    "EISDIR": "A folder stands in the place of a file: move it away, and give the same command again.",
    "ENAMETOOLONG ENOTDIR ELOOP EEXIST": "Choose another name.",
    "ENOMEM EMFILE ENFILE EAGAIN EIO": "The machine is at its end. Free it, and give the same command again.",
}
_REMEDY = {getattr(errno, name): text for names, text in _REMEDIES.items() for name in names.split()}
_NO_MEMORY = re.compile(
    r"can't allocate memory: you tried to allocate (\d+) bytes|CUDA out of memory.*?allocate ([\w. ]+)"
)


class UserError(Exception):
    """Something the user can mend. The message names the thing, its value, what was expected and the remedy."""


def explained(error: BaseException) -> UserError | None:
    """What a person can mend of an error that is not ours: of the disk, of the memory. None: it is another one.

    Args:
        error: That was raised, and not foreseen where it was.
    """
    if isinstance(error, OSError) and error.errno in _REMEDY and not isinstance(error, BrokenPipeError):
        return UserError(f"{_place(error)}{error.strerror}{_free(error)}. {_REMEDY[error.errno]}")
    if isinstance(error, MemoryError) or _NO_MEMORY.search(str(error)):
        wanted = _NO_MEMORY.search(str(error))
        what = f" ({int(wanted[1]) / 2**30:,.1f} GiB were asked for)" if wanted and wanted[1] else ""
        return UserError(f"there is not enough memory{what}. Take a smaller network, or smaller batches.")
    return None


def _place(error: OSError) -> str:
    return f"{str(error.filename)[:300]}: " if error.filename is not None else ""


def _free(error: OSError) -> str:
    """How much room is left, where that is what is missing."""
    if error.errno not in (errno.ENOSPC, errno.EDQUOT) or error.filename is None:
        return ""
    try:
        return f" ({shutil.disk_usage(Path(str(error.filename)).parent).free / 2**20:,.0f} MiB are free there)"
    except OSError:  # the folder has gone
        return ""


def printable(text: str) -> str:
    """A text whose control characters are spelled out, so that no value in it can break or overwrite a line."""
    return "".join(c if c.isprintable() or c in "\n\u00a0" else ascii(c)[1:-1] for c in text)


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """A sentence with the nearest of some names, after a space; empty if none is near."""
    near = get_close_matches(name, list(names), n=1)
    return f" Did you mean {near[0]!r}?" if near else ""
