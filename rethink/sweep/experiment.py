"""An experiment as data: `experiments/<name>/sweep.yaml`, or one anywhere, says what it is, and which runs it has.

title: ...                    what it is, in the paper's terms
claim: ...                    what the paper says
cost: {full: ..., demo: ...}  what it takes, measured, and where
command: make fig1b           how to get it; left out: by `rethink sweep run`
tolerance: {test: 1.5}        how far from the paper's numbers ours may be, fixed before the runs
seeds: [0, 1, 2]              a run of everything for each; first all of one seed, then all of the next
layers: [...]                 configs of every run, left to right; {scale} and {architecture} are filled in
options: {...}                options of every run, as on the command line without the dashes
groups:                       each a grid over more options; runs that groups or experiments share are trained once
  - layers: [...]
    options: {model: MLP}
    grid: {architecture: [mlp_1x512], data.randomization: [TrueLabels, RandomLabels]}
    demo: {grid: {...}}       what is different at SCALE=demo; beside `groups` too
include: [table1]             other experiments whose runs are this one's too; {name: ..., options: ...} adds options
only: [MLP 1x512]             of all these, the runs with one of these in their description
analyses:                     what is computed once: from data, or from these runs when they are done
  - analysis: NormMeasures    class in rethink/complexity/analyses
    of: run                   one for each run, or for each `seed` or once for `all` a list of them; left out: no runs
    only: [random labels]     of the runs, those with one of these in their description
    options: {...}            as on the command line of `rethink analyze`; `grid`, `full` and `demo` as for groups;
                              `seed` is that of the experiment unless it stands here

The value run(TEXT) of an option is the run_id of the run of the same seed with TEXT in its description.
"""

import itertools
import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Self

from rethink.errors import UserError, did_you_mean
from rethink.files import config_file
from rethink.sweep import specification

EXPERIMENTS = Path("experiments")
RECORDS = EXPERIMENTS / "records"
"""Of the runs and analyses that were published; an experiment cannot have this name."""
_FILE = "sweep.yaml"
SCALES = ("full", "demo")
Scale = Literal["full", "demo"]

# Of the parts of sweep.yaml: keys, and the types of their values.
_POINT_KEYS = {"options": dict, "grid": dict}
_GROUP_KEYS = {"layers": list, **_POINT_KEYS}
_SCALED_KEYS = {"seeds": list, **_GROUP_KEYS}
_INCLUDE_KEYS = {"name": str, "options": dict}
_ANALYSIS_KEYS = {"analysis": str, "of": str, "only": list, **_POINT_KEYS}
_TEXTS = dict.fromkeys(("title", "claim", "cost", "command"), object)
_LISTS = dict.fromkeys(("groups", "include", "only", "analyses"), list)
_KEYS = {**_TEXTS, **_LISTS, "tolerance": dict, **_SCALED_KEYS}
_OF = ("run", "seed", "all")
_SPOKEN: dict[type, str] = {list: "a list", dict: "keys with values", str: "a name"}
_DEFAULT_SEEDS = {"full": [0, 1, 2], "demo": [0]}

Arguments = tuple[str, ...]


@dataclass(frozen=True)
class AnalysisSpec:
    """Some analyses of an experiment: `arguments` are those of `rethink analyze`, without the runs."""

    arguments: Arguments
    seed: int
    of: Literal["run", "seed", "all"] | None = None
    only: tuple[str, ...] = ()


