"""Settings of a launcher from a YAML file: unknown keys are named, with the nearest known one."""

from dataclasses import fields
from pathlib import Path
from typing import TypeVar

from rethink.errors import UserError
from rethink.sweep import specification

T = TypeVar("T")


def load(kind: type[T], path: Path) -> T:
    """Reads a dataclass from a YAML file."""
    known = {item.name: item for item in fields(kind)}  # type: ignore[arg-type]
    try:
        spec = specification.read(path, such_as=", ".join(list(known)[:3]), may_be_empty=True)
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}. Name a launcher's config with --launcher-config.") from None
    for key, value in spec.items():
        specification.check_key(path, key, known)
        if known[key].type is int and not (isinstance(value, int) and value >= 0):
            raise UserError(f"{path}: {key} is {value!r}, and not a whole number.")
    return kind(**spec)
