"""The launcher for Kubernetes: what is missing of an experiment as one Indexed Job, written as a manifest.

Each index of the Job trains one line of a list of commands, which the manifest carries as a ConfigMap.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from rethink.cluster.preemption import EXIT_CODE
from rethink.errors import UserError
from rethink.files import write_text
from rethink.runs.run import runs_folder
from rethink.sweep.jobs import Job
from rethink.sweep.plan import command_list
from rethink.sweep.specification import Count

CONFIG = Path("configs/launcher/kubernetes.yaml")
_WANDB_KEY = "WANDB_API_KEY"
_LONGEST = 40  # characters of a Job's name, to which Kubernetes adds index and a suffix of its own for the pods


@dataclass(frozen=True)
class Resources:
    """What each run asks Kubernetes for. None and what is empty is left to the cluster, which checks tolerations."""

    image: str = "rethink:latest"
    namespace: str = "default"
    claim: str = "rethink"
    folder: str = "/rethink"
    gpus: int = 1
    cpus: Count = 4
    memory: str = "16Gi"
    runs_at_a_time: Count = 8
    seconds_to_save: int = 90
    retries: int = 3
    wandb_secret: str | None = None
    """Name of a Secret whose WANDB_API_KEY each run gets."""
    priority_class: str | None = None
    node_selector: dict[str, str] = field(default_factory=dict)
    tolerations: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        for label, value in self.node_selector.items():
            if not isinstance(value, str):
                raise UserError(f"node_selector: {label} is {value!r}, and not a text. Write it in quotes.")


def export(name: str, runs: Sequence[Job], resources: Resources) -> Path:
    """Writes the manifest, for `kubectl apply -f`; returns where it is."""
    path = runs_folder() / ".sweeps" / name / "job.yaml"
    documents = manifest(name, runs, resources)
    write_text(path, yaml.safe_dump_all(documents, sort_keys=False, width=200))
    return path


def manifest(name: str, runs: Sequence[Job], resources: Resources) -> list[dict[str, Any]]:
    """The ConfigMap of commands and the Indexed Job."""
    distributed = ("--trainer.devices", str(resources.gpus), "--trainer.strategy", "ddp") if resources.gpus > 1 else ()
    commands = command_list(runs, distributed)
    # A Job cannot be changed: what is missing later has another name. A name has at most 63 characters.
    digest = hashlib.sha256(f"{commands}{resources}".encode()).hexdigest()[:6]
    prefix = f"rethink-{name.lower().replace('_', '-')}"[:_LONGEST].rstrip("-")
    named = {"name": f"{prefix}-{digest}", "namespace": resources.namespace}
    limits: dict[str, Any] = {"cpu": str(resources.cpus), "memory": resources.memory}
    if resources.gpus:
        limits["nvidia.com/gpu"] = resources.gpus
    # The index is expanded by Kubernetes; python of the image's own environment.
    command = [".venv/bin/python", "-m", "rethink", "sweep", "task", "/commands/commands.txt"]
    container: dict[str, Any] = {
        "name": "run",
        "image": resources.image,
        "workingDir": resources.folder,
        "command": [*command, "$(JOB_COMPLETION_INDEX)"],
        "resources": {"limits": limits, "requests": {"cpu": limits["cpu"], "memory": limits["memory"]}},
        "volumeMounts": [
            {"name": "storage", "mountPath": f"{resources.folder}/runs", "subPath": "runs"},
            {"name": "storage", "mountPath": f"{resources.folder}/data", "subPath": "data"},
            {"name": "commands", "mountPath": "/commands"},
            {"name": "memory", "mountPath": "/dev/shm"},
        ],
    }
    if resources.wandb_secret:
        key = {"secretKeyRef": {"name": resources.wandb_secret, "key": _WANDB_KEY}}
        container["env"] = [{"name": _WANDB_KEY, "valueFrom": key}]
    asked = {
        "priorityClassName": resources.priority_class,
        "nodeSelector": resources.node_selector,
        "tolerations": resources.tolerations,
    }
    pod = {name: value for name, value in asked.items() if value} | {
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": resources.seconds_to_save,
        "containers": [container],
        "volumes": [
            {"name": "storage", "persistentVolumeClaim": {"claimName": resources.claim}},
            {"name": "commands", "configMap": {"name": named["name"]}},
            {"name": "memory", "emptyDir": {"medium": "Memory"}},
        ],
    }
    # A run that was evicted has saved itself and is no failure; one that fails stops no other.
    evicted = {"action": "Ignore", "onExitCodes": {"operator": "In", "values": [EXIT_CODE]}}
    disrupted = {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}
    job = {
        "completions": len(runs),
        "parallelism": min(len(runs), resources.runs_at_a_time),
        "completionMode": "Indexed",
        "backoffLimitPerIndex": resources.retries,
        "podFailurePolicy": {"rules": [evicted, disrupted]},
        "template": {"metadata": {"labels": {"app": "rethink"}}, "spec": pod},
    }
    return [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": named,
            "data": {"commands.txt": commands},
        },
        {"apiVersion": "batch/v1", "kind": "Job", "metadata": named, "spec": job},
    ]
