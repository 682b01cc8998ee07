"""Preemption: a signal asks a run to stop. It stops where it can be saved whole, and its exit code says so.

A handler does nothing but note the signal: it may come in the middle of an SGD step, of an evaluation or of a
checkpoint. `rethink.callbacks.checkpoint` looks between two blocks of steps.
"""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from rethink.cluster import slurm

EXIT_CODE = 75
"""Of a run that was preempted and goes on with the same command: EX_TEMPFAIL of sysexits.h."""

# SIGTERM comes from SLURM, torchrun and kill, SIGUSR1 is customary for `sbatch --signal`, SIGUSR2 for submitit.
SIGNALS = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGUSR1", "SIGUSR2") if hasattr(signal, name))

_received: signal.Signals | None = None
_pass_on: Callable[[int], object] | None = None


class Preempted(SystemExit):
    """The end of a preempted run, whose command goes on from where it was saved.

    Args:
        message: For the person, one line; empty in all processes of a run but the first.
        code: 75; 0 in the other processes, for which a launcher would otherwise kill the first.
    """

    def __init__(self, message: str, code: int = EXIT_CODE) -> None:
        super().__init__(code)
        self.message = message


@contextmanager
def watched() -> Iterator[None]:
    """Notes the signals from here to the end, where the handlers before are put back. In the main thread only."""
    global _received, _pass_on
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    _received = _pass_on = None
    before = {number: signal.signal(number, _note) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)


def received() -> signal.Signals | None:
    """The first signal that this process has received since `watched`."""
    return _received


def pass_on(kill: Callable[[int], object]) -> None:
    """Also calls `kill` with each signal, where this process only waits for forked ones that train."""
    global _pass_on
    _pass_on = kill


def requeued(line: str, then: str) -> Preempted:
    """The end of what has been saved; in a SLURM job this asks to be started again, and says what came of it.

    Args:
        line: What was interrupted, and where.
        then: How it goes on.
    """
    return Preempted("; ".join(filter(None, [line, slurm.requeue(), then])))


def _note(number: int, frame: FrameType | None) -> None:
    global _received
    _received = _received or signal.Signals(number)
    if _pass_on is not None:
        _pass_on(number)
