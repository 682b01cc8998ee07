"""What identifies a run: a hash of that part of its configuration, as written, which can change a result.

An option that stands at its default is left out, so a new option whose default changes nothing leaves every run_id
as it was. Devices, paths, loggers and displays never count. Descriptions of the same data count once:
PartiallyCorruptedLabels with probability 1 is RandomLabels.
"""

import hashlib
import importlib
import inspect
import json
from typing import Any

Config = dict[str, Any]

# What of the trainer can be set freely without a new run.
_INERT_TRAINER = {
    *("accelerator", "strategy", "devices", "num_nodes", "plugins", "sync_batchnorm", "use_distributed_sampler"),
    *("logger", "log_every_n_steps", "enable_progress_bar", "enable_model_summary", "profiler", "barebones"),
    *("default_root_dir", "enable_checkpointing", "num_sanity_val_steps", "inference_mode"),
    *("deterministic", "benchmark", "detect_anomaly", "enable_autolog_hparams", "model_registry"),
}
_INERT_CALLBACKS = ("ProgressBar", "Summary", "Monitor", "Checkpoint", "Timer")
_SET_BY_THE_RUN = {"seed", "image_shape", "num_classes"}  # links: the seed counts once, the rest follows from the data
_TRUE = {"class_path": "rethink.randomization.TrueLabels"}
_INERT_DATA = {"root", "steps_per_call", "randomization", "seed"}


def identity(config: Config) -> Config:
    """The part of a resolved configuration of `rethink fit` that can change a result."""
    model, data = config["model"], config["data"]
    randomization = (data.get("init_args") or {}).get("randomization") or _TRUE
    parts: Config = {
        "seed": config["seed_everything"],
        "model": _described(model, _SET_BY_THE_RUN),
        "data": _described(data, _INERT_DATA),
        "randomization": _randomization(randomization),
        "trainer": _trainer(config["trainer"]),
        "convergence": _chosen("rethink.callbacks.convergence.Convergence", config.get("convergence") or {}, set()),
    }
    return {name: part for name, part in parts.items() if part not in ({}, [])}


def parts(config: Config) -> Config:
    """What `Setting.of` reads, from a resolved configuration: as record.json has it of a finished run."""
    data = config["data"].get("init_args") or {}
    name, arguments = _randomization(data.get("randomization") or _TRUE)
    return {
        "model": {"class": _name(config["model"]["class_path"]), "init_args": config["model"].get("init_args") or {}},
        "randomization": {"class": name} | arguments,
        "data": {"class": _name(config["data"]["class_path"])}
        | {name: data.get(name) for name in ("validation_size", "train_size", "leave_out")},
        "seed": config["seed_everything"],
        "budget": {
            "max_epochs": config["trainer"]["max_epochs"],
            "keep_epochs": (config.get("checkpoint") or {}).get("keep_epochs") or [],
        },
    }


def run_id(config: Config) -> str:
    """12 hexadecimal digits."""
    return hashlib.sha256(json.dumps(identity(config), sort_keys=True).encode()).hexdigest()[:12]


def analysis_id(kind: Any, options: Config) -> str:
    """12 hexadecimal digits for an analysis: its class and version, and its options that are not at their defaults."""
    defaults = _defaults(kind)
    chosen = {name: value for name, value in options.items() if name not in defaults or defaults[name] != value}
    content = {"analysis": kind.__name__, "version": kind.version, "options": chosen}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:12]


def _described(spec: Config, inert: set[str]) -> list[Any]:
    return [_name(spec["class_path"]), _chosen(spec["class_path"], spec.get("init_args") or {}, inert)]


def _randomization(spec: Config) -> list[Any]:
    chosen = _chosen(spec["class_path"], spec.get("init_args") or {}, set())
    name, arguments = _class(spec["class_path"]).canonical(chosen)
    return [_name(spec["class_path"]) if name == spec["class_path"].rpartition(".")[2] else name, arguments]


def _trainer(options: Config) -> Config:
    chosen = _chosen("lightning.pytorch.Trainer", options, _INERT_TRAINER | {"callbacks"})
    callbacks = [
        _described(spec, set())
        for spec in options.get("callbacks") or []
        if not spec["class_path"].endswith(_INERT_CALLBACKS)
    ]
    return chosen | ({"callbacks": callbacks} if callbacks else {})


def _chosen(class_path: str, arguments: Config, inert: set[str]) -> Config:
    """The arguments that are not at their defaults."""
    defaults = _defaults(_class(class_path))
    return {
        name: value
        for name, value in sorted(arguments.items())
        if name not in inert and not (name in defaults and defaults[name] == value)
    }


def _defaults(cls: type) -> Config:
    """Defaults of a class's arguments, those that it passes on to its bases included."""
    found: Config = {}
    for base in reversed(cls.__mro__):
        if "__init__" in vars(base):
            for parameter in inspect.signature(vars(base)["__init__"]).parameters.values():
                if parameter.default is not parameter.empty:
                    found[parameter.name] = parameter.default
    return found


def _class(class_path: str) -> Any:
    module, _, name = class_path.rpartition(".")
    return getattr(importlib.import_module(module), name)


def _name(class_path: str) -> str:
    """The project's own classes count by their name, so that a file can be moved; others by their full path."""
    return class_path.rpartition(".")[2] if class_path.startswith("rethink.") else class_path
