"""ResNet-50 (He et al. 2016), beyond the paper: torchvision's, beside Inception V3 in Table 2."""

from typing import Any

from jsonargparse.typing import ClosedUnitInterval, PositiveFloat
from torch import nn

from rethink.models.classifier import Classifier
from rethink.models.layers import Dropout
from rethink.models.torchvision_networks import checkpoint_blocks, drawn, require_colour, switch_batch_norm


class ResNet50(Classifier):
    """ResNet-50 (He et al. 2016), as torchvision has it, initial weights too: 25,557,032 parameters for 1,000 classes.

    Weight decay is on all convolutions and the last layer, no biases.

    Args:
        batch_norm: Batch normalization after every convolution; without it the convolutions have biases.
        sync_batch_norm: Whether batch norm over several processes has the statistics of the global batch. With those
            of each process's part the result depends on the number of processes, which is no part of the run_id.
        dropout: Probability of dropout before the last layer.
        checkpointing: Whether activations are computed again in the backward pass, for less memory: the same numbers.
        learning_rate: Learning rate at the first step.
        **switches: Those of every architecture.
    """

    top5 = True

    def __init__(
        self,
        batch_norm: bool = True,
        sync_batch_norm: bool = True,
        dropout: ClosedUnitInterval = 0.0,
        checkpointing: bool = False,
        learning_rate: PositiveFloat = 0.1,
        **switches: Any,
    ) -> None:
        super().__init__(learning_rate=learning_rate, **switches)
        require_colour(self.image_shape, "ResNet50")
        from torchvision.models import resnet  # here: the other networks start without torchvision

        network: Any = drawn(lambda: resnet.resnet50(num_classes=self.num_classes), self.seed)
        switch_batch_norm(network, batch_norm, synchronized=sync_batch_norm)
        network.fc = nn.Sequential(Dropout(ClosedUnitInterval(dropout)), network.fc)
        if checkpointing:
            checkpoint_blocks(block for block in network.modules() if isinstance(block, resnet.Bottleneck))
        self.network: nn.Module = network
