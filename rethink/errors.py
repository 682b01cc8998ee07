"""The one exception that reaches a person: a readable message, no traceback, exit code 2."""

from collections.abc import Iterable
from difflib import get_close_matches


class UserError(Exception):
    """Something the user can mend. The message names the thing, its value, what was expected and the remedy."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A sentence with the nearest known name, after a space; empty if none is near."""
    near = get_close_matches(name, list(known), n=1)
    return f" Did you mean {near[0]!r}?" if near else ""
