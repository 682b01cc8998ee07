"""What of a folder was mirrored, in its `wandb-pushed.json`; and who mirrors it now."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal, Self

from filelock import FileLock, Timeout

from rethink.errors import UserError
from rethink.files import read_text, write_text

Mode = Literal["online", "offline"]


class Busy(Exception):
    """Another process mirrors this folder now: the run itself, or another push."""


@dataclass(frozen=True)
class MirrorState:
    """A mirror as it was when it was last written."""

    entity: str | None
    project: str
    group: str | None = None
    tags: tuple[str, ...] = ()
    last_step: int = -1
    rows: int = 0
    digest: str = ""
    finished: bool = False
    folder: str | None = None
    """Of an offline mirror, within `wandb/`."""
    after: int = -1
    """An offline mirror has the rows after this step; those before were synced with an earlier one."""

    def describes(self, other: "MirrorState") -> bool:
        """Whether it is the mirror of the same, to the same place."""
        return replace(self, folder=None, after=-1) == replace(other, folder=None, after=-1)

    @classmethod
    def read(cls, folder: Path, mode: Mode) -> Self | None:
        """The last mirror of a folder. A damaged file counts as none: then W&B is asked."""
        try:
            content = json.loads(read_text(folder / "wandb-pushed.json"))[mode]
            return cls(**content | {"tags": tuple(content.get("tags", ()))})
        except (OSError, UserError, ValueError, KeyError, TypeError):
            return None

    def write(self, folder: Path, mode: Mode) -> None:
        """Beside that of the other mode."""
        other: Mode = "offline" if mode == "online" else "online"
        beside = MirrorState.read(folder, other)
        content = {mode: asdict(self)} | ({other: asdict(beside)} if beside else {})
        write_text(folder / "wandb-pushed.json", json.dumps(content, indent=2, sort_keys=True) + "\n")


@contextmanager
def mirror_lock(folder: Path) -> Iterator[None]:
    """Holds the right to mirror a folder, so that a W&B run never has two writers, who would mix their rows up.

    Raises:
        Busy: Somebody else has it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / ".wandb.lock", timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise Busy from None
    try:
        yield
    finally:
        lock.release()
