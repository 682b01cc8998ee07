"""What identifies a run: a hash of that part of its configuration, as written, which can change a result.

An option that stands at its default is left out, so a new option whose default changes nothing leaves every run_id
as it was. Devices, paths, loggers and displays never count, nor do callbacks that only measure or save: their type
decides. Descriptions of the same data count once: PartiallyCorruptedLabels with probability 1 is RandomLabels.
"""

import hashlib
import inspect
import json
from collections.abc import Mapping
from functools import cache
from typing import Any

from rethink.discovery import resolve
from rethink.errors import UserError

Config = dict[str, Any]

ONLY_MEASURES = "only_measures"
"""A class of callbacks with this attribute true changes no result: a `Measurement`."""

# What of the trainer can be set freely without a new run.
_INERT_TRAINER = {
    *("accelerator", "strategy", "devices", "num_nodes", "sync_batchnorm", "use_distributed_sampler"),
    *("logger", "log_every_n_steps", "enable_progress_bar", "enable_model_summary", "profiler", "barebones"),
    *("default_root_dir", "enable_checkpointing", "num_sanity_val_steps", "inference_mode"),
    *("deterministic", "benchmark", "detect_anomaly", "enable_autolog_hparams", "model_registry"),
    *("limit_test_batches", "limit_predict_batches"),  # of a finished run
}
# What of the command line says where and how, and not what.
_INERT = {
    *("config", "runs", "force", "timeout", "wandb", "group", "tags", "ckpt_path", "weights_only"),
    *("verbose", "return_predictions"),
    *("best_test_accuracy", "label_corruption", "history", "record", "progress", "checkpoint"),
}
_SET_BY_THE_RUN = {"seed", "image_shape", "num_classes"}  # links: the seed counts once, the rest follows from the data
_RANDOMIZATION = "rethink.randomization.randomization.Randomization"
"""By name: this room does not know that one."""
_TRUE = {"class_path": "rethink.randomization.TrueLabels"}
_INERT_DATA = {"root", "steps_per_call", "randomization", "seed", "resident", "workers", "checksums"}


def identity(config: Config) -> Config:
    """The part of a resolved configuration of `rethink fit` that can change a result."""
    config = {name: part for name, part in config.items() if name not in _INERT}
    model, data, trainer = config.pop("model"), config.pop("data"), dict(config.pop("trainer", None) or {})
    randomization = (data.get("init_args") or {}).get("randomization") or _TRUE
    if (precision := config.pop("precision", "auto")) != "auto":  # an option of its own, and a part of the trainer
        trainer["precision"] = precision
    parts: Config = {
        "seed": config.pop("seed_everything", None) or 0,
        "model": [_name(model["class_path"]), _options(model, _SET_BY_THE_RUN)],
        "data": [_name(data["class_path"]), _options(data, _INERT_DATA)],
        "randomization": _randomization(randomization),
        "trainer": _trainer(trainer),
        "convergence": _chosen(
            "rethink.callbacks.convergence.Convergence", config.pop("convergence", None) or {}, set()
        ),
    }
    parts |= {name: _described(part) for name, part in config.items() if part is not None}
    return {name: part for name, part in parts.items() if part not in ({}, [])}


def parts(config: Config) -> Config:
    """What a plan keeps of a resolved configuration: what the run_id hashes, all options, and the budget."""
    return {
        "identity": identity(config),
        "resolved": resolved(config),
        "budget": {
            "max_epochs": config["trainer"]["max_epochs"],
            "keep_epochs": (config.get("checkpoint") or {}).get("keep_epochs") or [],
        },
    }


def resolved(config: Config) -> Config:
    """Dotted name -> value of the options of a resolved configuration, those at their defaults included."""
    data = (config.get("data") or {}).get("init_args") or {}
    sections = {
        "model": (config.get("model") or {}).get("init_args"),
        "data": {name: value for name, value in data.items() if name != "randomization"},
        "randomization": (data.get("randomization") or {}).get("init_args"),
        "trainer": {name: v for name, v in (config.get("trainer") or {}).items() if name not in _INERT_TRAINER},
        "convergence": config.get("convergence"),
    }
    return {f"{part}.{name}": value for part, options in sections.items() for name, value in (options or {}).items()}


def run_id(config: Config) -> str:
    """12 hexadecimal digits."""
    return digest(identity(config))


