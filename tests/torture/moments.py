"""What a process does to itself, and when: before an SGD step, or while it writes a file."""

import os
import random
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from processes import at_step

WRITTEN = ("last.ckpt", "last.ckpt", "last.ckpt", "history.csv", "final.ckpt", "record.json", "config.yaml")


@dataclass(frozen=True)
class Moment:
    """Before SGD step `number`, or around the writing of `file` for the time `number`, both from 0."""

    number: int
    file: str = ""
    part: str = ""  # of the writing: "before", "torn" (half of it is on the disk, under another name) or "after"

    @classmethod
    def draw(cls, chance: random.Random, steps: int) -> "Moment":
        """One of a run of so many steps: three in ten while a file is written."""
        if chance.random() < 0.7:
            return cls(chance.randrange(steps))
        return cls(chance.randrange(3), chance.choice(WRITTEN), chance.choice(("before", "torn", "after")))

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


def kill_all() -> None:
    """As a machine does that loses its power: all processes of the command at once."""
    os.killpg(0, signal.SIGKILL)


def signal_all(number: int) -> Callable[[], None]:
    """A signal to all processes of the command, as a terminal sends it."""
    return lambda: os.killpg(0, number)


def signal_self(number: int) -> Callable[[], None]:
    """A signal to the process that comes to the moment."""
    return lambda: os.kill(os.getpid(), number)


def in_rank(rank: int, act: Callable[[], object]) -> Callable[[], None]:
    """The same in one rank of a run only."""

    def acts() -> None:
        if torch.distributed.is_initialized() and torch.distributed.get_rank() == rank:
            act()

    return acts
