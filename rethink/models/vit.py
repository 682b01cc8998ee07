"""A vision transformer (Dosovitskiy et al. 2021), beyond the paper: torchvision's, beside Inception V3 in Table 2."""

from collections.abc import Iterator
from typing import Any

from jsonargparse.typing import ClosedUnitInterval, PositiveFloat, PositiveInt
from torch import nn

from rethink.errors import UserError
from rethink.models.classifier import Classifier
from rethink.models.torchvision_networks import checkpoint_blocks, drawn, require_colour, switch_dropout


class ViT(Classifier):
    """Vision transformer, as torchvision has it, initial weights too: ViT-B/16 at the defaults.

    86,567,656 parameters for 1,000 classes at 224x224. Weight decay is on the weights of its layers, not on biases,
    norms, positions or the class token.

    Args:
        patch_size: Side of a patch, in pixels. It divides the sides of the image.
        layers: Number of blocks.
        heads: Heads of the attention. It divides hidden_size.
        hidden_size: Size of a token.
        mlp_size: Size of the hidden layer of a block's MLP.
        dropout: Probability of dropout of the embedding and in every block.
        checkpointing: Whether activations are computed again in the backward pass, for less memory: the same numbers.
        learning_rate: Learning rate at the first step.
        image_shape: (channels, height, width) of what the network sees; set by the data.
        **switches: Those of every architecture.
    """

    top5 = True

    def __init__(
        self,
        patch_size: PositiveInt = 16,
        layers: PositiveInt = 12,
        heads: PositiveInt = 12,
        hidden_size: PositiveInt = 768,
        mlp_size: PositiveInt = 3072,
        dropout: ClosedUnitInterval = 0.0,
        checkpointing: bool = False,
        learning_rate: PositiveFloat = 0.001,
        image_shape: tuple[int, int, int] = (3, 224, 224),
        **switches: Any,
    ) -> None:
        super().__init__(learning_rate=learning_rate, image_shape=image_shape, **switches)
        require_colour(self.image_shape, "ViT")
        _, height, width = self.image_shape
        if height != width or height % patch_size:
            raise UserError(
                f"ViT needs square images whose side its patch_size {patch_size} divides, and these are "
                f"{height}x{width}. Choose another --model.patch_size, or another size of the images."
            )
        if hidden_size % heads:
            raise UserError(f"--model.heads {heads} of ViT does not divide --model.hidden_size {hidden_size}.")
        from torchvision.models import vision_transformer  # here: the other networks start without torchvision

        network = drawn(
            lambda: vision_transformer.VisionTransformer(
                height, patch_size, layers, heads, hidden_size, mlp_size, num_classes=self.num_classes
            ),
            self.seed,
        )
        switch_dropout(network, ClosedUnitInterval(dropout))
        if checkpointing:
            checkpoint_blocks(b for b in network.modules() if isinstance(b, vision_transformer.EncoderBlock))
        self.network = network

    def recipe_decayed(self) -> Iterator[nn.Parameter]:
        spared = ("class_token", "encoder.pos_embedding")
        return (p for name, p in self.network.named_parameters() if p.ndim > 1 and name not in spared)
