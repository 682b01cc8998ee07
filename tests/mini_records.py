"""Run folders as training writes them, without training: for the tests of tables, figures and the page."""

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from rethink.report.results import Results
from rethink.runs.run import Run
from rethink.sweep.experiment import Experiment
from rethink.sweep.plan import PlannedRun

BUDGET = 60
STEPS = 4  # an epoch of 500 images in batches of 128

Scale = Literal["full", "demo"]


def write_run(
    root: Path,
    model: str = "SmallAlexNet",
    randomization: str = "TrueLabels",
    probability: float | None = None,
    fits_at: int | None = 10,  # None: never, within the budget
    test: float = 0.4,
    test_randomized: float | None = None,
    seed: int = 0,
    precision: str = "bf16-mixed",
    train_size: int = 500,
    outcome: str = "",
    rules: Mapping[str, int | None] = {},
    history: Mapping[str, Sequence[float]] = {},
    **init_args: Any,
) -> Path:
    """A run folder as training writes it, with a loss that falls to 0.01 where the run fits.

    Args:
        root: Folder of the runs.
        model: Class of the network, with its `init_args`.
        randomization: Class, with its probability if it has one.
        probability: Of label corruption.
        fits_at: Epoch that passes the rules on accuracy, and the last one.
        test: Test accuracy at the last epoch, and at no other.
        test_randomized: The same on the test set randomized alike.
        seed: Of training.
        precision: Of the environment.
        train_size: Images; an epoch has one step per 125 of them.
        outcome: In the place of what follows from `fits_at`.
        rules: More rules, with the epoch that passes each.
        history: Columns, with a value per epoch up to the last; in the place of those above.
        init_args: Of the model.
    """
    level = "" if probability is None else f"-{probability:g}"
    switches = "".join(f"-{name}-{value}" for name, value in init_args.items())
    run_id = f"{model.lower()}{switches}-{randomization.lower()}{level}-{seed}".replace(" ", "")
    path = root / run_id
    path.mkdir(parents=True)
    last = max((len(values) for values in history.values()), default=fits_at or BUDGET)
    steps = STEPS * train_size // 500
    columns: dict[str, list[Any]] = {"epoch": list(range(1, last + 1))}
    columns["step"] = [epoch * steps for epoch in columns["epoch"]]
    progress = [epoch / last if fits_at else 0.5 * epoch / last for epoch in columns["epoch"]]
    columns["train/loss"] = [2.3 * (1 - share) + 0.01 for share in progress]
    columns["train/accuracy"] = progress
    columns["test/accuracy"] = [""] * (last - 1) + [test]
    columns["learning_rate"] = [0.01] * last
    columns |= {name: list(values) for name, values in history.items()}
    with (path / "history.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(columns)
        rows.writerows(zip(*columns.values(), strict=True))
    final: dict[str, Any] = {"epoch": last, "step": last * steps, "train/loss": 0.01, "test/accuracy": test}
    final["train/accuracy"] = 1.0 if fits_at else 0.5
    if test_randomized is not None:
        final["test_randomized/accuracy"] = test_randomized
    final |= {name: values[-1] for name, values in history.items()}
    outcome = outcome or ("converged" if fits_at else "not converged")

    def passed(epoch: int | None) -> dict[str, Any]:
        said = outcome if epoch == fits_at else "converged" if epoch else "not converged"
        return {"outcome": said, "epoch": epoch, "step": epoch and epoch * steps}

    accuracy = {"accuracy>=0.99": fits_at, "accuracy>=1.0": fits_at}
    usual = 64 if model == "SmallInception" else 100  # a budget that no description mentions
    identity = {
        "seed": seed,
        "model": [model, init_args],
        "data": ["CIFAR10", {}],
        "randomization": [randomization, {} if probability is None else {"probability": probability}],
        "trainer": {"max_epochs": usual},
    }
    record: dict[str, Any] = {
        "format": 1,
        "run_id": run_id,
        "identity": identity,
        "outcome": outcome,
        "seed": seed,
        "model": {"class": model, "parameters": 1387786, "init_args": init_args},
        "data": {
            "class": "CIFAR10",
            "train_size": train_size,
            "test_size": 1000,
            "validation_size": 0,
            "num_classes": 10,
            "digests": {"train": "5eed"},
        },
        "randomization": {"class": randomization, "seed": 0},
        "budget": {"max_epochs": BUDGET, "max_steps": -1},
        "final": final,
        "convergence": {
            "rules": {rule: passed(epoch) for rule, epoch in (accuracy | dict(rules)).items()},
            "onset": passed(fits_at and max(1, fits_at // 2)),
        },
        "environment": {
            "versions": {"torch": "2.14.0", "lightning": "2.6.1"},
            "device": "cpu: <test>",
            "precision": precision,
            "threads": 1,
            "world_size": 1,
            "git_commit": "0123abc",
        },
        "durations": {"fit": 12.5},
        "config": {},
    }
    if probability is not None:
        record["randomization"]["probability"] = probability
    (path / "record.json").write_text(json.dumps(record))
    (path / "config.yaml").write_text("{}\n")
    return path


def write_level(root: Path, p: float, **options: Any) -> Path:
    """A run of a sweep over label corruption; its ends are true and random labels."""
    ends = {0.0: "TrueLabels", 1.0: "RandomLabels"}
    if p in ends:
        return write_run(root, randomization=ends[p], **options)
    return write_run(root, randomization="PartiallyCorruptedLabels", probability=p, **options)


def results_of(name: str, runs: Sequence[Run], missing: Sequence[Run] = (), scale: Scale = "full") -> Results:
    """What a script gets if the plan of an experiment is these runs and those that are missing."""
    planned = [PlannedRun(run.run_id, (), run.setting) for run in [*runs, *missing]]
    experiment = replace(Experiment.load(name, scale), runs=())
    return Results(experiment, tuple(planned), tuple(runs))
