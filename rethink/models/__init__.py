"""LightningModules: each architecture with all its switches, over one shared Classifier.

A file holds the plain nn.Module and the LightningModule around it. Every public subclass of Classifier in this
package is found by itself: a new architecture is a file, and a config.
"""

import sys
from typing import TYPE_CHECKING

from rethink.discovery import subclasses
from rethink.models.classifier import Classifier as Classifier

if TYPE_CHECKING:  # for type checkers and editors only: the line below finds the classes
    from rethink.models.mlp import MLP as MLP
    from rethink.models.small_alexnet import SmallAlexNet as SmallAlexNet
    from rethink.models.small_inception import SmallInception as SmallInception
    from rethink.models.wide_resnet import WideResNet as WideResNet

globals().update(subclasses(sys.modules[__name__], Classifier))
