"""The randomization spectrum of Section 2: what is done to labels or pixels, once, seeded and frozen.

Every public subclass of Randomization in this package is found by itself: a new one is a file, and a config.
"""

import sys
from typing import TYPE_CHECKING

from rethink.discovery import subclasses
from rethink.randomization.randomization import Randomization as Randomization

if TYPE_CHECKING:  # for type checkers and editors only: the line below finds the classes
    from rethink.randomization.labels import PartiallyCorruptedLabels as PartiallyCorruptedLabels
    from rethink.randomization.labels import RandomLabels as RandomLabels
    from rethink.randomization.labels import TrueLabels as TrueLabels
    from rethink.randomization.pixels import GaussianPixels as GaussianPixels
    from rethink.randomization.pixels import RandomPixels as RandomPixels
    from rethink.randomization.pixels import ShuffledPixels as ShuffledPixels
    from rethink.randomization.signs import RandomSigns as RandomSigns

globals().update(subclasses(sys.modules[__name__], Randomization))