def digest(content: Any) -> str:
    """12 hexadecimal digits of what is written the same way in JSON."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:12]


def analysis_id(kind: Any, options: Config) -> str:
    """12 hexadecimal digits for an analysis: its class and version, and its options that are not at their defaults."""
    defaults = _defaults(kind)
    chosen = {name: value for name, value in options.items() if name not in defaults or defaults[name] != value}
    return digest({"analysis": _name(f"{kind.__module__}.{kind.__name__}"), "version": kind.version, "options": chosen})


def _options(spec: Config, inert: set[str]) -> Config:
    return _chosen(spec["class_path"], spec.get("init_args") or {}, inert)


def _described(value: Any) -> Any:
    """A value; a class in it with those of its options that are not at their defaults."""
    if isinstance(value, Mapping) and isinstance(value.get("class_path"), str):
        return {"class": _name(value["class_path"]), "options": _options(dict(value), set())}
    if isinstance(value, list | tuple):
        return [_described(part) for part in value]
    return value


def _randomization(spec: Config) -> list[Any]:
    chosen = _chosen(spec["class_path"], spec.get("init_args") or {}, set())
    kind: Any = _class(spec["class_path"])
    if _RANDOMIZATION not in [f"{base.__module__}.{base.__qualname__}" for base in kind.__mro__]:
        raise UserError(f"{spec['class_path']!r} is no Randomization.")
    name, arguments = kind.canonical(chosen)
    return [_name(spec["class_path"]) if name == spec["class_path"].rpartition(".")[2] else name, arguments]


def _trainer(options: Config) -> Config:
    chosen = _chosen("lightning.pytorch.Trainer", options, _INERT_TRAINER | {"callbacks", "plugins"})
    plugins = options.get("plugins") or []
    plugins = [_described(plugin) for plugin in (plugins if isinstance(plugins, list) else [plugins])]
    if plugins := [plugin for plugin in plugins if _computes(plugin)]:
        chosen["plugins"] = plugins
    callbacks = [
        [_name(spec["class_path"]), _options(spec, set())]
        for spec in _listed(options.get("callbacks"))
        if not only_measures(_class(spec["class_path"]))
    ]
    return chosen | ({"callbacks": callbacks} if callbacks else {})


def _computes(plugin: Any) -> bool:
    """Whether a plugin of the trainer is its precision, and neither its cluster nor how it writes checkpoints."""
    from lightning.fabric.plugins import Precision  # here: as below

    return isinstance(plugin, dict) and issubclass(_class(plugin["class"]), Precision)


def _listed(specs: Any) -> list[Config]:
    """The trainer takes one callback without a list, too."""
    return [dict(specs)] if isinstance(specs, Mapping) else list(specs or [])


def only_measures(kind: type) -> bool:
    """Whether a class of callbacks can change no result: a Measurement, or what Lightning has to show and to save."""
    from lightning.pytorch import callbacks as lightning  # here: reading a record needs no Lightning

    watching: tuple[type, ...] = (lightning.ProgressBar, lightning.ModelSummary, lightning.Checkpoint)
    watching += (lightning.LearningRateMonitor, lightning.DeviceStatsMonitor, lightning.ThroughputMonitor)
    return bool(getattr(kind, ONLY_MEASURES, False)) or issubclass(kind, watching)


def _chosen(class_path: str, arguments: Config, inert: set[str]) -> Config:
    """The arguments that are not at their defaults."""
    defaults = _defaults(_class(class_path))
    return {
        name: _described(value)
        for name, value in sorted(arguments.items())
        if name not in inert and not (name in defaults and defaults[name] == value)
    }


@cache
def _defaults(cls: type) -> Config:
    """Defaults of a class's arguments, those that it passes on to its bases included."""
    defaults: Config = {}
    for base in reversed(cls.__mro__):
        if "__init__" in vars(base):
            for parameter in inspect.signature(vars(base)["__init__"]).parameters.values():
                if parameter.default is not parameter.empty:
                    defaults[parameter.name] = parameter.default
    return defaults


def _class(class_path: str) -> type:
    return resolve(class_path, object, "a configuration")


def _name(class_path: str) -> str:
    """The project's own classes count by their name, so that a file can be moved; others by their full path."""
    return class_path.rpartition(".")[2] if class_path.startswith("rethink.") else class_path
