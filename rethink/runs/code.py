"""What a run's numbers were computed by: the version of the package's numbers, and digests of a user's own code.

A comment, a docstring or a moved line changes no digest. Nothing is imported to compare them.
"""

import ast
import hashlib
import sys
import sysconfig
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

NUMBERS = 1
"""Raised whenever the package's own code gives other numbers for the same options: a test has their golden values."""
NUMBERS_OF = {"ImageFolder": 2, "ImageNet": 2}
"""The same of a class of the package whose numbers alone changed, from 1: runs without it, or a class that extends it,
stay finished. 2: images are resized by torch."""


def code_of(class_paths: Iterable[str]) -> dict[str, Any]:
    """For a record: what `changed` compares with later. The classes have been imported.

    Args:
        class_paths: Of all classes of the configuration; those outside the package count, with what they import
            from beside them.
    """
    class_paths, digests = list(class_paths), dict[str, str]()
    versions = {path: version for path in class_paths if (version := _version(path)) != 1}
    versions |= {base: _version(base) for path in class_paths for base in _extended(path)}
    waiting = [path.rpartition(".")[0] for path in class_paths]
    while waiting:
        name = waiting.pop()
        module = sys.modules.get(name)
        if name in digests or module is None or not _own(module):
            continue
        digests[name] = digest(Path(module.__file__ or ""))
        waiting += [
            value.__name__ if isinstance(value, ModuleType) else str(getattr(value, "__module__", ""))
            for value in vars(module).values()
        ]
    code = {"numbers": NUMBERS, "modules": dict(sorted(digests.items()))}
    return code | ({"classes": versions} if versions else {})


def changed(record: Mapping[str, Any]) -> list[str]:
    """What of a finished run's code differs now, in words; a record from before digests counts as unchanged."""
    code = record.get("code") or {}
    numbers = code.get("numbers", 1)
    words = [] if numbers == NUMBERS else [f"rethink (its numbers were of version {numbers}, now {NUMBERS})"]
    versions = dict.fromkeys(class_paths(record.get("config")), 1) | code.get("classes", {})
    words += [
        f"{path} (its numbers were of version {version}, now {_version(path)})"
        for path, version in versions.items()
        if version != _version(path)
    ]
    for module, before in code.get("modules", {}).items():
        file = _file(module)
        if file is not None and digest(file) != before:
            words.append(str(file))
    return words


def class_paths(config: Any) -> list[str]:
    """Every `class_path` in a configuration."""
    if isinstance(config, Mapping):
        own = [str(config["class_path"])] if "class_path" in config else []
        return own + [path for value in config.values() for path in class_paths(value)]
    if isinstance(config, list | tuple):
        return [path for value in config for path in class_paths(value)]
    return []


def _extended(path: str) -> list[str]:
    """The classes of the package that one outside it extends."""
    module, _, name = path.rpartition(".")
    kind = None if _of_package(path) else getattr(sys.modules.get(module), name, None)
    bases = [f"{base.__module__}.{base.__qualname__}" for base in kind.__mro__] if isinstance(kind, type) else []
    return [base for base in bases if _of_package(base)]


def _of_package(path: str) -> bool:
    return path.partition(".")[0] == "rethink"


def _version(path: str) -> int:
    return NUMBERS_OF.get(path.rpartition(".")[2], 1) if _of_package(path) else 1


def digest(file: Path) -> str:
    """Of a file of Python without its comments, docstrings and positions; 16 hexadecimal digits."""
    stat = file.stat()
    return _digest(file, stat.st_mtime_ns, stat.st_size)


def interface(file: Path) -> str:
    """The same without what methods do, but for `__init__` and `canonical`: what options and identities depend on."""
    stat = file.stat()
    return _digest(file, stat.st_mtime_ns, stat.st_size, methods=False)


@cache
def _digest(file: Path, modified: int, size: int, methods: bool = True) -> str:
    content = file.read_bytes()
    try:
        tree = ast.parse(content)
    except (SyntaxError, ValueError):  # no Python, or not yet
        return hashlib.sha256(content).hexdigest()[:16]
    for node in ast.walk(tree):
        match node:
            case ast.Module() | ast.ClassDef() | ast.FunctionDef() | ast.AsyncFunctionDef() if ast.get_docstring(node):
                node.body = node.body[1:]
        if isinstance(node, ast.ClassDef) and not methods:
            for method in node.body:
                if isinstance(method, ast.FunctionDef) and method.name not in ("__init__", "canonical"):
                    method.body = []
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest()[:16]


def _own(module: ModuleType) -> bool:
    """Whether it is a file of the user's: neither of this package, nor installed, nor Python's."""
    file = getattr(module, "__file__", None)
    if not file or not file.endswith(".py") or _of_package(module.__name__):
        return False
    path = Path(file).resolve()
    if not path.is_file() or {"site-packages", "dist-packages"} & set(path.parts):  # also of the user, or another's
        return False
    paths = sysconfig.get_paths()
    return not any(path.is_relative_to(Path(paths[name]).resolve()) for name in ("stdlib", "platstdlib"))


def _file(module: str) -> Path | None:
    """Where a module is, without running it; None where it is not to be seen from here."""
    if module in sys.modules:
        file = getattr(sys.modules[module], "__file__", None)
        return Path(file) if file else None
    relative = Path(*module.split("."))
    for folder in (Path.cwd(), *map(Path, sys.path)):
        for path in (folder / relative.with_suffix(".py"), folder / relative / "__init__.py"):
            if path.is_file():
                return path
    return None
