"""What Lightning imports and no command needs to begin with comes when it is needed: half of a command's start.

Lightning asks torchmetrics for two classes, whose `__init__` brings the metrics of images and of audio, and with these
torchvision's operators and scipy's signals. It asks torch's compiler for one, to see whether a model is compiled; for
torch's counter of operations, which brings Triton; and torchmetrics' plots, which bring matplotlib.
Whoever asks for more gets the real thing. Where Lightning has been imported before, all is as it was.
"""

import importlib
import importlib.util
import logging
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

_POSTPONED: dict[str, dict[str, str]] = {
    "torchmetrics": {
        "__version__": "torchmetrics.__about__",
        "Metric": "torchmetrics.utilities.checks",  # which imports it: from `torchmetrics.metric` this is a circle
        "MetricCollection": "torchmetrics.collections",
    },
    "torchmetrics.functional": {},
}
"""Package -> name -> the module that has it. All other names load the package as a whole."""
_COMPILER = "torch._dynamo"
_CALLED_LATER = {
    "torch.utils.flop_counter": ("FlopCounterMode",),
    "torchmetrics.utilities.plot": ("plot_single_or_multi_val",),
}
"""Module -> what is imported from it to be called."""
_TYPES = ("_AX_TYPE", "_PLOT_OUT_TYPE")
"""What is imported from these modules for annotations."""


class _Postponed(ModuleType):
    """A package whose own code runs when it is asked for a name that is not in `_POSTPONED`."""

    def __getattr__(self, name: str) -> Any:
        package = self.__name__
        if module := _POSTPONED[package].get(name):
            return getattr(importlib.import_module(module), name)
        spec = self.__spec__
        if spec is None or spec.loader is None or (name.startswith("__") and name != "__all__"):
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        self.__class__ = ModuleType  # type: ignore[assignment]
        spec.loader.exec_module(self)
        return getattr(self, name)


class _Compiled(type):
    """Nothing is an instance of a class before that class is loaded."""

    def __instancecheck__(cls, instance: object) -> bool:
        loaded = sys.modules.get(f"{_COMPILER}.eval_frame")
        return loaded is not None and isinstance(instance, loaded.OptimizedModule)


def import_lightning() -> None:
    """Imports Lightning, and of torchmetrics and torch's compiler what Lightning asks for."""
    if "lightning" in sys.modules:
        return
    for package in _POSTPONED:
        if package in sys.modules or (spec := importlib.util.find_spec(package)) is None:
            break
        sys.modules[package] = module = importlib.util.module_from_spec(spec)
        module.__class__ = _Postponed
        vars(module)["_logger"] = logging.getLogger(package)  # as its modules ask for it
        parent, _, name = package.rpartition(".")
        if parent:
            setattr(sys.modules[parent], name, module)
    standing_in = [_compiler(), *(_standing_in(module, names) for module, names in _CALLED_LATER.items())]
    ours = [module for module in standing_in if sys.modules.setdefault(module.__name__, module) is module]
    try:
        importlib.import_module("lightning.pytorch")
    finally:
        for module in ours:
            del sys.modules[module.__name__]


def _compiler() -> ModuleType:
    later = importlib.import_module("torch._compile")._disable_dynamo  # torch's own way to put this off to a first call
    compiler = ModuleType(_COMPILER)
    vars(compiler)["OptimizedModule"] = _Compiled("OptimizedModule", (), {})
    vars(compiler)["disable"] = lambda function=None, recursive=True, **_: later(function, recursive)
    return compiler


def _standing_in(name: str, called: tuple[str, ...]) -> ModuleType:
    """A module whose functions and classes are imported when they are called."""

    def later(function: str) -> Callable[..., Any]:
        return lambda *args, **kwargs: getattr(importlib.import_module(name), function)(*args, **kwargs)

    module = ModuleType(name)
    vars(module).update(dict.fromkeys(_TYPES, object) | {function: later(function) for function in called})
    return module
