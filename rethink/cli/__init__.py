"""The command line. What every command needs is here and starts at once; the rest is imported when it is used."""

import importlib
import os
import platform
import shlex
import sys
import time
import traceback
from collections.abc import Sequence
from contextlib import nullcontext, suppress

from rethink import __version__
from rethink.cluster.preemption import Preempted, signals_noted
from rethink.errors import UserError, did_you_mean, explained, printable

TRAINING = {
    "fit": "train a network, or go on where a killed run stopped",
    "validate": "evaluate a run's final weights on the training set and on both test sets",
    "test": "the same as validate",
    "predict": "write a run's predictions on the test set to a CSV file",
}
OTHERS = {
    "show": "print the records of finished runs and their curves",
    "data": "get data sets, and see what is there",
    "sweep": "plan and run the runs of an experiment that are missing",
    "analyze": "compute something once, from data or from finished runs, and keep it",
    "report": "tables, figures and one page from the records of experiments",
    "publish": "keep full-scale tables, figures and records in the repository",
    "restore": "go on from the records that the repository has",
    "wandb": "mirror runs to Weights & Biases, and build the workspace that shows them",
}
_SLURM = ("PROCID", "LOCALID", "NODEID", "NTASKS", "NTASKS_PER_NODE", "NNODES", "RESTART_COUNT")
_NUMBERS = (
    *("RANK", "LOCAL_RANK", "GROUP_RANK", "NODE_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "MASTER_PORT"),
    *("PL_GLOBAL_SEED", "JSM_NAMESPACE_RANK", *(f"SLURM_{name}" for name in _SLURM)),
)
"""Variables of the environment that are read as numbers."""
HELP = """\
rethink: "Understanding deep learning requires rethinking generalization" (Zhang et al., ICLR 2017), reproduced

usage: rethink COMMAND ...     (rethink COMMAND --help for its options)

{commands}

  rethink fit --config configs/base.yaml --model SmallInception --data CIFAR10 \\
              --data.randomization RandomLabels

options:
  --help, --version
"""


def main(args: Sequence[str] | None = None) -> None:
    """Runs `rethink ARGS`, in this process.

    Args:
        args: The arguments; by default those of the process.

    Raises:
        SystemExit: With code 2 after one readable message, where the user can mend something; as `Preempted`
            with code 75 (130 after Ctrl-C) after one line, where a signal ended a run that goes on with the same
            arguments.
    """
    arguments = list(sys.argv[1:] if args is None else args)
    try:
        _require_numbers()
        _dispatch(arguments)
    except Preempted as preempted:
        if preempted.message:
            print(f"rethink: {preempted.message}", file=sys.stderr)
        raise
    except Exception as error:
        mendable = error if isinstance(error, UserError) else explained(error)
        if mendable is None:
            raise
        print(f"rethink: {printable(str(mendable))}", file=sys.stderr)
        raise SystemExit(2) from None


def entry_point() -> None:
    """The console script. A class in a file of the working folder has its import path, as under `python -m`."""
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        main()
    except KeyboardInterrupt:
        print("rethink: interrupted. The same command goes on from the last checkpoint.", file=sys.stderr)
        raise SystemExit(130) from None
    except BrokenPipeError:  # the reader of a pipe, such as head, has gone
        raise SystemExit(0) from None
    except Exception:
        print(_fault(sys.argv), file=sys.stderr)
        raise SystemExit(1) from None


def _require_numbers() -> None:
    """Lightning and torch read these as soon as they are imported."""
    for name in _NUMBERS:
        value = os.environ.get(name, "")
        if value and not (value.isascii() and value.isdigit()):
            raise UserError(f"{name}={value} in the environment: expected a whole number, 0 or more. Mend or unset it.")


def _dispatch(arguments: list[str]) -> None:
    command, *rest = arguments or ["--help"]
    if command in ("--help", "-h", "help"):
        everything = TRAINING | OTHERS
        print(HELP.format(commands="\n".join(f"  {name:<10}{text}" for name, text in everything.items())))
    elif command == "--version":
        print(f"rethink {__version__}")
    elif command in TRAINING:
        with signals_noted() if command == "fit" else nullcontext():  # the imports take longer than many a warning time
            from rethink.running.command import main as train

            train(arguments)
    elif command in OTHERS:
        module = "rethink.running.analysis" if command == "analyze" else f"rethink.cli.{command}"
        noted = command == "analyze" or [command, *rest[:1]] == ["sweep", "task"]
        with signals_noted() if noted else nullcontext():
            importlib.import_module(module).main(rest)
    else:
        hint = did_you_mean(command, [*TRAINING, *OTHERS])
        raise UserError(f"there is no command {command!r}.{hint} The commands: {', '.join([*TRAINING, *OTHERS])}.")


def _fault(command: Sequence[str]) -> str:
    """A fault of the package's own: its traceback, kept in a file too, and a last line that says what to report."""
    from rethink.files import write_text  # here: almost no command needs it
    from rethink.runs.run import runs_folder

    trace = traceback.format_exc().rstrip()
    log = runs_folder() / ".faults" / f"{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.txt"
    versions = f"rethink {__version__}, Python {platform.python_version()}, {sys.platform}"
    where = "the lines above, with the command"
    with suppress(UserError):  # then there is the terminal
        write_text(log, f"$ rethink {shlex.join(command[1:])}\n{versions}\n\n{trace}\n", durable=False)
        where = str(log)
    return f"{trace}\nrethink: this is a fault of rethink, not of yours. To have it mended, report {where}."
