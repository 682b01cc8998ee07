"""The argument parser of the light commands: an error is one message, no usage. Starts without torch."""

import argparse
from typing import Any, Never

from rethink.errors import UserError


class Parser(argparse.ArgumentParser):
    """A parser whose errors reach a person as one message."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"allow_abbrev": False, **kwargs})

    def error(self, message: str) -> Never:
        """Raises the message as a UserError."""
        raise UserError(f"{self.prog}: {message}. See `{self.prog} --help`.")
