"""Specifications of experiments and launchers: YAML files whose keys are known, so that a wrong one is named."""

import math
from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, get_args, get_origin

from rethink.errors import UserError, did_you_mean
from rethink.files import config_file, read_yaml

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

T = TypeVar("T", bound="DataclassInstance")
_ANALYSES = "analyses"
_WORDS: dict[type, str] = {
    int: "a whole number, 0 or more",
    float: "a number above 0",
    list: "a list of texts",
    dict: "keys with values",
    str: "a text",
}
Count = Annotated[int, "1 or more"]
"""Of what there has to be one."""


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


def load(kind: type[T], path: Path, *, analyses: bool = False) -> T:
    """Reads a dataclass from a YAML file: what a run asks for, or with `analyses` what an analysis asks for.

    Under the key `analyses` stands what is different for these.
    """
    path = config_file(path)
    keys = {item.name: item for item in fields(kind)}
    try:
        spec = read(path, such_as=", ".join(list(keys)[:3]), may_be_empty=True)
    except FileNotFoundError as error:
        raise UserError(f"{path}: {error.strerror}. Name a launcher's config with --launcher-config.") from None
    different = spec.pop(_ANALYSES, None) or {}
    if not isinstance(different, dict):
        raise UserError(f"{path}: {_ANALYSES} is {different!r}, and not keys with values.")
    for part, allowed in ((spec, [*keys, _ANALYSES]), (different, list(keys))):
        for key, value in part.items():
            check_key(path, key, allowed)
            _check_value(path, key, value, keys[key].type)
    try:
        return kind(**(spec | different if analyses else spec))
    except UserError as error:
        raise UserError(f"{path}: {error}") from None


def _check_value(path: Path, key: str, value: Any, kind: Any) -> None:
    kinds = [option for option in (get_args(kind) if isinstance(kind, UnionType) else [kind]) if option is not NoneType]
    if (value is None and NoneType in get_args(kind)) or any(_fits(value, option) for option in kinds):
        return
    raise UserError(f"{path}: {key} is {value!r}, and not {' or '.join(map(_words, kinds))}.")


def _fits(value: Any, kind: Any) -> bool:
    if kind in (int, Count):
        return type(value) is int and (kind is int or value > 0) and 0 <= value < 2**31
    if kind is float:
        return type(value) in (int, float) and 0 < value < math.inf
    if get_origin(kind) is list:
        return isinstance(value, list) and all(_fits(item, get_args(kind)[0]) for item in value)
    if kind is str:
        return isinstance(value, str) and bool(value.strip()) and value.isprintable()
    return isinstance(value, get_origin(kind) or kind)


def _words(kind: Any) -> str:
    if get_origin(kind) is list and get_origin(get_args(kind)[0]) is dict:
        return "a list of keys with values"
    return "a whole number, 1 or more" if kind is Count else _WORDS[get_origin(kind) or kind]
