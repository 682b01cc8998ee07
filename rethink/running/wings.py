"""The wings, a folder per subject, and the analyses in them: a new analysis is a file in `rethink/<wing>/analyses/`.

One that lies outside the package is named by its path, `my_module.MyAnalysis`, like a model of one's own.
"""

import rethink.complexity.analyses
import rethink.inside.analyses
import rethink.kernels.analyses
import rethink.theorem1.analyses
from rethink.analyses import Analysis
from rethink.discovery import subclasses

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
