"""The lease of a run: `lease.json` in its folder says which process trains it, and no other one does meanwhile.

A file, not a lock: a lock tells nobody who holds it, and network file systems keep locks within one machine, or not
at all. It is made whole and only where there is none, and renewed while its owner lives. A dead owner's lease is
never moved or overwritten, since whoever does that may hit the lease of somebody who was faster. It gets a successor:
a file whose name follows from its content, which only one process can make. The last of this chain holds the run.
"""

import errno
import hashlib
import json
import os
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from rethink.cluster.owner import Owner
from rethink.errors import UserError
from rethink.files import without_waiting

NAME = "lease.json"
RENEWED_EVERY = 15.0
"""Seconds between two renewals."""
STALE_AFTER = 120.0
"""Seconds without renewal after which a process of another machine counts as dead."""


class Busy(UserError):
    """Another process trains this run."""


_UNKNOWN = Owner("an unknown host", 0, "", "", None, "")


def holder(folder: Path) -> Owner | None:
    """The live process that trains the run in `folder`. Reads only.

    The age of a lease from another machine is that by the clock of this one; `Lease` does not rely on clocks.
    """
    try:
        leases = _chain(folder)
    except OSError:  # not ours to read
        return None
    if not leases or leases[-1].owner is _UNKNOWN or not leases[-1].lives(time.time()):
        return None
    return leases[-1].owner


class Lease:
    """The right to train the run in `folder`, which is made if need be."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / NAME
        """Where it stands; the name is another one after a dead owner."""
        self.owner = Owner.this_process()
        self._content = _content(self.owner)
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
            renewal.join(1)  # a file system that does not answer would keep it
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
            with _draft(self.path.parent, self._content) as draft:
                while not self._take(draft):
                    pass
        except OSError as error:
            raise UserError(
                f"cannot write to {error.filename or self.path.parent}: {error.strerror}. "
                "Make room or give permission, or choose another folder with --runs."
            ) from error
        self._checked = time.time()

    def _take(self, draft: Path) -> bool:
        """Tries to be the next of the chain; raises Busy if its last one lives."""
        folder = draft.parent
        before = _chain(folder)
        if before:
            os.utime(draft)
            _require_dead(before[-1], now=draft.stat().st_mtime)  # the clock of the file system dated both
        self.path = before[-1].successor if before else folder / NAME
        if not _put(draft, self.path):
            return False
        leases = _chain(folder)
        if before and all(lease.content != self._content for lease in leases):
            self.path.unlink(missing_ok=True)  # it follows a lease that somebody took over and gave back meanwhile
        return self._holds(leases)

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
            self._lost = not self._holds(_chain(self.path.parent))

    def _holds(self, leases: list["_Lease"]) -> bool:
        return bool(leases) and leases[-1].content == self._content

    def _release(self) -> None:
        """Follows itself, so that nobody else can, and removes the chain from its head.

        Who takes over a lease of it nevertheless, because it was read before, is not reached from the head any more.
        """
        folder = self.path.parent
        with suppress(OSError):
            leases = _chain(folder)
            if os.getpid() != self.owner.pid or not self._holds(leases):
                return
            with _draft(folder, _content(Owner.this_process())) as draft:
                if _put(draft, leases[-1].successor):
                    for path in [*(lease.path for lease in leases), leases[-1].successor]:
                        path.unlink(missing_ok=True)


@dataclass(frozen=True)
class _Lease:
    """A lease as it was read."""

    path: Path
    successor: Path
    """Its name holds the place in the chain, since two damaged files may have the same content."""
    owner: Owner
    content: bytes
    modified: float

    @classmethod
    def read(cls, path: Path, place: int) -> Self | None:
        """None where there is no lease; a damaged one is of an unknown owner."""
        try:
            with open(path, "rb", opener=without_waiting) as file:
                content, modified = file.read(), os.fstat(file.fileno()).st_mtime
        except FileNotFoundError:
            if path.is_symlink():  # no lease, and nothing can be put there
                raise OSError(errno.EEXIST, "a link to nothing stands in its place", str(path)) from None
            return None
        try:
            owner = Owner(**json.loads(content))
            whole = isinstance(owner.pid, int) and owner.pid > 0 and isinstance(owner.token, str)
        except (ValueError, TypeError):  # no JSON, no object, other fields
            whole = False
        successor = path.with_name(f".{NAME}.{place + 1}.{hashlib.sha256(content).hexdigest()[:16]}")
        return cls(path, successor, owner if whole else _UNKNOWN, content, modified)

    def lives(self, now: float) -> bool:
        """Whether its owner does: known of a process of this machine, judged by age of any other.

        A time far in the future is that of a clock which was wrong: a live owner would have renewed it since.
        """
        if self.owner.is_here:
            return self.owner.runs
        return abs(now - self.modified) < STALE_AFTER


def _chain(folder: Path) -> list[_Lease]:
    """The lease in a folder, then that which took over from it, and so on; the last one counts."""
    leases: list[_Lease] = []
    path = folder / NAME
    while (lease := _Lease.read(path, len(leases))) is not None:
        leases.append(lease)
        path = lease.successor
    return leases


def _require_dead(lease: _Lease, now: float) -> None:
    """Raises Busy for a live owner's lease, and once for one from the future: its owner gets the time to renew it."""
    remedy = "Wait for it, or stop it."
    if not lease.lives(now):
        if lease.owner.is_here or lease.modified < now:
            return
        os.utime(lease.path)
        remedy = f"Its time was in the future. Try again in {STALE_AFTER:g} s: if nobody renews it, it is free then."
    elif lease.owner is _UNKNOWN:
        remedy += f" ({lease.path} is damaged. If no process trains it: delete it.)"
    raise Busy(f"{lease.path.parent} is being trained by another process: {lease.owner}. {remedy}")


def _content(owner: Owner) -> bytes:
    return json.dumps(asdict(owner), indent=2).encode() + b"\n"


@contextmanager
def _draft(folder: Path, content: bytes) -> Iterator[Path]:
    """A file under a name of its own, to be linked to where it belongs."""
    draft = folder / f".{NAME}.{secrets.token_hex(8)}"
    while not draft.exists():
        folder.mkdir(parents=True, exist_ok=True)
        with suppress(FileNotFoundError):  # a run that was refused has just taken its folder away
            draft.write_bytes(content)
    try:
        yield draft
    finally:
        draft.unlink(missing_ok=True)


def _put(draft: Path, place: Path) -> bool:
    """Gives a file a second name, unless there is a file of that name."""
    try:
        os.link(draft, place)
    except FileExistsError:
        # Over NFS the answer to a link that was made may be lost, and the repeated question then meets it.
        return draft.stat().st_nlink > 1
    except OSError:  # a file system without hard links
        try:
            with place.open("xb") as file:
                file.write(draft.read_bytes())
        except FileExistsError:
            return False
    return True
