"""Runs a function in a forked process: after the imports that costs next to nothing."""

import os
import signal
import sys
import traceback
from collections.abc import Callable

import torch


def fork(work: Callable[[], object]) -> int:
    """Runs `work` in a child; returns its exit status, negative for a signal."""
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child == 0:
        # Every Trainer counts the GPUs; torch takes that for using one, and a child could not fork.
        torch.cuda._is_in_bad_fork = lambda: False
        try:
            work()
        except SystemExit as exit:
            os._exit(exit.code if isinstance(exit.code, int) else exit.code is not None)
        except BaseException:  # the child must never come back into pytest
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def at_step(step: int, act: Callable[[], object]) -> None:
    """Makes this process do something before its SGD step number `step`, counted from its start."""
    import rethink.models.classifier as classifier

    original, taken = classifier.sgd_step, [0]

    def sgd_step(*args, **kwargs):
        if taken[0] == step:
            act()
        taken[0] += 1
        return original(*args, **kwargs)

    classifier.sgd_step = sgd_step


def kill_at_step(step: int) -> None:
    """Makes this process kill itself before its SGD step number `step`, counted from its start."""
    at_step(step, lambda: os.kill(os.getpid(), signal.SIGKILL))
