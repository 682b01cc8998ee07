"""Errors of the parser as one readable message: the option, its value, what was expected, the nearest name."""

from typing import Any, Never

from lightning.pytorch.cli import LightningArgumentParser

from rethink.errors import UserError


class Parser(LightningArgumentParser):
    """LightningCLI's parser with readable errors."""

    def error(self, message: str, ex: BaseException | None = None) -> Never:
        """Raises the message as a UserError."""
        raise UserError(message)
