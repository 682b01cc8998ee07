"""Recipes: how a network is trained, apart from what it is and what it is trained on.

Every public subclass of Recipe in this package is found by itself: a new one is a file. One that lies elsewhere is
chosen by its full class path.
"""

import sys
from typing import TYPE_CHECKING

from rethink.discovery import subclasses
from rethink.training.recipes.recipe import Recipe as Recipe

if TYPE_CHECKING:  # for type checkers and editors only: the line below finds the classes
    from rethink.training.recipes.optimizers import SGD as SGD
    from rethink.training.recipes.optimizers import Adam as Adam
    from rethink.training.recipes.optimizers import AdamW as AdamW
    from rethink.training.recipes.optimizers import RMSProp as RMSProp
    from rethink.training.recipes.optimizers import TensorFlowRMSProp as TensorFlowRMSProp

globals().update(subclasses(sys.modules[__name__], Recipe))
