"""What the forks share: a command that was given once in the process before them costs a fifth of the time."""

import contextlib
import io
import os
import shutil
import tempfile
from pathlib import Path

from torture import references, settings
from torture.references import EXPERIMENT


def warm() -> None:
    """Gives every command once in this process, in a folder that is then removed. What they print is not shown.

    So all that is imported late, or made once in a process such as a parser, is there before the forks. Nothing of
    a result passes on: every command draws from its own seed.
    """
    from rethink.cli import main

    place, before, environment = references.furnish(Path(tempfile.mkdtemp()) / "warm"), os.getcwd(), dict(os.environ)
    try:
        os.chdir(place)
        os.environ |= {"RETHINK_RUNS": "runs", "COLUMNS": "200"}
        fit = next(setting for setting in settings.every() if setting.network == "MLP" and setting.ranks == 1)
        _silently(main, fit.words)
        (run,) = references.run_ids(place)
        config = ("--config", f"runs/{run}/config.yaml")
        for words in (
            *((name, *config) for name in ("validate", "test", "predict")),
            *(("analyze", name, "--runs", f"[{run}]") for name in ("NormMeasures", "Similarity")),
            *(("show",), ("show", run), ("show", "--analyses")),
            *(("sweep", "plan", EXPERIMENT), ("sweep", "status", EXPERIMENT, "--once"), ("report", EXPERIMENT)),
        ):
            _silently(main, words)
    finally:
        os.chdir(before)
        for name in set(os.environ) - set(environment):
            del os.environ[name]
        os.environ |= environment
        shutil.rmtree(place.parent)


def _silently(main, words) -> None:
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()) as said:
        try:
            main(list(words))
        except SystemExit as end:
            if end.code and words[0] != "report":  # of which nothing is done yet
                raise RuntimeError(f"rethink {' '.join(words)}: {said.getvalue()}") from end
