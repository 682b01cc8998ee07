"""Which run or analysis a command is: worked out by its parser, and kept beside the runs.

To know it takes the imports of torch and Lightning, and a tenth of a second for each command. So the answers are kept
as long as what they depend on is the same: options and defaults of the package's classes, but not what their methods
do; the code of a class of one's own; the versions of the libraries that parse.
"""

import hashlib
import importlib.metadata
import json
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress

import rethink
from rethink.errors import UserError
from rethink.files import DIGEST, config_file, content_digest, read_json, write_text
from rethink.runs.code import changed, code_of, interface
from rethink.runs.identity import digest
from rethink.runs.run import runs_folder
from rethink.sweep.experiment import Arguments

Identified = dict[str, Any]
"""`id` and `parts`: of a run those of its setting, and the `code` of classes of one's own. Or `error`."""
_OTHER_ROOMS = ("cli", "cluster", "dashboard", "report", "sweep")
"""What no identity depends on."""
_PARSERS = ("jsonargparse", "lightning")
_SEED = "--seed_everything"
_FEW = 16  # commands that are parsed sooner, at a tenth of a second each, than processes are begun


def identities(commands: Sequence[Arguments]) -> list[Identified]:
    """What each command makes: the arguments of `rethink`, from `fit` or `analyze` on."""
    if not commands:
        return []
    folder = runs_folder() / ".plans"
    depends_on = _interfaces(folder / "interfaces.json")
    answers: dict[str, Identified] = {}
    with suppress(OSError, UserError):  # none yet, or damaged
        kept = _kept(folder / "identities.json")
        answers = {**kept.get("answers", {})} if kept.get("depends_on") == depends_on else {}
    files = {value for command in commands for option, value in pairwise(command) if option == "--config"}
    configs = {file: config_file(file).read_bytes() for file in files}
    keys = [_key(command, configs) for command in commands]
    unknown = {
        key: command
        for key, command in zip(keys, commands, strict=True)
        if key not in answers or changed(answers[key]["parts"])
    }
    if unknown:
        answers |= _identified(unknown)
        right = {key: answer for key, answer in answers.items() if "error" not in answer}  # an error may be mended
        _keep(folder / "identities.json", {"depends_on": depends_on, "answers": right})
    return [answers[key] for key in keys]


def _identified(unknown: Mapping[str, Arguments]) -> dict[str, Identified]:
    """Those that differ in the seed alone are parsed once."""
    groups: dict[Arguments, dict[str, Arguments]] = {}
    for key, command in unknown.items():
        groups.setdefault(_of_any_seed(command), {})[key] = command
    console = Console(stderr=True)
    text = f"Working out which runs {len(unknown)} sets of options are; this is kept"
    if not console.is_terminal:
        console.print(text)
    alike = list(groups.values())
    answers = _answers(alike[0])  # imports and makes the parser, which the processes then have
    with (
        _processes(len(alike)) as in_turn,
        Progress(console=console, transient=True, disable=not console.is_terminal) as progress,
    ):
        for more in progress.track(in_turn(_answers, alike[1:]), description=text, total=len(alike) - 1):
            answers |= more
    return answers


@contextmanager
def _processes(count: int) -> Iterator[Callable[..., Iterable[dict[str, Identified]]]]:
    """A `map` over the cores, where there is enough to do for a fork to pay."""
    cores = os.cpu_count() or 1
    if sys.platform != "linux" or cores == 1 or count < _FEW:
        yield map
        return
    # Forked before the display has a thread. Ctrl-C is for the parent, which ends them.
    ignored = (signal.SIGINT, signal.SIG_IGN)
    with multiprocessing.get_context("fork").Pool(min(cores, 8), signal.signal, ignored) as pool:
        yield pool.imap


def _of_any_seed(command: Arguments) -> Arguments:
    """A command without its seed, where that is an option of its own behind all files."""
    if command.count(_SEED) != 1 or command[0] != "fit":
        return command
    position = command.index(_SEED)
    if position + 1 >= len(command) or not command[position + 1].isdigit() or "--config" in command[position:]:
        return command
    return (*command[: position + 1], "", *command[position + 2 :])


def _answers(alike: Mapping[str, Arguments]) -> dict[str, Identified]:
    command = next(iter(alike.values()))
    answer = identify(command)
    return {
        key: answer if other == command or "error" in answer else _with_seed(answer, int(other[other.index(_SEED) + 1]))
        for key, other in alike.items()
    }


def _with_seed(answer: Identified, seed: int) -> Identified:
    """The same run with another seed, which model and data are given too."""
    parts = answer["parts"]
    identity = parts["identity"] | {"seed": seed}
    linked = {name: seed for name in ("model.seed", "data.seed") if name in parts["resolved"]}
    return answer | {
        "id": digest(identity),
        "parts": parts | {"identity": identity, "resolved": parts["resolved"] | linked},
    }


def identify(command: Arguments) -> Identified:
    """What one command makes."""
    name, *arguments = command
    try:
        if name == "analyze":
            from rethink.running.identification import identify_analysis

            return {"id": identify_analysis(arguments), "parts": {"code": code_of(arguments[:1])}}
        from rethink.running.identification import identify as identify_run

        run_id, parts = identify_run(list(command))
    except UserError as error:
        return {"error": str(error)}
    return {"id": run_id, "parts": parts}


def _key(command: Arguments, configs: Mapping[str, bytes]) -> str:
    read = [configs[value] for option, value in pairwise(command) if option == "--config"]
    return _sha([json.dumps(command).encode(), *read])


def _interfaces(cache: Path) -> str:
    """A digest of what options there are, with their defaults."""
    package = Path(rethink.__file__).parent
    kept: dict[str, list[Any]] = {}
    with suppress(OSError, UserError):
        kept = _kept(cache).get("files", {})
    files: dict[str, list[Any]] = {}
    for path in sorted(package.rglob("*.py")):
        name = path.relative_to(package)
        if name.parts[0] not in _OTHER_ROOMS:
            stat = path.stat()
            now = [stat.st_mtime_ns, stat.st_size]
            before = kept.get(str(name), [])
            files[str(name)] = before if before[:2] == now else [*now, interface(path)]
    if files != kept:
        _keep(cache, {"files": files})
    versions = [f"{name} {importlib.metadata.version(name)}" for name in _PARSERS]
    return _sha(text.encode() for text in [*versions, *(f"{name} {entry[2]}" for name, entry in files.items())])


def _kept(path: Path) -> dict[str, Any]:
    stat = path.stat()
    return _parsed(path.absolute(), stat.st_mtime_ns, stat.st_size)


@lru_cache(maxsize=4)
def _parsed(path: Path, changed_at: int, size: int) -> dict[str, Any]:
    """What is kept in a file, read once as long as it stays as it is: a plan of several experiments asks often."""
    return read_json(path)


def _keep(path: Path, content: dict[str, Any]) -> None:
    with suppress(UserError):  # whoever may not write here works it out anew
        write_text(path, json.dumps(content | {DIGEST: content_digest(content)}), durable=False)


def _sha(parts: Iterable[bytes]) -> str:
    total = hashlib.sha256()
    for part in parts:
        total.update(part)
    return total.hexdigest()[:16]
