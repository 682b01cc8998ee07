"""An experiment as data: `experiments/<name>/sweep.yaml` says what it is, and which runs it has.

title: ...                    what it is, in the paper's terms
claim: ...                    what the paper says
cost: ...                     what it takes, measured, and where
command: make ...             how to get it
layers: [configs/base.yaml]   configs of every run, left to right
options: {data: CIFAR10}      options of every run, as on the command line without the dashes
groups:                       each a grid over more options; runs that groups or experiments share are trained once
  - options: {model: MLP}
    grid: {data.randomization: [TrueLabels, RandomLabels], seed_everything: [0, 1, 2]}
"""

import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Self

import yaml

from rethink.errors import UserError

EXPERIMENTS = Path("experiments")
_KEYS = {"title", "claim", "cost", "command", "layers", "options", "groups"}
_GROUP_KEYS = {"layers", "options", "grid"}


@dataclass(frozen=True)
class Experiment:
    """A named set of runs; `runs` are the arguments of `rethink fit`, without that."""

    name: str
    title: str
    claim: str
    cost: str
    command: str
    files: tuple[Path, ...]
    runs: tuple[tuple[str, ...], ...]

    @classmethod
    def load(cls, name: str, root: Path = EXPERIMENTS) -> Self:
        """Reads an experiment by the name of its folder."""
        path = root / name / "sweep.yaml"
        if not path.is_file():
            names = sorted(p.parent.name for p in root.glob("*/sweep.yaml"))
            near = get_close_matches(name, names, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            where = f"there are {', '.join(names)}" if names else f"none in {root}/ of this folder"
            raise UserError(f"there is no experiment {name!r}: {where}.{hint}")
        spec = _read(path)
        _check_keys(path, "", spec, _KEYS)
        layers = spec.get("layers", [])
        groups = spec.get("groups", [{}])
        for number, group in enumerate(groups):
            _check_keys(path, f" of group {number + 1}", group, _GROUP_KEYS)
        everything = [*layers, *(layer for group in groups for layer in group.get("layers", []))]
        return cls(
            name,
            title=str(spec.get("title", "")).strip(),
            claim=str(spec.get("claim", "")).strip(),
            cost=str(spec.get("cost", "")).strip(),
            command=str(spec.get("command", "")).strip(),
            files=(path, *map(Path, dict.fromkeys(everything))),
            runs=tuple(
                (*_configs([*layers, *group.get("layers", [])]), *options)
                for group in groups
                for options in _grid(spec.get("options", {}) | group.get("options", {}), group.get("grid", {}))
            ),
        )


def _read(path: Path) -> dict[str, Any]:
    try:
        spec = yaml.safe_load(path.read_text())
    except yaml.YAMLError as error:
        raise UserError(f"{path} is not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(spec, dict):
        raise UserError(f"{path}: expected keys such as title, options and groups.")
    return spec


def _check_keys(path: Path, where: str, spec: dict[str, Any], known: set[str]) -> None:
    for key in spec:
        if key not in known:
            near = get_close_matches(key, known, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise UserError(f"{path}: unknown key {key!r}{where}.{hint} Known: {', '.join(sorted(known))}.")


def _configs(layers: list[str]) -> Iterator[str]:
    for layer in layers:
        yield from ("--config", layer)


def _grid(options: dict[str, Any], grid: dict[str, list[Any]]) -> Iterator[tuple[str, ...]]:
    """The arguments of each point. Options that choose a class come before those of the class."""
    for values in itertools.product(*grid.values()):
        point = options | dict(zip(grid, values, strict=True))
        yield tuple(word for key in sorted(point) for word in (f"--{key}", _word(point[key])))


def _word(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
