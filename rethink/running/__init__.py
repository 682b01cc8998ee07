"""One run or analysis, from its options to its record: identify, fit, evaluate, analyze."""

from rethink.running.startup import import_lightning

import_lightning()
