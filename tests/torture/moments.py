"""When something is done to a process, by itself: before an SGD step, or while it writes a file."""

import os
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from processes import at_step

_WRITTEN = ("last.ckpt", "last.ckpt", "last.ckpt", "history.csv", "final.ckpt", "record.json", "config.yaml")


@dataclass(frozen=True)
class Moment:
    """Before SGD step `number`, or around the writing of `file` for the time `number`, both from 0."""

    number: int
    file: str = ""
    part: str = ""  # of the writing: "before", "torn" (half of it is on the disk, under another name) or "after"

    @classmethod
    def draw(cls, chance: random.Random, steps: int) -> "Moment":
        """One of a run of so many steps: three in ten are while a file is written."""
        if chance.random() < 0.7:
            return cls(chance.randrange(steps))
        return cls(chance.randrange(3), chance.choice(_WRITTEN), chance.choice(("before", "torn", "after")))

    def __str__(self) -> str:
        return f"{self.part} {self.file} {self.number}" if self.file else f"step {self.number}"

    def arrange(self, act: Callable[[], object]) -> None:
        """Makes this process, and those that it forks, `act` at this moment."""
        if not self.file:
            at_step(self.number, act)
            return
        replace, writings = os.replace, [0]

        def replaced(source: str | Path, target: str | Path) -> None:
            due = Path(target).name == self.file and writings[0] == self.number
            writings[0] += Path(target).name == self.file
            if due and self.part == "torn":
                os.truncate(source, os.stat(source).st_size // 2)
            if due and self.part != "after":
                act()
            replace(source, target)
            if due and self.part == "after":
                act()

        os.replace = replaced


def strike(number: int, *, group: bool = False, rank: int | None = None) -> Callable[[], None]:
    """Sends a signal to this process, or to all of its command as a terminal does; with `rank` in that rank only."""

    def act() -> None:
        if rank is None or (torch.distributed.is_initialized() and torch.distributed.get_rank() == rank):
            (os.killpg if group else os.kill)(0 if group else os.getpid(), number)

    return act
