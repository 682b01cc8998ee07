"""A worker process of a sweep on this machine: does the jobs it is told, one after the other.

So the imports are paid once. It reads one JSON object a line from its standard input, and answers each with a line of
JSON on its standard output: what came of the job.
"""

import json
import os
import signal
import sys
import threading
import time
from dataclasses import asdict
from pathlib import Path

from rethink.sweep.execution import run_job


def main() -> None:
    """Works until the input ends, a run is stopped, or whoever started this process is gone."""
    _end_with(os.getppid())
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what a library writes there is no answer
    for line in sys.stdin:
        task = json.loads(line)
        outcome = run_job(task["words"], Path(task["folder"]), task["devices"])
        try:
            answers.write(json.dumps(asdict(outcome)) + "\n")
            answers.flush()
        except BrokenPipeError:  # whoever started this process was killed; what the job left is on disk
            os._exit(0)  # without the flush at the end, which would fail once more
        if outcome.what == "stopped":
            return


def _end_with(parent: int) -> None:
    """Stops this process, its run saved, when its parent is gone: nobody would hear its answer."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, daemon=True).start()


if __name__ == "__main__":
    main()
