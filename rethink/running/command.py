"""`rethink fit|validate|test|predict`, callable in process."""

import traceback

from lightning.fabric.utilities.exceptions import MisconfigurationException

from rethink.errors import UserError
from rethink.running.arguments import RunCLI
from rethink.running.evaluation import evaluate, predict
from rethink.running.fitting import fit
from rethink.running.trainer import quiet
from rethink.training.allocator import keep_freed_memory

_COMMANDS = {"fit": fit, "validate": evaluate, "test": evaluate, "predict": predict}


def main(args: list[str]) -> None:
    """Runs `rethink ARGS`.

    Args:
        args: The arguments, from `fit`, `validate`, `test` or `predict` on.

    Raises:
        UserError: Something that the user can mend.
    """
    quiet()
    keep_freed_memory()
    try:
        _COMMANDS[args[0]](RunCLI(args))
    except (MisconfigurationException, ModuleNotFoundError, ValueError) as error:
        if not _of_lightning(error):
            raise
        # Options of the trainer that do not go together, or not on this machine; a package that a callback needs.
        raise UserError(f"the trainer refuses this: {str(error).strip().splitlines()[0]}") from error


def _of_lightning(error: Exception) -> bool:
    """Whether Lightning itself has raised it."""
    *_, (frame, _) = traceback.walk_tb(error.__traceback__)
    return str(frame.f_globals.get("__name__")).partition(".")[0] in ("lightning", "lightning_utilities")
