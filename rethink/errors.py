"""The one exception that reaches a person: a readable message, no traceback, exit code 2."""


class UserError(Exception):
    """Something the user can mend. The message names the thing, its value, what was expected and the remedy."""
