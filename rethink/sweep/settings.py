"""Settings of a launcher from a YAML file: unknown keys are named, with the nearest known one."""

from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

from rethink.errors import UserError
from rethink.sweep import specification

T = TypeVar("T")
_ANALYSES = "analyses"


def load(kind: type[T], path: Path, *, analyses: bool = False) -> T:
    """Reads a dataclass from a YAML file: what a run asks for, or with `analyses` what an analysis asks for.

    Under the key `analyses` stands what is different for these.
    """
    known = {item.name: item for item in fields(kind)}  # type: ignore[arg-type]
    try:
        spec = specification.read(path, such_as=", ".join(list(known)[:3]), may_be_empty=True)
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}. Name a launcher's config with --launcher-config.") from None
    different = spec.pop(_ANALYSES, None) or {}
    if not isinstance(different, dict):
        raise UserError(f"{path}: {_ANALYSES} is {different!r}, and not keys with values.")
    for part in (spec, different):
        _check(path, part, known)
    return kind(**(spec | different if analyses else spec))


def _check(path: Path, spec: dict[str, Any], known: dict[str, Any]) -> None:
    for key, value in spec.items():
        specification.check_key(path, key, known)
        if known[key].type is int and not (isinstance(value, int) and value >= 0):
            raise UserError(f"{path}: {key} is {value!r}, and not a whole number.")
