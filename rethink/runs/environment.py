"""Where a run took place: what has to be known to run it again."""

import importlib.metadata
import os
import platform
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Trainer

_PACKAGES = ("rethink", "torch", "torchvision", "lightning", "torchmetrics", "numpy", "scipy")


def describe(trainer: Trainer) -> dict[str, Any]:
    """Versions, commit, and the device, precision, engine, threads and world size that were really used.

    An engine other than Lightning's loop is named by the `engine` of the module that it trained.
    """
    return describe_machine(trainer.strategy.root_device) | {
        "precision": trainer.precision,
        "engine": getattr(trainer.lightning_module, "engine", "eager"),
        "world_size": trainer.world_size,
    }


def describe_machine(device: torch.device) -> dict[str, Any]:
    """Versions, commit, device, threads and host of a computation."""
    return {
        "versions": {"python": platform.python_version()} | _versions(),
        "git_commit": _git_commit(),
        "device": _device(device),
        "threads": torch.get_num_threads(),
        "host": platform.node(),
    }


def _versions() -> dict[str, str]:
    versions = {}
    for name in _PACKAGES:
        with suppress(importlib.metadata.PackageNotFoundError):  # run from a folder that is not installed
            versions[name] = importlib.metadata.version(name)
    return versions


def _device(device: torch.device) -> str:
    if device.type == "cuda":
        return f"cuda: {torch.cuda.get_device_name(device)}"
    model = platform.processor()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = cpuinfo.read_text().splitlines()
        model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), model)
    return f"{device.type}: {model}, {os.cpu_count()} cores"


def _git_commit() -> str | None:
    """The commit of the code, with + where the working tree differs; None outside a repository."""
    folder = Path(__file__).parent

    def git(*args: str) -> str:
        run = subprocess.run(["git", "-C", str(folder), *args], capture_output=True, text=True, timeout=10, check=True)
        return run.stdout.strip()

    try:
        return git("rev-parse", "HEAD") + ("+" if git("status", "--porcelain", "--", str(folder)) else "")
    except (OSError, subprocess.SubprocessError):
        return None
