"""Files that can be trusted: written whole or not at all, with a digest of their content, verified before use.

A JSON object carries its digest under the key `digest`. A zip archive (a checkpoint of torch, arrays of NumPy) carries
it as the archive's comment, which every reader of zip files passes over. Text files have theirs in the record beside
them (`files_digest`). A writer that is killed leaves the last good file in its place.
"""

import errno
import hashlib
import io
import json
import os
import shutil
import stat
import struct
import tempfile
import zipfile
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from rethink.errors import UserError

DIGEST = "digest"
"""Key of the digest in a JSON object."""

_END = b"PK\x05\x06"  # of a zip archive: its last record, 22 bytes long without a comment
_LABEL = b"sha256:"
_COMMENT_LENGTH = len(_LABEL) + 64
_LARGEST_YAML = 100_000  # parts
_LEFTOVER_AFTER = 600.0  # seconds after which a partial file is that of a killed writer


class Damaged(UserError):
    """A file is not what was written: cut off, changed, or not there."""


def write_atomically(
    path: Path, write: Callable[[IO[bytes]], object], *, durable: bool = True, size: int | None = None
) -> None:
    """Calls `write` with a file in the folder of `path`, and renames it to `path` when it is safely on disk.

    Args:
        path: Its folder is created.
        write: Writes the content.
        durable: Whether to wait for the disk. Without, the file is whole after a killed process, and perhaps lost in a
            power cut.
        size: Bytes that will be written, for the message where these are too many.

    Raises:
        UserError: It cannot be written. What stood there before still does.
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
        _remove_leftovers(path, partial)
        os.replace(partial, path)
    except OSError as error:
        raise _unwritable(path, error, size) from error
    finally:
        if partial is not None:
            partial.unlink(missing_ok=True)


def write_bytes(path: Path, content: bytes, *, durable: bool = True) -> None:
    """Writes a file atomically."""
    write_atomically(path, lambda file: file.write(content), durable=durable, size=len(content))


def write_text(path: Path, text: str, *, durable: bool = True) -> None:
    """Writes a text file atomically, in UTF-8."""
    write_bytes(path, text.encode(), durable=durable)


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Writes a JSON object with its digest."""
    write_text(path, json.dumps(content | {DIGEST: content_digest(content)}, indent=2) + "\n")


def write_archive(path: Path, save: Callable[[IO[bytes]], object]) -> None:
    """Writes what `save` writes, a zip archive, with its digest.

    It is made in memory first: a full disk is then an OSError, whatever library writes the archive.
    """
    buffer = io.BytesIO()
    save(buffer)
    write_bytes(path, sealed(buffer.getvalue()))


def is_there(path: Path) -> bool:
    """Whether anything stands in a file's place: the file, or a folder, a pipe, a link to nothing, which are damage."""
    return os.path.lexists(path)


def read_bytes(path: Path) -> bytes:
    """The content of a file.

    Raises:
        FileNotFoundError: Nothing stands there.
        UserError: It cannot be read.
        Damaged: What stands there is no file.
    """
    try:
        if (kind := _other_kind(path)) is None:
            return path.read_bytes()
        raise Damaged(f"{path}: damaged (this is {kind}, and no file).")
    except OSError as error:
        if isinstance(error, FileNotFoundError) and not path.is_symlink():
            raise
        if isinstance(error, FileNotFoundError) or error.errno == errno.ELOOP:
            raise Damaged(f"{path}: damaged (this is a link that leads to nothing).") from error
        raise UserError(f"{path}: cannot be read ({error.strerror}).") from error
    except ValueError as error:  # a NUL in the name
        raise UserError(f"{str(path)!r}: cannot be read ({error}).") from error


def read_text(path: Path) -> str:
    """The text of a file in UTF-8; raises what `read_bytes` does."""
    try:
        return read_bytes(path).decode()
    except UnicodeDecodeError as error:
        raise Damaged(f"{path}: damaged ({error}).") from error


def without_waiting(path: str, flags: int) -> int:
    """An opener for `open`, which gives an error where a pipe without another end stands in the place of a file."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0), 0o666)


def _other_kind(path: Path) -> str | None:
    """What stands in the place of a file: to open a pipe would wait for ever. A shell's `<(...)` is a pipe in /dev."""
    mode = os.stat(path).st_mode
    if stat.S_ISREG(mode) or (stat.S_ISFIFO(mode) and path.parts[:2] == ("/", "dev")):
        return None
    return "a folder" if stat.S_ISDIR(mode) else "a pipe, a socket or a device"


def read_json(path: Path, *, unsealed_formats: Iterable[int] = ()) -> dict[str, Any]:
    """A JSON object, verified, without its digest.

    Args:
        path: Of the file.
        unsealed_formats: Values of its key `format` with which it needs no digest, since an older rethink wrote it.

    Raises:
        Damaged: It is no JSON object, or not the one that was written. Also what `read_bytes` raises.
    """
    try:
        loaded = json.loads(read_bytes(path))
    except (ValueError, RecursionError) as error:  # also UnicodeDecodeError
        raise Damaged(f"{path}: damaged ({error}).") from error
    if not isinstance(loaded, dict):
        raise Damaged(f"{path}: damaged (no JSON object).")
    digest = loaded.pop(DIGEST, None)
    if digest is None and loaded.get("format") in tuple(unsealed_formats):
        return loaded
    if digest != content_digest(loaded):
        raise Damaged(f"{path}: damaged (its content does not have the digest that it carries).")
    return loaded


