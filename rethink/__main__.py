"""`python -m rethink`."""

from rethink.cli import entry_point

entry_point()
