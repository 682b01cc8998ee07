"""What of a run was mirrored, in its `wandb-pushed.json`; and who mirrors it now."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, Self

from filelock import FileLock, Timeout

from rethink.errors import UserError
from rethink.files import read_text, write_text

Mode = Literal["online", "offline"]
_FILE = "wandb-pushed.json"


class Busy(Exception):
    """Another process mirrors this folder now: the run itself, or another push."""


@dataclass(frozen=True)
class MirrorState:
    """The last mirror of a run, as it was when it was written."""

    mode: Mode
    entity: str | None
    project: str
    group: str | None = None
    tags: tuple[str, ...] = ()
    last_step: int = -1
    rows: int = 0
    digest: str = ""
    finished: bool = False

    @classmethod
    def read(cls, folder: Path) -> Self | None:
        """That of a folder. A damaged file counts as none: then W&B is asked."""
        try:
            content = json.loads(read_text(folder / _FILE))
            return cls(**content | {"tags": tuple(content["tags"])})
        except (OSError, UserError, ValueError, KeyError, TypeError):
            return None

    def write(self, folder: Path) -> None:
        """In the place of the one before."""
        write_text(folder / _FILE, json.dumps(asdict(self), indent=2, sort_keys=True) + "\n")


@contextmanager
def mirror_lock(folder: Path) -> Iterator[None]:
    """Holds the right to mirror a folder, so that a W&B run never has two writers, who would mix their rows up.

    Raises:
        Busy: Somebody else has it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder / ".wandb.lock", timeout=0):
            yield
    except Timeout:
        raise Busy from None
