"""Specifications of experiments and launchers: YAML files whose keys are known, so that a wrong one is named."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from rethink.errors import UserError, did_you_mean
from rethink.files import read_yaml


def read(path: Path, such_as: str, *, may_be_empty: bool = False) -> dict[str, Any]:
    """The keys of a file and their values.

    Args:
        path: Of the file.
        such_as: Some keys, for the message where there are none.
        may_be_empty: Whether a file without keys is one where all stand at their defaults.

    Raises:
        FileNotFoundError: It is not there.
        UserError: It cannot be read, is not YAML, or has no keys.
    """
    spec = read_yaml(path)
    if may_be_empty:
        spec = spec or {}
    if not isinstance(spec, dict):
        raise UserError(f"{path}: expected keys such as {such_as}.")
    return spec


def check_key(path: Path, key: Any, keys: Iterable[str], where: str = "") -> None:
    """That a key is known, with the nearest one in the message if it is not."""
    names = sorted(keys)
    if key not in names:
        hint = did_you_mean(str(key), names)
        raise UserError(f"{path}: unknown key {key!r}{where}.{hint} Known: {', '.join(names)}.")