@dataclass(frozen=True)
class Experiment:
    """A named set of runs at a scale, and of analyses; `runs` are the arguments of `rethink fit`, without that."""

    name: str
    scale: Scale
    title: str
    claim: str
    cost: str
    command: str
    seeds: tuple[int, ...]
    runs: tuple[Arguments, ...]
    analyses: tuple[AnalysisSpec, ...] = ()
    only: tuple[str, ...] = ()
    tolerance: dict[str, str] = field(default_factory=dict)
    file: Path = Path()
    """Its sweep.yaml, beside which a script of figures may be."""

    @classmethod
    def load(
        cls,
        name: str,
        scale: Scale = "full",
        seeds: Sequence[int] | None = None,
        root: Path = EXPERIMENTS,
        included_by: tuple[str, ...] = (),
    ) -> Self:
        """Reads an experiment.

        Args:
            name: That of its folder in `experiments/`, or the path of a folder or of a sweep.yaml anywhere.
            scale: `full`, or `demo` for a subset in minutes.
            seeds: In the place of its own.
            root: Folder of the experiments.
            included_by: The experiments that include this one.
        """
        path = _path(name, root)
        if name in included_by:
            raise UserError(f"{path}: {' includes '.join([*included_by, name])}.")
        spec = specification.read(path, "title, options and groups")
        _check(path, spec)
        here = _at_scale(spec, scale)
        chosen = tuple(seeds if seeds is not None else here.get("seeds", _DEFAULT_SEEDS[scale]))
        if not chosen or not all(type(seed) is int and 0 <= seed < 2**32 for seed in chosen):
            raise UserError(f"{path}: the seeds {list(chosen)} are not a list of whole numbers from 0 to {2**32 - 1}.")
        by_seed = [[*_runs(path, spec, scale, seed)] for seed in chosen]
        for other in spec.get("include", []):
            other = other if isinstance(other, dict) else {"name": other}
            _check_keys(path, " of include", other | {"name": other.get("name")}, _INCLUDE_KEYS)
            more = [word for key, value in other.get("options", {}).items() for word in (f"--{key}", _as_text(value))]
            for runs, seed in zip(by_seed, chosen, strict=True):
                included = cls.load(other["name"], scale, [seed], root, (*included_by, name))
                runs += [(*run, *more) for run in included.runs]
        cost = spec.get("cost", "")
        make = (
            [_text(spec["command"]), "SCALE=demo"]
            if "command" in spec
            else [f"rethink sweep run {shlex.quote(name)}", "--scale demo"]
        )
        return cls(
            _name(path),
            scale,
            title=_text(here.get("title", "")),
            claim=_text(spec.get("claim", "")),
            cost=_text(cost.get(scale, "") if isinstance(cost, dict) else cost),
            command=" ".join(make if scale == "demo" else make[:1]),
            seeds=chosen,
            runs=tuple(dict.fromkeys(itertools.chain(*by_seed))),
            analyses=tuple(_analyses(spec, scale, chosen)),
            only=tuple(map(str, spec.get("only", []))),
            tolerance={name: str(value) for name, value in spec.get("tolerance", {}).items()},
            file=path,
        )


def names(root: Path = EXPERIMENTS) -> list[str]:
    """The experiments that there are."""
    return sorted(path.parent.name for path in root.glob(f"*/{_FILE}"))


def _path(name: str, root: Path) -> Path:
    for path in (root / name / _FILE, Path(name) / _FILE, Path(name)):
        if path.is_file():
            return path
    there = names(root)
    hint = did_you_mean(name, there)
    where = f"there are {', '.join(there)}" if there else f"none in {root}/ of this folder"
    raise UserError(
        f"there is no experiment {name!r}: {where}.{hint} The path of a {_FILE}, or of its folder, is one too."
    )


def _name(path: Path) -> str:
    return path.absolute().parent.name if path.name == _FILE else path.stem


def _text(value: Any) -> str:
    return " ".join(str(value).split())


def _check(path: Path, spec: dict[str, Any]) -> None:
    _check_part(path, "", spec, _KEYS, _SCALED_KEYS)
    for number, group in enumerate(spec.get("groups", []), start=1):
        _check_part(path, f" of group {number}", group, _GROUP_KEYS, _GROUP_KEYS)
    for number, analysis in enumerate(spec.get("analyses", []), start=1):
        where = f" of analysis {number}"
        _check_part(path, where, analysis, _ANALYSIS_KEYS, _POINT_KEYS)
        if "analysis" not in analysis:
            raise UserError(f"{path}: analysis {number} has no `analysis:`, the name of its class.")
        if analysis.get("of", "run") not in _OF:
            raise UserError(f"{path}: `of: {analysis['of']}`{where} is none of {', '.join(_OF)}.")


