"""Settings of a launcher from a YAML file: unknown keys are named, with the nearest known one."""

from dataclasses import fields
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, TypeVar, get_args, get_origin

from rethink.errors import UserError
from rethink.sweep import specification

T = TypeVar("T")
_ANALYSES = "analyses"
_ACCEPTED: dict[type, tuple[Any, str]] = {
    int: (int, "a whole number"),
    float: (int | float, "a number"),
    list: (list, "a list"),
    dict: (dict, "keys with values"),
}


def load(kind: type[T], path: Path, *, analyses: bool = False) -> T:
    """Reads a dataclass from a YAML file: what a run asks for, or with `analyses` what an analysis asks for.

    Under the key `analyses` stands what is different for these.
    """
    keys = {item.name: item for item in fields(kind)}  # type: ignore[arg-type]
    try:
        spec = specification.read(path, such_as=", ".join(list(keys)[:3]), may_be_empty=True)
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}. Name a launcher's config with --launcher-config.") from None
    different = spec.pop(_ANALYSES, None) or {}
    if not isinstance(different, dict):
        raise UserError(f"{path}: {_ANALYSES} is {different!r}, and not keys with values.")
    for part, allowed in ((spec, [*keys, _ANALYSES]), (different, list(keys))):
        for key, value in part.items():
            specification.check_key(path, key, allowed)
            _check(path, key, value, keys[key].type)
    return kind(**(spec | different if analyses else spec))


def _check(path: Path, key: str, value: Any, kind: Any) -> None:
    kinds = {get_origin(option) or option for option in (get_args(kind) if isinstance(kind, UnionType) else [kind])}
    if value is None and NoneType in kinds:
        return
    for expected, (accepted, words) in _ACCEPTED.items():
        if expected in kinds and (
            isinstance(value, bool) or not isinstance(value, accepted) or (expected is int and value < 0)
        ):
            raise UserError(f"{path}: {key} is {value!r}, and not {words}.")
