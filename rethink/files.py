"""Files that are whole or not there: written beside their place, synced, renamed."""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import IO

from rethink.errors import UserError


def write_atomically(path: Path, write: Callable[[IO[bytes]], object], *, durable: bool = True) -> None:
    """Calls `write` with a file in the folder of `path`, and renames it to `path` when it is safely on disk.

    Without `durable` it is not waited for the disk: whole after a killed process, perhaps lost in a power cut.
    """
    partial: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
            partial = Path(file.name)
            write(file)
            file.flush()
            if durable:
                os.fsync(file.fileno())
        partial.chmod(0o666 & ~_umask())
        os.replace(partial, path)
    except OSError as error:
        reason = error.strerror or error
        raise UserError(f"Cannot write {path}: {reason}. Make room or give permission, and go on.") from error
    finally:
        if partial is not None:
            partial.unlink(missing_ok=True)


def write_text(path: Path, text: str, *, durable: bool = True) -> None:
    """Writes a text file atomically."""
    write_bytes(path, text.encode(), durable=durable)


def write_bytes(path: Path, content: bytes, *, durable: bool = True) -> None:
    """Writes a file atomically."""
    write_atomically(path, lambda file: file.write(content), durable=durable)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