def _check_part(path: Path, where: str, part: Any, keys: Mapping[str, type], scaled_keys: Mapping[str, type]) -> None:
    """A part of sweep.yaml, and what is different in it at each scale."""
    _check_keys(path, where, part, {**keys, **dict.fromkeys(SCALES, dict)})
    at_scales = {scale: part.get(scale, {}) for scale in SCALES}
    for scale, different in at_scales.items():
        _check_keys(path, f" of {scale}{where}", different, scaled_keys)
    for options in (part, *at_scales.values()):
        names = [*options.get("layers", []), *options.get("options", {}), *options.get("grid", {})]
        if wrong := [name for name in names if not isinstance(name, str)]:
            raise UserError(f"{path}: {wrong[0]!r} is neither an option nor a file of layers.")
        for key, values in options.get("grid", {}).items():
            if not isinstance(values, list):
                raise UserError(f"{path}: grid {key}{where} is {values!r}, and not a list of values.")


def _check_keys(path: Path, where: str, spec: Any, keys: Mapping[str, type]) -> None:
    """That these keys are known, and their values of the right kind."""
    if not isinstance(spec, dict):
        raise UserError(f"{path}: {spec!r}{where} has no keys. Known: {', '.join(sorted(keys))}.")
    for key, value in spec.items():
        specification.check_key(path, key, keys, where)
        if not isinstance(value, keys[key]):
            raise UserError(f"{path}: {key}{where} is {value!r}, and not {_SPOKEN[keys[key]]}.")


def _at_scale(spec: dict[str, Any], scale: Scale) -> dict[str, Any]:
    """A specification with what is different at a scale put over it, an option and a grid's key at a time."""
    different = spec.get(scale, {})
    merged: dict[str, Any] = spec | different
    for part in ("options", "grid"):
        merged[part] = spec.get(part, {}) | different.get(part, {})
    return merged


def _runs(path: Path, spec: dict[str, Any], scale: Scale, seed: int) -> Iterator[Arguments]:
    common = _at_scale(spec, scale)
    if "groups" not in spec and ("include" in spec or "analyses" in spec):
        return
    for group in (_at_scale(group, scale) for group in spec.get("groups", [{}])):
        layers = [*common.get("layers", []), *group.get("layers", [])]
        options = common["options"] | group["options"] | {"seed_everything": seed}
        for values in itertools.product(*group["grid"].values()):
            yield _arguments(path, layers, options | dict(zip(group["grid"], values, strict=True)), scale)


def _arguments(path: Path, layers: list[str], point: dict[str, Any], scale: Scale) -> Arguments:
    """The arguments of a point of the grid. Options that choose a class come before those of the class."""
    fillings = {key: value for key, value in point.items() if any(f"{{{key}}}" in layer for layer in layers)}
    words: list[str] = []
    for layer in layers:
        try:
            file = layer.format(**fillings, scale=scale)
        except (KeyError, ValueError, IndexError) as error:
            raise UserError(f"{path}: layer {layer!r} has a placeholder that no option fills: {error}.") from None
        if not config_file(file).is_file():
            raise UserError(f"{path}: there is no config {file}, which its layers name.")
        words += ["--config", file]
    for key in sorted(point.keys() - fillings.keys()):
        words += [f"--{key}", _as_text(point[key])]
    return tuple(words)


def _analyses(spec: dict[str, Any], scale: Scale, seeds: Sequence[int]) -> Iterator[AnalysisSpec]:
    """Seed by seed, as the runs; those of runs of all seeds come last, and once."""
    specs = [(analysis, _at_scale(analysis, scale)) for analysis in spec.get("analyses", [])]
    for seed in seeds:
        for analysis, here in specs:
            if analysis.get("of") != "all":
                yield from _grid_of_analyses(analysis, here, seed)
    for analysis, here in specs:
        if analysis.get("of") == "all":
            yield from _grid_of_analyses(analysis, here, seeds[0])


def _grid_of_analyses(analysis: dict[str, Any], here: dict[str, Any], seed: int) -> Iterator[AnalysisSpec]:
    for values in itertools.product(*here["grid"].values()):
        point = {"seed": seed} | here["options"] | dict(zip(here["grid"], values, strict=True))
        words = [word for key in sorted(point) for word in (f"--{key}", _as_text(point[key]))]
        only = tuple(map(str, analysis.get("only", [])))
        yield AnalysisSpec((analysis["analysis"], *words), seed, analysis.get("of"), only)


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
