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
"""The same of a class of the package whose numbers alone changed, from 1: runs without it stay finished. 2: images are
resized by torch."""


def code_of(class_paths: Iterable[str]) -> dict[str, Any]:
    """For a record: what `changed` compares with later. The classes have been imported.

    Args:
        class_paths: Of all classes of the configuration; those outside the package count, with what they import
            from beside them.
    """
    class_paths, digests = list(class_paths), dict[str, str]()
    versions = {path: version for path in class_paths if (version := _version(path)) != 1}
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
    words += [
        f"{path} (its numbers were of version {version}, now {_version(path)})"
        for path in class_paths(record.get("config"))
        if (version := code.get("classes", {}).get(path, 1)) != _version(path)
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


def _version(path: str) -> int:
    package, _, name = path.rpartition(".")
    return NUMBERS_OF.get(name, 1) if package.partition(".")[0] == "rethink" else 1


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
    if not file or not file.endswith(".py") or module.__name__.partition(".")[0] == "rethink":
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
