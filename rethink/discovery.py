"""Finds the subclasses that the modules of a package define, so that adding a class means adding its file only."""

import importlib
import inspect
import pkgutil
from types import ModuleType


def subclasses(package: ModuleType, base: type) -> dict[str, type]:
    """Name -> class of every public subclass of `base` that a module of `package` defines."""
    modules = [
        importlib.import_module(f"{package.__name__}.{info.name}") for info in pkgutil.iter_modules(package.__path__)
    ]
    found = {
        name: value
        for module in modules
        for name, value in vars(module).items()
        if inspect.isclass(value) and issubclass(value, base) and value.__module__ == module.__name__
    }
    return {name: found[name] for name in sorted(found) if not name.startswith("_")}
