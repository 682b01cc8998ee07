"""What the user wrote: options on the command line, and in the files of --config."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from rethink.discovery import of_file
from rethink.errors import UserError, printable
from rethink.files import config_file, read_json, read_yaml, verify_files

_CLASSES = ("model", "data", "randomization", "recipe", "callbacks", "logger")
GROUP = "expected options by name, such as --trainer.max_epochs 100, or a file that has them."


@dataclass(frozen=True)
class WrittenOptions:
    """The arguments of a command, and what its configs set."""

    arguments: Sequence[str]
    configs: Mapping[str, dict[str, Any]]

    @classmethod
    def read(cls, arguments: Sequence[str]) -> "WrittenOptions":
        """Reads the configs, as long as the working folder is the user's: jsonargparse changes into theirs."""
        for option, value in _command_line(arguments):  # a file that is there would be read as one of options
            if option.rpartition(".")[2] in _CLASSES and (hint := of_file(value)):
                raise UserError(f"--{option} {value}: {hint}")
        configs = {file: content for file in _files(arguments) if (content := _read(file)) is not None}
        return cls(arguments, configs)

    def given(self, option: str, *, in_config: bool = False) -> tuple[str, str]:
        """The value of an option, and " in FILE" where a file sets it, as the user wrote them. The last one counts.

        Args:
            option: Its name, without dashes and `init_args`.
            in_config: Whether a file is known to set it.
        """
        for name, value in reversed([*_command_line(self.arguments)]):
            if name in ("config", "c") and value in self.configs:
                with suppress(KeyError):
                    return str(_look_up(self.configs[value], option.split("."))), f" in {value}"
            elif name == option and not in_config:
                return value, ""
        return "", ""

    def shown(self, option: str, value: object = "", *, in_config: bool = False) -> str:
        """The option with its value, and where it was set. `value` is for one that was set together with others."""
        given, where = self.given(option, in_config=in_config)
        return printable(f"--{option} {given or value}".rstrip()).replace("\n", "\\n") + where

    def names(self, option: str) -> bool:
        """Whether the user wrote something of this name, wherever."""
        name = option.rpartition(".")[2]
        return any(name in argument for argument in self.arguments) or name in str(self.configs)


def _command_line(arguments: Sequence[str]) -> Iterator[tuple[str, str]]:
    """(option, value) as given on the command line; options are named without dashes and `init_args`."""
    for argument, following in pairwise([*arguments, ""]):
        if argument.startswith("--") or argument == "-c":
            name, equals, value = argument.lstrip("-").partition("=")
            if not equals and not following.startswith("--"):
                value = following
            yield name.removesuffix("+").replace(".init_args.", "."), value


def with_config_files(arguments: Sequence[str]) -> list[str]:
    """The arguments with each `--config configs/NAME` as the file that it names, wherever the working folder is."""
    split = [part for word in arguments for part in (word.split("=", 1) if word.startswith("--config=") else [word])]
    return [
        str(config_file(word)) if before in ("--config", "-c") and word else word
        for before, word in pairwise(["", *split])
    ]


def _files(arguments: Sequence[str]) -> list[str]:
    """The files of --config, in their order."""
    return [value for option, value in pairwise(arguments) if option in ("--config", "-c")]


def _read(file: str) -> dict[str, Any] | None:
    """The options in a config; None where there is no such file, which the parser says with the nearest name."""
    if not file:
        raise UserError("--config (nothing): name a file.")
    try:
        _verify(Path(file))
        content = read_yaml(Path(file))
    except FileNotFoundError:
        return None
    except UserError as error:
        raise UserError(f"--config {error}") from None
    if not isinstance(content, dict):
        state = "it is empty" if content is None else "it has no options"
        raise UserError(f"--config {file}: {state}. Expected such as `trainer: {{max_epochs: 100}}`.")
    if wrong := [key for key in content if not isinstance(key, str)]:
        raise UserError(f"--config {file}: {wrong[0]!r} is no name of an option.")
    return content


def _verify(path: Path) -> None:
    """That the configuration of a finished run is the one that its record was written beside.

    One that was cut off may still be YAML, and be that of another run.
    """
    try:
        record = read_json(path.with_name("record.json"))
    except (FileNotFoundError, NotADirectoryError, UserError):  # not of a finished run, or nothing to hold on to
        return
    if path.name in (digests := record.get("files") or {}):
        verify_files(path.parent, {path.name: digests[path.name]})


def _look_up(content: Any, keys: list[str]) -> Any:
    """What a config sets an option to; the class where the option is one. Raises KeyError where it sets nothing."""
    for key in keys:
        if isinstance(content, dict) and key not in content:
            content = content.get("init_args")
        if not isinstance(content, dict) or key not in content:
            raise KeyError(key)
        content = content[key]
    return content.get("class_path", "") if isinstance(content, dict) else content
