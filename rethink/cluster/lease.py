"""The lease of a run: `lease.json` in its folder says which process trains it, and no other one does meanwhile.

A lock of the operating system would tell nobody who holds it, and is not kept on every network file system. This
is a plain file: made whole and only where there is none, renewed while its owner lives, and lost by a dead owner.
"""

import json
import os
import secrets
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from rethink.cluster import slurm
from rethink.errors import UserError

NAME = "lease.json"
RENEWED_EVERY = 15.0
"""Seconds between two renewals."""
STALE_AFTER = 120.0
"""Seconds without renewal after which a process of another machine counts as dead."""
_GRACE = 1.0  # seconds until a lease that is gone must be back: see `Lease._clear`


class Busy(UserError):
    """Another process trains this run."""


@dataclass(frozen=True)
class Owner:
    """The process that trains a run."""

    host: str
    pid: int
    started: str
    """When it was started, in the words of its operating system: tells it from a later process of the same pid."""
    scope: str
    """Within which the pid means something: this boot of this machine, this container."""
    job: str | None
    """Its SLURM job."""
    token: str
    """Of this one lease."""

    @classmethod
    def this_process(cls) -> Self:
        """With a new token."""
        pid = os.getpid()
        return cls(socket.gethostname(), pid, _started(pid) or "", _scope(), slurm.job(), secrets.token_hex(8))

    @property
    def is_here(self) -> bool:
        """Whether its pid means a process of this machine, since it was booted, and of this container."""
        return self.scope == _scope()

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}" + (f", SLURM job {self.job}" if self.job else "")


_UNKNOWN = Owner("an unknown host", 0, "", "", None, "")


def holder(folder: Path) -> Owner | None:
    """The live process that trains the run in `folder`. Reads only.

    The age of a lease from another machine is that by the clock of this one; `Lease` does not rely on clocks.
    """
    try:
        found = _Found.read(folder / NAME)
    except OSError:  # not ours to read
        return None
    return found.owner if found and found.owner is not _UNKNOWN and found.lives(time.time()) else None


