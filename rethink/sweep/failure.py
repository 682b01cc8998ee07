"""The error of a run that failed, kept in its folder: `failure.txt`, the message first, then the traceback."""

from contextlib import suppress
from pathlib import Path

from rethink.errors import UserError
from rethink.files import read_bytes, write_text

_NAME = "failure.txt"


def write_failure(folder: Path, message: str, details: str = "") -> None:
    """Keeps the error of a run, where there is room and permission: whoever calls this also says it."""
    with suppress(UserError):
        write_text(folder / _NAME, f"{message}\n{details}")


def reported_in(folder: Path) -> str:
    """What is to be done about an error that is no user's fault."""
    return f"This is a fault of rethink, not of yours: to have it mended, report {folder / _NAME}."


def read_failure(folder: Path) -> str | None:
    """The message of a run that failed, None of one that did not."""
    try:
        return read_bytes(folder / _NAME).decode(errors="replace").partition("\n")[0]
    except (FileNotFoundError, NotADirectoryError):
        return None
    except UserError as error:
        return str(error)


def forget_failure(folder: Path) -> None:
    """Before a run is tried again, which will say what is wrong with its folder."""
    with suppress(OSError):
        (folder / _NAME).unlink(missing_ok=True)
