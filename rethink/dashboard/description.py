"""What W&B is told of a run: its names, its factors, its rows and its summary. One home for the logger and for push.

A W&B run has the run_id as its id, and its history is indexed by the optimizer step: a row that is already there
cannot be logged twice, since W&B's steps must increase, and after a restart W&B itself says which row was the last.
"""

import json
import math
import os
import re
from collections.abc import Mapping, Sequence
from typing import Any

from rethink.runs.identity import identity, resolved
from rethink.runs.setting import Setting

STEP = "trainer/global_step"  # Lightning's name of the optimizer step

Row = dict[str, float]


def project(chosen: str | None = None) -> str:
    """The W&B project: the one chosen, `$WANDB_PROJECT` or `rethink`, in that order."""
    return chosen or os.environ.get("WANDB_PROJECT") or "rethink"


def names(
    run_id: str, settings: Mapping[str, Any], *, group: str | None = None, tags: Sequence[str] = ()
) -> dict[str, Any]:
    """Arguments of `wandb.init` that say which run this is.

    Args:
        run_id: Of the run, and of the W&B run.
        settings: The run's resolved configuration.
        group: Such as the experiment. By default that of the configuration, or the class of the model.
        tags: In addition to those of the configuration, and to model, data set and randomization.
    """
    classes = [_class(spec) for spec in _parts(settings)]
    everything = [*(settings.get("tags") or []), *tags, *classes]
    return {
        "id": run_id,
        "name": f"{' '.join(classes)} {run_id}",
        "group": group or settings.get("group") or classes[0],
        "tags": list(dict.fromkeys(everything)),
        "resume": "allow",
    }


def config(settings: Mapping[str, Any], identified: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The resolved configuration, whole, and beside it the factors that figures and tables are grouped by.

    `setting` is everything that sets runs apart but the seed, so that a mean over it is one over seeds. `options` are
    those that are not at their defaults and have no factor of their own, by dotted name.
    A run that alters pixels has no `corruption`, and a run on all images no `train_size`.

    Args:
        settings: The run's resolved configuration.
        identified: What its run_id hashes, where that is at hand: otherwise it takes the imports of its classes.
    """
    chosen = Setting.of(identified or identity(dict(settings)), resolved(dict(settings)))
    factors = {
        "architecture": chosen.architecture,
        "batch_norm": chosen.batch_norm,
        "corruption": chosen.corruption,
        "data_set": chosen.dataset,
        "options": {name: json.loads(value) for name, value in chosen.rest} or None,
        "randomization": chosen.randomization,
        "regularization": _regularization(chosen),
        "setting": chosen.without_seed.label,
        "train_size": chosen.train_size,
    }
    return dict(settings) | {name: value for name, value in factors.items() if value is not None}


def _parts(settings: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Model, data and randomization as class_path and init_args."""
    model, data = settings["model"], settings["data"]
    randomization = (data.get("init_args") or {}).get("randomization") or {"class_path": "TrueLabels"}
    return [model, data, randomization]


def _class(spec: Mapping[str, Any]) -> str:
    return str(spec["class_path"]).rpartition(".")[2]


def _regularization(setting: Setting) -> str:
    """The explicit regularizers of Section 3.1 that are on, or `none`."""
    on = [] if setting.augmentation == "none" else [setting.augmentation.replace("_", " ")]
    on += [name for name, value in (("weight decay", setting.weight_decay), ("dropout", setting.dropout)) if value]
    return ", ".join(on) or "none"


def entry(row: Mapping[str, float | None], step: int) -> Row:
    """A row of the history as W&B gets it: what was measured and is finite, against the optimizer step."""
    measured = {k: v for k, v in row.items() if k != "step" and v is not None and math.isfinite(v)}
    return measured | {STEP: step}


def summary(record: Mapping[str, Any]) -> dict[str, Any]:
    """The outcome of a finished run, flat: final metrics, outcome, convergence by rule, best test accuracy.

    What was not reached has no key, so that a panel leaves the run out instead of drawing it at 0.
    """
    final, convergence = record["final"], record["convergence"]
    values: dict[str, Any] = {name: value for name, value in final.items() if name not in ("epoch", "step")}
    for name in ("test", "test_randomized"):
        if final.get(f"{name}/accuracy") is not None:
            values[f"{name}/error"] = 1 - final[f"{name}/accuracy"]
    values["outcome"] = record["outcome"]
    for rule, passed in convergence.get("rules", {}).items():
        values |= {f"convergence/{_key(rule)}/{name}": value for name, value in passed.items()}
    fitted = convergence.get("rules", {}).get(convergence.get("stop_rule"), {})
    values |= {"epochs_to_fit": fitted.get("epoch"), "steps_to_fit": fitted.get("step")}
    for name, best in record.get("best_test_accuracy", {}).items():
        if "best" in best:
            values |= {f"best/{name}/accuracy": best["best"], f"best/{name}/epoch": best["epoch"]}
    return {name: value for name, value in values.items() if value is not None}


def _key(rule: str) -> str:
    """`accuracy>=0.99` as `accuracy_0_99`: W&B reads a dot in a key as a level."""
    return re.sub(r"\W+", "_", rule)
