"""A parser whose inner parsers answer the same question once: plans ask of hundreds of runs what few classes take."""

from collections.abc import Callable
from enum import Enum
from typing import Any

from jsonargparse import set_dumper
from jsonargparse._common import lenient_check  # whether values may be incomplete, which no argument says
from lightning.pytorch.cli import LightningArgumentParser

PLAIN = "plain"
"""A format of `dump`: what YAML would read back from its own text, without the text."""


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value.value if isinstance(value, Enum) else value


set_dumper(PLAIN, _plain)


class Remembering(LightningArgumentParser):
    """LightningCLI's parser. One of a class's arguments, within it, remembers what it has answered.

    The class, its defaults and the arguments decide an answer, and a parser is of one class. What is refused is asked
    again, and so is what has an object in it.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._answers: dict[tuple[str, ...], Any] = {}
        super().__init__(*args, **kwargs)

    def parse_object(self, *args: Any, **kwargs: Any) -> Any:
        """Parses options given as an object."""
        return self._remembered(super().parse_object, *args, **kwargs)

    def parse_args(self, *args: Any, **kwargs: Any) -> Any:
        """Parses options given as on the command line."""
        return self._remembered(super().parse_args, *args, **kwargs)

    def dump(self, *args: Any, **kwargs: Any) -> Any:
        """Writes options as text, or as `PLAIN` values."""
        return self._remembered(super().dump, *args, **kwargs)

    def get_defaults(self, *args: Any, **kwargs: Any) -> Any:
        """The defaults of all options. The outermost parser remembers these too, as long as it gets no more options."""
        question = ("get_defaults", str(len(self._actions)), repr(args), repr(kwargs))
        if question not in self._answers:
            self._answers[question] = super().get_defaults(*args, **kwargs).clone()
        return self._answers[question].clone()

    def set_defaults(self, *args: Any, **kwargs: Any) -> None:
        """Sets defaults, upon which nothing is remembered."""
        self._answers.clear()
        super().set_defaults(*args, **kwargs)

    def _remembered(self, answer: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        question = (answer.__name__, repr(lenient_check.get()), repr(args), repr(kwargs))
        if self.exit_on_error or any(" at 0x" in part for part in question):
            return answer(*args, **kwargs)
        if question not in self._answers:
            self._answers[question] = _copy(answer(*args, **kwargs))
        return _copy(self._answers[question])


def _copy(answer: Any) -> Any:
    return answer.clone() if hasattr(answer, "clone") else answer
