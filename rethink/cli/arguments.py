"""The argument parser of the light commands: an error is one message, no usage. Starts without torch."""

import argparse
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Never

from rethink.errors import UserError
from rethink.sweep.experiment import EXPERIMENTS, SCALES, Experiment, names


class Parser(argparse.ArgumentParser):
    """A parser whose errors reach a person as one message."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"allow_abbrev": False, **kwargs})

    def error(self, message: str) -> Never:
        """Raises the message as a UserError."""
        raise UserError(f"{self.prog}: {message}. See `{self.prog} --help`.")


def experiment_options(parser: Parser) -> None:
    """Adds what chooses the runs of an experiment: its scale and its seeds."""
    parser.add_argument(
        "--scale", choices=SCALES, default="full", help="full: all images; demo: a subset, in minutes on two cores"
    )
    parser.add_argument("--seeds", type=_seeds, help="such as 0,1,2; default: those of the experiment")


def experiments_here(with_artefacts: list[str]) -> list[str]:
    """These, or all others if there are none of them.

    Raises:
        UserError: There are no experiments in the working folder.
    """
    if chosen := with_artefacts or names():
        return chosen
    raise UserError(
        f"there are no experiments in {EXPERIMENTS}/ of this folder. Give this command in the folder of the "
        f"repository, write {EXPERIMENTS}/NAME/sweep.yaml of your own, or name the path of a sweep.yaml."
    )


def with_folders_of_results(experiments: Sequence[Experiment]) -> Sequence[Experiment]:
    """These, if the results of each have a folder of their own, which is called as it is.

    Raises:
        UserError: Two are called alike, or one that lies elsewhere as one in experiments/.
    """
    files: dict[str, Path] = {}
    for experiment in experiments:
        there = EXPERIMENTS / experiment.name / "sweep.yaml"
        first = files.setdefault(experiment.name, there if there.is_file() else experiment.file)
        if not first.samefile(experiment.file):
            raise UserError(
                f"{first} and {experiment.file}: both are called {experiment.name}, and the results of one would be "
                "written over those of the other. Rename the folder of one of them."
            )
    return experiments


def _seeds(text: str) -> list[int] | None:
    if not text.strip():  # an empty make variable
        return None
    try:
        return [int(word) for word in text.split(",")]
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no list of seeds such as 0,1,2") from None


def report_damage(damage: Iterable[object]) -> None:
    """Names what is damaged, after everything else has been done.

    Raises:
        SystemExit: With code 1, if anything is.
    """
    lines = list(dict.fromkeys(map(str, damage)))
    for line in lines:
        print(f"rethink: {line}", file=sys.stderr)
    if lines:
        raise SystemExit(1)