def config_file(name: str | Path) -> Path:
    """The file of a name such as `configs/base.yaml`: the working folder's, or else the one that the package brings."""
    path, package = Path(name), Path(__file__).parent
    if path.parts[:1] == ("configs",) and not path.exists():
        brought = [folder / path for folder in (package, package.parent) if (folder / path).is_file()]
        return brought[0] if brought else path
    return path


def read_yaml(path: Path) -> Any:
    """What a YAML file says; None where it is empty.

    Raises:
        UserError: It is no YAML in UTF-8, or is nested or repeated beyond all measure. Also what `read_bytes` raises.
    """
    import yaml  # here: what reads no YAML need not wait for it

    try:
        content = yaml.safe_load(read_bytes(path).decode())
        if _size(content, {}) > _LARGEST_YAML:
            raise UserError(f"{path}: this is not YAML of options (its repetitions have too many parts).")
        return content
    except UnicodeDecodeError:
        raise UserError(f"{path}: this is not YAML in UTF-8. Save it as UTF-8.") from None
    except yaml.YAMLError as error:
        mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None)
        where = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        reason = problem or str(error).partition("\n")[0]
        raise UserError(f"{path}{where}: this is not YAML ({reason}).") from None
    except (RecursionError, ValueError) as error:  # nested within itself; a date such as 2026-99-99
        reason = "nested too deeply, or within itself" if isinstance(error, RecursionError) else error
        raise UserError(f"{path}: this is not YAML of options ({reason}).") from None


def _size(content: Any, sizes: dict[int, int]) -> int:
    """How many parts it has when repetitions are written out. RecursionError where it contains itself."""
    if not isinstance(content, dict | list):
        return 1
    if id(content) not in sizes:
        parts = [*content.values()] if isinstance(content, dict) else content
        sizes[id(content)] = 1 + sum(_size(part, sizes) for part in parts)
    return sizes[id(content)]


def read_archive(path: Path) -> bytes:
    """A zip archive as bytes, verified whole: by its digest or, where it has no comment, by its own CRC sums.

    Raises:
        Damaged: It is not what was written. Also what `read_bytes` raises.
    """
    content = read_bytes(path)
    if content[-22:-18] == _END and content[-2:] == b"\0\0":  # of an older rethink, or of stock Lightning
        _check_sums(path, content)
        return content
    unsealed, comment = content[:-_COMMENT_LENGTH], content[-_COMMENT_LENGTH:]
    if not comment.startswith(_LABEL) or len(unsealed) < 22 or unsealed[-22:-18] != _END:
        raise Damaged(f"{path}: damaged (cut off, or no archive).")
    if comment != _comment(unsealed[:-2]):
        raise Damaged(f"{path}: damaged (its content does not have the digest that it carries).")
    return content


def sealed(archive: bytes) -> bytes:
    """A zip archive without a comment, with its digest as the comment."""
    if len(archive) < 22 or archive[-22:-18] != _END:
        raise ValueError("this is no zip archive without a comment")
    content = archive[:-2]  # all but the length of the comment
    return content + struct.pack("<H", _COMMENT_LENGTH) + _comment(content)


def content_digest(content: dict[str, Any]) -> str:
    """SHA-256 of a JSON object, whatever the order of its keys and its layout."""
    plain = json.loads(json.dumps(content))  # as it will be read: keys are texts
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()


def files_digest(folder: Path, names: Iterable[str]) -> dict[str, str]:
    """Name -> SHA-256 of those of these files that are there."""
    return {name: hashlib.sha256(read_bytes(folder / name)).hexdigest() for name in names if is_there(folder / name)}


def verify_files(folder: Path, digests: dict[str, str]) -> None:
    """That files are what they were when their digests were taken.

    Raises:
        Damaged: One is not, or is missing.
    """
    if not isinstance(digests, dict) or not all(isinstance(digest, str) for digest in digests.values()):
        raise Damaged(f"{folder / 'record.json'}: damaged (what it says of its files is no list of digests).")
    for name, digest in digests.items():
        try:
            content = read_bytes(folder / name)
        except FileNotFoundError:
            raise Damaged(f"{folder / name}: missing beside its record.") from None
        if hashlib.sha256(content).hexdigest() != digest:
            raise Damaged(f"{folder / name}: damaged (its content does not have the digest in its record).")


def _check_sums(path: Path, content: bytes) -> None:
    try:
        if (wrong := zipfile.ZipFile(io.BytesIO(content)).testzip()) is not None:
            raise ValueError(f"its part {wrong} does not have the sum that it carries")
    except Exception as error:  # zipfile raises what it likes
        raise Damaged(f"{path}: damaged ({error}).") from error


def _comment(content: bytes) -> bytes:
    return _LABEL + hashlib.sha256(content).hexdigest().encode()


def _unwritable(path: Path, error: OSError, size: int | None) -> UserError:
    reason = error.strerror or str(error)
    needed = "" if size is None else f"{size / 2**20:,.1f} MiB are needed, "
    free = ""
    with suppress(OSError):  # the folder has gone
        free = f" ({needed}{shutil.disk_usage(path.parent).free / 2**20:,.1f} MiB are free there)"
    if isinstance(error, IsADirectoryError):
        return UserError(f"Cannot write {path}: a folder stands in its place. Move it away, and go on.")
    return UserError(f"Cannot write {path}: {reason}{free}. Make room or give permission, and go on.")


def _remove_leftovers(path: Path, partial: Path) -> None:
    """Removes what killed writers left, by the clock of the file system."""
    now = partial.stat().st_mtime
    for leftover in path.parent.glob(f".{path.name}.*"):
        if leftover != partial:
            with suppress(OSError):  # another writer was quicker, or it is not ours
                if now - leftover.stat().st_mtime > _LEFTOVER_AFTER:
                    leftover.unlink()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
