"""Classes by name: those that a package defines, so that a new class is a file only; one class by its import path."""

import importlib
import inspect
import pkgutil
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any, Self, TypeVar

from rethink.errors import UserError, did_you_mean

T = TypeVar("T")


class Rebuildable:
    """Remembers the arguments that it was built with, for checkpoints from which it is built again."""

    built_with: dict[str, Any]
    """By name, those that were not given left out."""

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        self = super().__new__(cls)
        signature = inspect.signature(cls.__init__)
        try:
            given = signature.bind_partial(self, *args, **kwargs).arguments
        except TypeError:  # which the constructor says better
            given = {}
        for name, parameter in signature.parameters.items():
            if parameter.kind == inspect.Parameter.VAR_KEYWORD:
                given |= given.pop(name, {})
        object.__setattr__(self, "built_with", dict(list(given.items())[1:]))
        return self


def plain(value: Any) -> Any:
    """A value as YAML has it: a Rebuildable with its class and arguments, what cannot be written left out as None."""
    if isinstance(value, Rebuildable):
        class_path = f"{type(value).__module__}.{type(value).__qualname__}"
        return {"class_path": class_path, "init_args": plain(value.built_with)}
    if isinstance(value, dict):
        return {str(name): plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    for kind in (bool, int, float, str):  # a subclass of these, such as a PositiveFloat, becomes one of them
        if isinstance(value, kind):
            return kind(value)
    return None


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


def of_file(text: str) -> str:
    """What to write in the place of a file, `wide.py` or `./nets/wide.py:Net`; empty where a text names no file."""
    match = re.fullmatch(r"(?:\./)?([\w/]+)\.py(?:\W+(\w+))?", text)
    if match is None:
        return ""
    file, name = Path(f"{match[1]}.py"), match[2]
    if name is None and file.is_file():
        name = next(iter(re.findall(r"^class (\w+)", file.read_text(errors="replace"), re.MULTILINE)), None)
    return f"a class goes by module and name: write {match[1].replace('/', '.')}.{name or 'ClassName'}."


def resolve(class_path: str, base: type[T], where: str = "") -> type[T]:
    """The class of an import path, such as `my_file.MyModel`, without calling anything of it.

    Args:
        class_path: Module and name. A file of the working folder is a module.
        base: What it has to be a subclass of.
        where: Which file names it, for the message; empty for the command line.

    Raises:
        UserError: There is no such class, or it is another kind of thing.
    """
    named = f"{where}: {class_path!r}" if where else repr(class_path)
    if hint := of_file(class_path):
        raise UserError(f"{named}: {hint}")
    module, _, name = class_path.rpartition(".")
    if not module.strip(".") or module.startswith("."):
        raise UserError(f"{named} is no import path. Expected module and class, such as my_file.{class_path}.")
    try:
        imported = importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module}.".startswith(f"{error.name}."):
            raise UserError(f"{named} cannot be imported: {error}.") from error
        raise UserError(f"{named}: there is no module {module!r} here, nor an installed one.") from None
    candidate = getattr(imported, name, None)
    if candidate is None:
        raise UserError(f"{named}: module {module!r} has no class {name!r}.{did_you_mean(name, vars(imported))}")
    if not (inspect.isclass(candidate) and issubclass(candidate, base)):
        raise UserError(f"{named} is no {base.__name__}.")
    return candidate
