"""Checkpoints that are verified whole before anything of them is used."""

import io
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins import TorchCheckpointIO

from rethink.errors import UserError
from rethink.files import Damaged, read_archive, write_archive

WEIGHTS = frozenset({"state_dict"})
TRAINING = WEIGHTS | {"optimizer_states", "loops", "callbacks", "epoch", "global_step"}

_verified: dict[tuple[object, ...], bytes] = {}
"""The checkpoint that `find_checkpoint` chose, until the trainer loads it: it is read and hashed once."""


def write_checkpoint(path: Path, checkpoint: dict[str, Any]) -> None:
    """Writes a checkpoint with a digest of its content, atomically."""
    write_archive(path, lambda file: torch.save(checkpoint, file))


def read_checkpoint(path: Path, *, needs: frozenset[str] = WEIGHTS, device: Any = "cpu") -> dict[str, Any]:
    """The content of a checkpoint.

    Args:
        path: Of the file.
        needs: Keys that it must have: WEIGHTS to evaluate it, TRAINING to go on from it.
        device: Where its tensors go.

    Raises:
        UserError: It cannot be read, is damaged, or lacks something.
    """
    return _unpacked(path, _archive(path), needs, device)


def _archive(path: Path) -> bytes:
    try:
        return read_archive(path)
    except FileNotFoundError:
        raise UserError(f"there is no file {path}.") from None


def _unpacked(path: Path, archive: bytes, needs: frozenset[str], device: Any) -> dict[str, Any]:
    try:
        checkpoint = torch.load(io.BytesIO(archive), map_location=device, weights_only=True)
    except Exception as error:  # torch raises what it likes
        raise Damaged(f"{path}: damaged ({_first_line(error)}).") from error
    if not isinstance(checkpoint, dict):
        raise Damaged(f"{path}: no checkpoint.")
    if missing := needs - checkpoint.keys():
        raise Damaged(f"{path}: no checkpoint for this: it has no {', '.join(sorted(missing))}.")
    return checkpoint


def find_checkpoint(folder: Path) -> Path | None:
    """The newest whole checkpoint of a run's folder; a damaged one is named, and set aside so that it stays no longer.

    Raises:
        UserError: There were some, and all are damaged. The same command then begins anew.
    """
    damaged = []
    for path in (folder / "checkpoints" / name for name in ("last.ckpt", "previous.ckpt")):
        if not os.path.lexists(path):
            continue
        try:
            archive = _archive(path)
            _unpacked(path, archive, TRAINING, "meta")
        except UserError as error:
            if not isinstance(error, Damaged):
                raise UserError(f"{error} Give permission; then the same command goes on.") from error
            print(f"{error} It is passed over.", flush=True)
            damaged.append(path)
        else:
            _set_aside(damaged)
            _verified.clear()
            _verified[_version(path)] = archive
            return path
    _set_aside(damaged)
    if damaged:
        names = " and ".join(str(path) for path in damaged)
        raise UserError(f"{names}: damaged, and there is no other checkpoint. The same command now begins anew.")
    return None


class VerifiedCheckpointIO(TorchCheckpointIO):
    """Writes a checkpoint beside its place, syncs and renames it, and keeps the one before as `previous.ckpt`.

    The stock writer stages in the temporary folder and copies: a kill at that moment leaves an empty file where a
    good one was. What is read is verified first.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        path = Path(path)
        if path.name == "last.ckpt" and path.is_file():
            with suppress(FileNotFoundError):
                os.replace(path, path.with_name("previous.ckpt"))
        write_checkpoint(path, checkpoint)

    def load_checkpoint(self, path: Any, map_location: Any = None, weights_only: bool | None = None) -> dict[str, Any]:
        needs: frozenset[str] = frozenset()  # processes that were forked hand their weights on in a file of no keys
        path = Path(path)
        return _unpacked(path, _verified.pop(_version(path), b"") or _archive(path), needs, map_location)


def _version(path: Path) -> tuple[object, ...]:
    """Changes whenever the file does."""
    stat = os.stat(path) if path.is_file() else None
    return path.absolute(), stat and (stat.st_ino, stat.st_mtime_ns, stat.st_size)


def _set_aside(damaged: list[Path]) -> None:
    """Out of the way of `previous.ckpt`, which the next save would replace by it."""
    for path in damaged:
        with suppress(OSError):  # another process of the run did so
            os.replace(path, path.with_suffix(".damaged"))


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
