"""LightningModules: each architecture with all its switches, over one shared Classifier.

A file holds the plain nn.Module and the LightningModule around it. Every public subclass of Classifier in this
package is found by itself: a new architecture is a file, and a config. Classes are looked up when they are first
used, so that what reads only `rethink.models.names` starts without torch.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # for type checkers and editors only
    from rethink.models.classifier import Classifier as Classifier
    from rethink.models.inception_v3 import InceptionV3 as InceptionV3
    from rethink.models.mlp import MLP as MLP
    from rethink.models.resnet50 import ResNet50 as ResNet50
    from rethink.models.small_alexnet import SmallAlexNet as SmallAlexNet
    from rethink.models.small_inception import SmallInception as SmallInception
    from rethink.models.vit import ViT as ViT
    from rethink.models.wide_resnet import WideResNet as WideResNet


def __getattr__(name: str) -> Any:
    from rethink.discovery import lookup

    return lookup(__name__, "classifier.Classifier", name)
