"""A fault of the package's own: its traceback is kept in a file, and the last line says what to report."""

import contextlib
import os
import platform
import shlex
import sys
import time
import traceback
from collections.abc import Sequence

from rethink import __version__
from rethink.errors import UserError
from rethink.files import write_text
from rethink.runs.run import runs_folder


def report(command: Sequence[str]) -> str:
    """For the exception that is being handled: its traceback, and a last line that says where it is kept.

    Args:
        command: What was asked for: the program and its arguments.
    """
    trace = traceback.format_exc().rstrip()
    log = runs_folder() / ".faults" / f"{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.txt"
    versions = f"rethink {__version__}, Python {platform.python_version()}, {sys.platform}"
    about = f"$ rethink {shlex.join(command[1:])}\n{versions}"
    where = "the lines above, with the command"
    with contextlib.suppress(UserError):  # then there is the terminal
        write_text(log, f"{about}\n\n{trace}\n", durable=False)
        where = str(log)
    return f"{trace}\nrethink: this is a fault of rethink, not of yours. To have it mended, report {where}."
