"""What Lightning's Trainer needs here: the run's folder, whole checkpoints, the precision that pays, its cluster."""

import logging
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
from lightning.fabric.plugins import CheckpointIO, ClusterEnvironment, Precision
from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
from lightning.fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from lightning.pytorch import Callback, Trainer

from rethink.errors import UserError
from rethink.training.checkpoints import VerifiedCheckpointIO
from rethink.training.lightning_internals import callbacks_of
from rethink.training.precision import probe

_Callback = TypeVar("_Callback", bound=Callback)
_WITHOUT_MEANING_HERE = (
    ".*does not have many workers.*",
    ".*smaller than the logging interval.*",
    ".*your dataloader is not resumable.*",
    ".*when logging on epoch level in distributed setting.*",  # exact already
    ".*logger=True.* but have no logger configured.*",
    ".*`srun` command is available.*",  # one process needs none
    ".*treespec.*LeafSpec.*",
)


def trainer_options(chosen: Mapping[str, Any], precision: str, folder: Path) -> dict[str, Any]:
    """The trainer's arguments beside those that the user has chosen.

    Args:
        chosen: The trainer's own options as parsed.
        precision: `--precision`: one of the trainer's, or `auto`.
        folder: Of the run.
    """
    options: dict[str, Any] = {"default_root_dir": str(folder)}
    if chosen["accelerator"] == "auto" and torch.backends.mps.is_available():
        options["accelerator"] = "cpu"  # Apple's GPU has no float64, in which the metrics are summed
    if chosen["enable_progress_bar"] is False:
        options["enable_progress_bar"] = True  # the display is there, and shows nothing
    plugins = chosen["plugins"] if isinstance(chosen["plugins"], list) else [chosen["plugins"]]
    plugins = [plugin for plugin in plugins if plugin is not None]
    if any(isinstance(plugin, CheckpointIO) for plugin in plugins):
        raise UserError("--trainer.plugins: the checkpoints of a run are written whole, with a digest, by its own.")
    if not any(isinstance(plugin, ClusterEnvironment) for plugin in plugins):
        plugins += cluster_environment()
    options["plugins"] = [VerifiedCheckpointIO(), *plugins]
    if chosen["precision"] is None and not (precision == "auto" and any(isinstance(p, Precision) for p in plugins)):
        gpu = chosen["accelerator"] in ("auto", "gpu", "cuda") and torch.cuda.is_available()
        options["precision"] = probe(torch.device("cuda" if gpu else "cpu")) if precision == "auto" else precision
    return options


def cluster_environment() -> list[SLURMEnvironment]:
    """SLURM where Lightning would see it, without its requeueing: see `rethink.cluster.preemption`."""
    if TorchElasticEnvironment.detect() or not SLURMEnvironment.detect():  # torchrun may run within a job
        return []
    try:
        return [SLURMEnvironment(auto_requeue=False)]
    except RuntimeError as error:
        raise UserError(f"this SLURM job does not fit: {error}") from error


def callback(trainer: Trainer, kind: type[_Callback]) -> _Callback:
    """The trainer's callback of a class."""
    return next(candidate for candidate in callbacks_of(trainer) if isinstance(candidate, kind))


def quiet() -> None:
    """Keeps the notes of Lightning that say nothing here out of the way."""
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    for message in _WITHOUT_MEANING_HERE:
        warnings.filterwarnings("ignore", message=message)
