"""`rethink fit`: trains a run in its folder, from the last checkpoint where there is one."""

import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from lightning.pytorch import Callback, LightningModule, Trainer
from torch.multiprocessing.spawn import ProcessExitedException, ProcessRaisedException

from rethink.callbacks.checkpoint import RunCheckpoint
from rethink.callbacks.measurement import data_of
from rethink.callbacks.record import Record
from rethink.cluster import preemption, slurm
from rethink.cluster.lease import Lease
from rethink.errors import UserError
from rethink.files import Damaged, is_there, read_archive, write_text
from rethink.models import Classifier
from rethink.running import loggers
from rethink.running.arguments import RunCLI
from rethink.running.evaluation import without_record
from rethink.running.identification import IdentifiedRun, identified
from rethink.running.refusals import refuse_budget, refuse_switches
from rethink.running.trainer import callback
from rethink.runs.repetition import set_aside
from rethink.runs.run import CUT_SHORT_RECORD, Run, final_weights, lacks_weights
from rethink.training import lightning_internals
from rethink.training.checkpoints import find_checkpoint
from rethink.training.refusals import refuse_unmeasured

_LOST = r"[Tt]imed out[^\n]*|Connection (?:closed|reset) by peer"  # gloo's words and NCCL's for a rank that is gone


def fit(cli: RunCLI) -> None:
    """Trains the run that the options describe, unless it is finished."""
    options, run = cli.options, identified(cli)
    repeatable = cli.repeatable()
    if options.force and slurm.restarted():
        print("A requeued job goes on: --force was its first start's.")
        options.force = False
    if not options.trainer.fast_dev_run and _is_finished(cli, run):
        return
    refuse_budget(options, cli.written)
    loggers.complete(options, run.folder, run.run_id, run.settings, "fit")
    cli.build(run.folder)
    if options.trainer.fast_dev_run:
        without_record(cli.trainer)
        cli.trainer.fit(**cli.method_arguments())
    else:
        _train(cli, run, repeatable)


def _is_finished(cli: RunCLI, run: IdentifiedRun) -> bool:
    """Whether there is nothing left to do, which it says."""
    options = cli.options
    if options.force or not is_there(run.folder / "record.json"):
        return False
    finished = Run.open(run.folder)
    if finished.changed_code:
        raise UserError(
            f"{run.folder} is finished ({finished.outcome}), but the code that it was computed by has changed since: "
            f"{', '.join(finished.changed_code)}. Train it anew with --force, or change the code back."
        )
    epochs = lacks_weights(run.folder, options.checkpoint.keep_epochs, finished.last_epoch)
    if epochs or not _has_weights(run.folder):
        lacking = f"the weights of epochs {epochs}" if epochs else "its weights"
        print(f"{run.folder} is finished, without {lacking}: it is trained once more.")
        options.force = True
        return False
    print(
        f"{run.folder} is finished ({finished.outcome}). See it with `rethink show {run.run_id}`, "
        "train it anew with --force."
    )
    return True


def _has_weights(folder: Path) -> bool:
    """Whether the final weights are there and whole; it says what is wrong with them."""
    try:
        read_archive(final_weights(folder))
    except FileNotFoundError:
        return False
    except Damaged as error:
        print(error)
        return False
    return True


def _train(cli: RunCLI, run: IdentifiedRun, repeatable: str) -> None:
    trainer, arguments = cli.trainer, cli.method_arguments()
    lightning_internals.leave_signals_alone(trainer)
    lightning_internals.set_timeout(trainer, cli.options.timeout)
    with _lease(trainer, run.folder) as lease:
        chosen = arguments.pop("ckpt_path", None)
        checkpoint = chosen if cli.options.force else _checkpoint(run.folder, chosen)
        record = callback(trainer, Record)
        record.run_id, record.config = run.run_id, run.settings
        callback(trainer, RunCheckpoint).lease = lease
        line = f"run {run.run_id} in {run.folder}" + (f", from {checkpoint}" if checkpoint else "")
        announcement = _Announcement(run.folder, repeatable, line, anew=cli.options.force)
        lightning_internals.callbacks_of(trainer).insert(0, announcement)
        with loggers.session(trainer, run.settings), _preemptible(cli):
            trainer.fit(**arguments, ckpt_path=checkpoint)
    record.require_whole(run.folder)


def _checkpoint(folder: Path, chosen: str | None) -> Path | str | None:
    """From which to go on. A requeued job has gone on from the chosen one already."""
    return find_checkpoint(folder) or chosen if slurm.restarted() else chosen or find_checkpoint(folder)


@contextmanager
def _lease(trainer: Trainer, folder: Path) -> Iterator[Lease | None]:
    """The run's lease, in the first process of a run. A run that was refused before it began leaves no folder."""
    if not trainer.is_global_zero:
        yield None
        return
    try:
        with Lease(folder).held() as lease:
            yield lease
    except PermissionError as error:
        raise UserError(
            f"cannot write to {error.filename}. Give permission, or choose another folder with --runs."
        ) from None
    finally:
        with suppress(OSError):
            folder.rmdir()  # if it is empty


@contextmanager
def _preemptible(cli: RunCLI) -> Iterator[None]:
    """Passes signals on to forked processes, and their end back; says what --force would do once more."""
    if (kill := lightning_internals.signal_forks(cli.trainer)) is not None:
        preemption.pass_on(kill)
    try:
        yield
    except ProcessRaisedException as error:
        if not (lost := re.search(_LOST, str(error))):
            raise
        raise UserError(
            f"rank {error.error_index} lost the others ({lost[0]}): one of them has died, hangs, or cannot be reached. "
            "All ranks were ended; the same command goes on from the last checkpoint. --timeout says how long to wait."
        ) from error
    except ProcessExitedException as error:
        if error.exit_code not in (preemption.EXIT_CODE, preemption.INTERRUPTED):
            how = f"was killed by {error.signal_name}" if error.signal_name else f"ended with code {error.exit_code}"
            raise UserError(
                f"rank {error.error_index} {how}. The others were ended; the same command goes on from the last "
                "checkpoint."
            ) from error
        code = preemption.INTERRUPTED if preemption.received() == signal.SIGINT else preemption.EXIT_CODE
        raise preemption.Preempted("preempted; the same command goes on from where it was saved", code) from None
    except preemption.Preempted as preempted:
        if preempted.message and cli.options.force:
            preempted.message += ", without --force"
        raise


class _Announcement(Callback):
    """Says which run begins and writes its configuration, once data and model have been set up.

    One that begins anew also makes room, and not before: a run that is refused leaves what was finished where it is.
    """

    def __init__(self, folder: Path, config: str, line: str, anew: bool) -> None:
        self.folder, self.config, self.line, self.anew = folder, config, line, anew

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        assert isinstance(pl_module, Classifier)
        refuse_switches(trainer, pl_module)
        refuse_unmeasured(trainer, [*data_of(trainer).splits])
        if trainer.is_global_zero:
            if self.anew:
                set_aside(self.folder)
                for name in ("history.csv", CUT_SHORT_RECORD, "checkpoints/*.ckpt"):  # of an unfinished one
                    for path in self.folder.glob(name):
                        path.unlink()
            write_text(self.folder / "config.yaml", self.config)
            print(self.line)
