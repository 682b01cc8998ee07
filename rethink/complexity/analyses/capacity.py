"""VC dimension and fat-shattering dimension of the paper's networks in numbers."""

import math
from typing import Any

from jsonargparse.typing import OpenUnitInterval, PositiveInt
from torch import nn

from rethink.analyses.analysis import Analysis, Context, Result
from rethink.complexity.analyses.weight_layers import architecture_of
from rethink.complexity.capacity import examples_needed, vc_bound, vc_lower_bound, vc_order, vc_upper_bound
from rethink.models import MLP, Classifier, SmallAlexNet, SmallInception
from rethink.models.names import architecture

_NETWORKS: tuple[tuple[type[Any], dict[str, Any]], ...] = (
    (SmallInception, {}),
    (SmallAlexNet, {}),
    (MLP, {"hidden_sizes": [512, 512, 512]}),
    (MLP, {"hidden_sizes": [512]}),
)


class Capacity(Analysis):
    """Bounds on the VC dimension of the paper's networks, and what they say of so many examples (Section 2.2).

    Args:
        examples: Number of training examples.
        confidence: Probability with which the bounds hold.
        seed: Not used: nothing is drawn.
    """

    def __init__(self, examples: PositiveInt = 50_000, confidence: OpenUnitInterval = 0.95, seed: int = 0) -> None:
        super().__init__(seed)
        self.examples = examples
        self.confidence = float(confidence)

    def analyse(self, context: Context) -> Result:
        """A row for each network, by name."""
        rows = {architecture(kind.__name__, options): self._row(kind(**options)) for kind, options in _NETWORKS}
        return Result({"networks": rows})

    def _row(self, model: Classifier) -> dict[str, float | None]:
        size = architecture_of(model.network, model.image_shape)
        upper = vc_upper_bound(size)
        lower = None
        if isinstance(model, MLP):
            first = next(module for module in model.network.modules() if isinstance(module, nn.Linear))
            lower = vc_lower_bound(math.prod(model.image_shape), first.out_features)
        return {
            "parameters": size.parameters,
            "layers": size.layers,
            "vc_order": vc_order(size),
            "vc_upper": upper,
            "vc_lower": lower,
            "gap_bound": vc_bound(upper, self.examples, self.confidence),
            "gap_bound_of_lower": None if lower is None else vc_bound(lower, self.examples, self.confidence),
            "examples_needed": examples_needed(upper, 1.0, self.confidence),
        }
