"""Preemption: a signal asks a run to stop. It stops where it can be saved whole, and its exit code says so.

A handler does little but note the signal: it may come in the middle of an SGD step, of an evaluation or of a
checkpoint. `rethink.callbacks.checkpoint` looks between two blocks of steps. Ctrl-C is such a signal too; a second
one ends at once.
"""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from rethink.cluster import slurm

EXIT_CODE = 75
"""Of a run that was preempted and goes on with the same command: EX_TEMPFAIL of sysexits.h."""
INTERRUPTED = 130
"""Of a run that Ctrl-C has stopped, as shells have it."""

# SIGTERM comes from SLURM, torchrun and kill, SIGUSR1 is customary for `sbatch --signal`, SIGUSR2 for submitit,
# SIGHUP comes when the terminal is closed, SIGINT is Ctrl-C.
_NAMES = ("SIGTERM", "SIGUSR1", "SIGUSR2", "SIGHUP", "SIGINT")
SIGNALS = tuple(getattr(signal, name) for name in _NAMES if hasattr(signal, name))

SAME_KEY = 0.5
"""Seconds within which a second SIGINT is the same Ctrl-C, passed on by a program between."""

_NOTICE = b"\nStopping where it can be saved. Ctrl-C again ends at once.\n"

_received: signal.Signals | None = None
_received_at = 0.0
_insisted = False  # whether Ctrl-C was pressed twice
_terminals: list[int] = []
_pass_on: Callable[[int], object] | None = None


class Preempted(SystemExit):
    """The end of a preempted run, whose command goes on from where it was saved.

    Args:
        message: For the person, one line; empty in all processes of a run but the first.
        code: 75, or 130 after Ctrl-C; 0 in the other processes, for which a launcher would otherwise kill the first.
    """

    def __init__(self, message: str, code: int = EXIT_CODE) -> None:
        super().__init__(code)
        self.message = message


@contextmanager
def signals_noted() -> Iterator[None]:
    """Notes the signals from here to the end, where the handlers before are put back. Once, in the main thread only.

    Raises:
        KeyboardInterrupt: After a second Ctrl-C.
    """
    global _received, _insisted, _terminals, _pass_on
    if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGTERM) is _note:
        yield
        return
    _received = _pass_on = None
    _insisted = False
    _terminals = [descriptor for descriptor in (1, 2) if os.isatty(descriptor)]
    before = {number: signal.signal(number, _note) for number in stop_signals()}
    try:
        yield
    except SystemExit:
        if _insisted:  # Lightning ends with code 1 then
            raise KeyboardInterrupt from None
        raise
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)


def stop_signals() -> list[signal.Signals]:
    """The signals that ask to stop, but not those that nohup, or a shell that goes on, has told to ignore."""
    ignorable = ("SIGHUP", "SIGINT")
    return [s for s in SIGNALS if not (s.name in ignorable and signal.getsignal(s) is signal.SIG_IGN)]


def received() -> signal.Signals | None:
    """The first signal that this process has received since `signals_noted`."""
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
    if _received == signal.SIGINT:  # a person is there, who may want to start it again
        return Preempted(f"{line}; {then}", INTERRUPTED)
    return Preempted("; ".join(filter(None, [line, slurm.requeue(), then])))


def _note(number: int, frame: FrameType | None) -> None:
    global _received, _received_at, _insisted
    now = time.monotonic()
    if number == _received == signal.SIGINT and now - _received_at > SAME_KEY:
        _insisted = True
        raise KeyboardInterrupt
    if _received is None:
        _received, _received_at = signal.Signals(number), now
        _tell(_received)
    if _pass_on is not None:
        # The forked processes may have it from the terminal already, and would take it for a second one.
        _pass_on(signal.SIGTERM if number == signal.SIGINT else number)


def _tell(first: signal.Signals) -> None:
    """Answers Ctrl-C; lets nothing be written to a terminal that is closed, which would be an error before the end."""
    with suppress(OSError):
        if first == signal.SIGINT and os.environ.get("LOCAL_RANK", "0") == "0" and 2 in _terminals:
            os.write(2, _NOTICE)
        elif first.name == "SIGHUP":
            nowhere = os.open(os.devnull, os.O_WRONLY)
            for descriptor in _terminals:
                os.dup2(nowhere, descriptor)
