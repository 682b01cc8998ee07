"""Finds the subclasses that the modules of a package define, so that adding a class means adding its file only."""

import importlib
import inspect
import pkgutil
import sys
from types import ModuleType


def subclasses(package: ModuleType, base: type) -> dict[str, type]:
    """Name -> class of every public subclass of `base` that a module of `package` defines."""
    modules = [
        importlib.import_module(f"{package.__name__}.{info.name}") for info in pkgutil.iter_modules(package.__path__)
    ]
    classes = {
        name: value
        for module in modules
        for name, value in vars(module).items()
        if inspect.isclass(value) and issubclass(value, base) and value.__module__ == module.__name__
    }
    return {name: classes[name] for name in sorted(classes) if not name.startswith("_")}


def lookup(package: str, base: str, name: str) -> type:
    """The class that `from PACKAGE import NAME` means, for a package that imports its modules when first asked.

    Args:
        package: Name of the package, such as `rethink.models`.
        base: Module and class, within the package, of which all others are subclasses.
        name: The base, or a public subclass that a module of the package defines.

    Raises:
        AttributeError: There is no such class.
    """
    if not name.startswith("_"):
        module, _, kind = base.rpartition(".")
        first: type = getattr(importlib.import_module(f"{package}.{module}"), kind)
        classes = {kind: first, **subclasses(sys.modules[package], first)}
        if name in classes:
            vars(sys.modules[package]).update(classes)
            return classes[name]
    raise AttributeError(f"module {package!r} has no attribute {name!r}")
