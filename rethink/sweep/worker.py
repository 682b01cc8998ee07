"""A worker process of a sweep: trains the runs it is told, one after the other, so that the imports are paid once.

It reads one JSON list of arguments a line from its standard input, and answers each with a line of JSON on its
standard output: null, or the error.
"""

import contextlib
import json
import os
import sys
import traceback
from pathlib import Path


def main() -> None:
    """Works until the input ends."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    for line in sys.stdin:
        task = json.loads(line)
        answers.write(json.dumps(_train(task["arguments"], Path(task["log"]))) + "\n")
        answers.flush()


def _train(arguments: list[str], log: Path) -> str | None:
    """Trains a run with its output in a file of its folder; returns the error, if there is one."""
    from rethink.cli import main

    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("a") as file, contextlib.redirect_stdout(file), contextlib.redirect_stderr(file):
        try:
            main(["fit", *arguments])
        except SystemExit as exit:
            if exit.code:
                file.flush()
                return _last_line(log) or f"exit code {exit.code}"
        except Exception:
            traceback.print_exc()
            return traceback.format_exc().strip().splitlines()[-1]
    return None


def _last_line(log: Path) -> str:
    lines = log.read_text().strip().splitlines()
    return lines[-1] if lines else ""


if __name__ == "__main__":
    main()
