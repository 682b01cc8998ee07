"""The wings, a folder per subject, and the analyses in them: a new analysis is a file in `rethink/<wing>/analyses/`.

One that lies outside the package is named by its path, `my_module.MyAnalysis`, like a model of one's own.
"""

import importlib

import rethink.complexity.analyses
import rethink.inside.analyses
import rethink.kernels.analyses
import rethink.theorem1.analyses
from rethink.analyses import Analysis
from rethink.discovery import subclasses
from rethink.errors import UserError

_WINGS = (
    rethink.kernels.analyses,
    rethink.inside.analyses,
    rethink.complexity.analyses,
    rethink.theorem1.analyses,
)


def find_analyses() -> dict[str, type[Analysis]]:
    """Name -> class of every analysis, in alphabetical order."""
    kinds = {name: kind for wing in _WINGS for name, kind in subclasses(wing, Analysis).items()}
    return dict(sorted(kinds.items()))


def own_analysis(path: str) -> type[Analysis]:
    """The class of an analysis outside the package, by its path; a UserError says why there is none."""
    module, _, name = path.rpartition(".")
    try:
        kind = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise UserError(f"there is no analysis {path}: {error}. Is its folder on PYTHONPATH?") from error
    if not (isinstance(kind, type) and issubclass(kind, Analysis)):
        raise UserError(f"{path} is no analysis: it is not a class over rethink.analyses.Analysis.")
    return kind
