"""What is computed once, from data or from finished runs, and kept as a record: Sections 2.2, 4 and 5 of the paper.

Every public subclass of Analysis in this package is found by itself: a new one is a file.
"""

import sys

from rethink.analyses.analysis import Analysis as Analysis
from rethink.discovery import subclasses


def find_analyses() -> dict[str, type[Analysis]]:
    """Name -> class of every analysis; what only others build on is left out."""
    found = subclasses(sys.modules[__name__], Analysis)
    return {
        name: kind
        for name, kind in found.items()
        if issubclass(kind, Analysis) and kind.analyse is not Analysis.analyse
    }
