"""What the user wrote: options on the command line, and in the files of --config."""

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml

from rethink.errors import UserError

GROUP = "expected options by name, such as --trainer.max_epochs 100, or a file that has them."


def refuse_impossible(options: Any, configs: Mapping[str, Mapping[str, Any]]) -> None:
    """Refuses what the parser accepts and Lightning or NumPy would not, once everything is built."""
    for file, content in configs.items():
        for name in ("trainer", "convergence", "checkpoint"):
            if not isinstance(content.get(name), dict | None):
                raise UserError(f"--{name} {content[name]} in {file}: {GROUP}")
    seed = options.get("seed_everything", 0)
    if isinstance(seed, int) and not 0 <= seed < 2**32:
        where = "".join(f" in {file}" for file, content in configs.items() if "seed_everything" in content)
        raise UserError(f"--seed_everything {seed}{where}: expected a whole number from 0 to {2**32 - 1}.")
    devices = options.get("trainer.devices", "auto")
    if isinstance(devices, str) and not re.fullmatch(r"auto|-1|\d+(, *\d+)*", devices):
        raise UserError(f"--trainer.devices {devices}: expected auto, a number, or a list such as [0, 2].")


def command_line(arguments: Sequence[str]) -> Iterator[tuple[str, str]]:
    """(option, value) as given on the command line; options are named without dashes and `init_args`."""
    for argument, following in zip(arguments, [*arguments[1:], ""], strict=True):
        if argument.startswith("--"):
            name, equals, value = argument[2:].partition("=")
            if not equals and not following.startswith("--"):
                value = following
            yield name.removesuffix("+").replace(".init_args.", "."), value


def config_files(arguments: Sequence[str]) -> list[str]:
    """The files of --config, in their order."""
    files = [value for option, value in pairwise(arguments) if option in ("--config", "-c")]
    return files + [argument.partition("=")[2] for argument in arguments if argument.startswith("--config=")]


def read(file: str) -> dict[str, Any] | None:
    """The options in a config; None where there is no such file, which the parser says with the nearest name."""
    try:
        content = yaml.safe_load(Path(file).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except UnicodeDecodeError:
        raise UserError(f"--config {file}: this is not YAML in UTF-8. Save it as UTF-8.") from None
    except yaml.YAMLError as error:
        mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None)
        where = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        reason = problem or str(error).partition("\n")[0]
        raise UserError(f"--config {file}{where}: this is not YAML ({reason}).") from None
    except OSError as error:
        raise UserError(f"--config {file or '(nothing)'}: it cannot be read ({error.strerror}).") from None
    if not isinstance(content, dict):
        state = "it is empty" if content is None else "it has no options"
        raise UserError(f"--config {file}: {state}. Expected such as `trainer: {{max_epochs: 100}}`.")
    return content


def look_up(content: Any, keys: list[str]) -> Any:
    """What a config sets an option to; the class where the option is one. Raises KeyError where it sets nothing."""
    for key in keys:
        if isinstance(content, dict) and key not in content:
            content = content.get("init_args")
        if not isinstance(content, dict):
            raise KeyError(key)
        content = content[key]
    return content.get("class_path", "") if isinstance(content, dict) else content
