"""`rethink validate|test|predict`: a run's final weights on its data sets, without a record."""

import csv
import io
import os
from pathlib import Path
from typing import Any

from lightning.pytorch import Trainer

from rethink.callbacks.checkpoint import RunCheckpoint
from rethink.callbacks.history import History
from rethink.callbacks.record import Record
from rethink.errors import UserError
from rethink.files import is_there, write_text
from rethink.running import loggers
from rethink.running.arguments import RunCLI
from rethink.running.identification import IdentifiedRun, identified
from rethink.runs.run import final_weights
from rethink.training.checkpoints import read_checkpoint
from rethink.training.lightning_internals import callbacks_of


def evaluate(cli: RunCLI) -> None:
    """`validate` and `test`: prints loss and accuracy of every split."""
    run = _built(cli)
    arguments = _with_weights(cli, run) | {"verbose": False}  # Lightning's table cuts our names off
    with loggers.session(cli.trainer, run.settings):
        getattr(cli.trainer, cli.command)(**arguments)
    if cli.trainer.is_global_zero:
        for name, value in cli.model.epoch_metrics.items():
            print(f"{name:<26}{value:.6g}")


def predict(cli: RunCLI) -> None:
    """Writes `predictions.csv` into the run's folder: index, true label, prediction, its probability."""
    run = _built(cli)
    arguments = _with_weights(cli, run) | {"return_predictions": True}
    if cli.trainer.world_size > 1:
        raise UserError(f"predict runs in one process, not in {cli.trainer.world_size}. Add --trainer.devices 1.")
    if not os.access(run.folder, os.W_OK):  # before all images have gone through the network
        raise UserError(f"cannot write to {run.folder}: is it another's? Give permission, or copy it and name --runs.")
    batches: Any = cli.trainer.predict(**arguments)
    path = run.folder / "predictions.csv"
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(batches[0])
    for batch in batches:
        writer.writerows(zip(*(column.tolist() for column in batch.values()), strict=True))
    write_text(path, text.getvalue())
    print(f"{path}: {sum(len(batch['index']) for batch in batches)} predictions")


def without_record(trainer: Trainer) -> None:
    """Takes away the callbacks that write into the run's folder."""
    writing = (Record, History, RunCheckpoint)
    callbacks = callbacks_of(trainer)
    callbacks[:] = [callback for callback in callbacks if not isinstance(callback, writing)]


def _built(cli: RunCLI) -> IdentifiedRun:
    run = identified(cli)
    loggers.complete(cli.options, run.folder, run.run_id, run.settings, cli.command)
    cli.build(run.folder)
    without_record(cli.trainer)
    return run


def _with_weights(cli: RunCLI, run: IdentifiedRun) -> dict[str, Any]:
    """The arguments of the trainer's method, with the run's final weights unless a checkpoint is given."""
    arguments = cli.method_arguments()
    weights = arguments.get("ckpt_path") or final_weights(run.folder)
    if not is_there(Path(weights)):
        raise UserError(
            f"there are no weights at {weights}. Train the run first (`rethink fit` with the same "
            "options), or name a file with --ckpt_path."
        )
    read_checkpoint(Path(weights), device="meta")  # a damaged one is refused before anything is loaded
    return arguments | {"ckpt_path": weights}