class Lease:
    """The right to train the run in `folder`, which is made if need be."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / NAME
        self.owner = Owner.this_process()
        self._lost = False
        self._checked = 0.0  # wall time, which also goes on while a machine sleeps

    @contextmanager
    def held(self) -> Iterator[Self]:
        """Has it from here to the end, or raises Busy."""
        self._acquire()
        end = threading.Event()
        renewal = threading.Thread(target=self._renew, args=(end,), name="lease", daemon=True)
        renewal.start()
        try:
            yield self
        finally:
            end.set()
            renewal.join(_GRACE)
            self._release()

    @property
    def lost(self) -> bool:
        """Whether it is gone or another's, because this process was not heard of for too long.

        Also true in a process forked from the one that has it.
        """
        if not self._lost and abs(time.time() - self._checked) > 2 * RENEWED_EVERY:  # the thread has not, yet
            self._check()
        return self._lost

    def _acquire(self) -> None:
        try:
            draft = self._draft()
            try:
                with _one_at_a_time(self.path.parent):
                    while not _put(draft, self.path):
                        self._clear(draft)
            finally:
                draft.unlink(missing_ok=True)
        except OSError as error:
            raise UserError(
                f"cannot write to {error.filename or self.path.parent}: {error.strerror}. "
                "Make room or give permission, or choose another folder with --runs."
            ) from error
        self._checked = time.time()

    def _draft(self) -> Path:
        """The file, under a name of its own."""
        draft = self.path.with_name(f".{NAME}.{self.owner.token}")
        while True:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with suppress(FileNotFoundError):  # a run that was refused has just taken its folder away
                draft.write_text(json.dumps(asdict(self.owner), indent=2) + "\n")
                return draft

    def _clear(self, draft: Path) -> None:
        """Moves a dead owner's lease away; raises Busy for a live one.

        What was moved may be another one than what was judged, where the file system knows no locks and someone else
        was faster. Then it is put back at once, before its owner minds.
        """
        os.utime(draft)
        now = draft.stat().st_mtime  # by the clock of the file system, which dated the other one too
        found = _Found.read(self.path)
        if found is None:
            return
        if found.lives(now):
            unknown = found.owner is _UNKNOWN
            raise Busy(
                f"{self.path.parent} is being trained by another process: {found.owner}. Wait for it, or stop it."
                + (f" ({self.path} is damaged. If no process trains it: delete it.)" if unknown else "")
            )
        aside = self.path.with_name(f".{NAME}.{secrets.token_hex(8)}")
        with suppress(FileNotFoundError):
            os.rename(self.path, aside)
            if _Found.read(aside) != found:
                _put(aside, self.path)
            aside.unlink()

    def _renew(self, end: threading.Event) -> None:
        while not end.wait(RENEWED_EVERY):
            self._check()
            if self._lost:
                return
            with suppress(OSError):
                os.utime(self.path)

    def _check(self) -> None:
        self._checked = time.time()
        with suppress(OSError):  # a file system that does not answer is no news
            if not self._is_ours():
                time.sleep(_GRACE)
                self._lost = not self._is_ours()

    def _is_ours(self) -> bool:
        found = _Found.read(self.path)
        return found is not None and found.owner.token == self.owner.token

    def _release(self) -> None:
        with suppress(OSError):
            if os.getpid() == self.owner.pid and self._is_ours():
                self.path.unlink()


@dataclass(frozen=True)
class _Found:
    """A lease as it was read."""

    owner: Owner
    content: bytes
    modified: float

    @classmethod
    def read(cls, path: Path) -> "_Found | None":
        """None where there is no lease; a damaged one is of an unknown owner."""
        try:
            with path.open("rb") as file:
                content, modified = file.read(), os.fstat(file.fileno()).st_mtime
        except FileNotFoundError:
            return None
        try:
            owner = Owner(**json.loads(content))
            whole = isinstance(owner.pid, int) and owner.pid > 0 and isinstance(owner.token, str)
        except (ValueError, TypeError):  # no JSON, no object, other fields
            whole = False
        return cls(owner if whole else _UNKNOWN, content, modified)

    def lives(self, now: float) -> bool:
        """Whether its owner does: known of a process of this machine, judged by age of any other."""
        if self.owner.is_here:
            return _runs(self.owner.pid, self.owner.started)
        return now - self.modified < STALE_AFTER


def _put(draft: Path, place: Path) -> bool:
    """Gives a file a second name, unless there is a file of that name."""
    try:
        os.link(draft, place)
    except FileExistsError:
        # Over NFS the answer to a link that was made may be lost, and the repeated question then finds it.
        return draft.stat().st_nlink > 1
    except OSError:  # a file system without hard links
        try:
            with place.open("xb") as file:
                file.write(draft.read_bytes())
        except FileExistsError:
            return False
    return True


@contextmanager
def _one_at_a_time(folder: Path) -> Iterator[None]:
    """Lets the processes of a machine take over one after the other, where the file system knows locks on folders."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with suppress(ImportError, OSError):
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _runs(pid: int, started: str) -> bool:
    """Whether this very process is alive."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # it is another user's
        pass
    return not started or _started(pid) in (None, started)


def _started(pid: int) -> str | None:
    """When a process was started; "ended" of one that waits for its parent only, None where this cannot be seen."""
    try:
        # The command's name, in parentheses, may hold anything; then come field 3, the state, and field 22.
        fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
        return "ended" if fields[0] in "ZX" else fields[19]
    except OSError:
        if Path("/proc/self/stat").exists():
            return None
    asked = ["ps", "-o", "stat=,lstart=", "-p", str(pid)]
    with suppress(OSError, ValueError):
        environment = os.environ | {"LC_ALL": "C"}
        state, *words = subprocess.run(asked, capture_output=True, text=True, env=environment).stdout.split()
        return "ended" if state.startswith("Z") else " ".join(words)
    return None


def _scope() -> str:
    try:
        return f"{Path('/proc/sys/kernel/random/boot_id').read_text().strip()} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return socket.gethostname()
