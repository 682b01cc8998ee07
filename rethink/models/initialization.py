"""Initial weights: as the TensorFlow recipes of 2016 drew them, each from an explicit generator, or of a run."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from rethink.errors import UserError
from rethink.files import is_there
from rethink.runs.run import final_weights, runs_folder
from rethink.training.checkpoints import read_checkpoint


@torch.no_grad()
def glorot_uniform(module: nn.Conv2d | nn.Linear, generator: torch.Generator | None) -> None:
    """Uniform in +-sqrt(6 / (fan in + fan out)), zero bias: the default of tf.contrib.layers."""
    nn.init.xavier_uniform_(module.weight, generator=generator)
    _fill_bias(module, 0.0)


@torch.no_grad()
def truncated_normal(
    module: nn.Conv2d | nn.Linear, deviation: float, bias: float, generator: torch.Generator | None
) -> None:
    """Normal, drawn anew beyond two standard deviations: tf.truncated_normal_initializer."""
    nn.init.trunc_normal_(module.weight, 0.0, deviation, -2 * deviation, 2 * deviation, generator=generator)
    _fill_bias(module, bias)


def initialize(network: nn.Module, name: str, generator: torch.Generator | None) -> None:
    """Draws all layers of a network alike, in the order of its modules.

    Args:
        network: Its convolutions and fully connected layers are drawn.
        name: `glorot_uniform`; `he_normal`; or `truncated_normal`, with TF-slim's deviations for Inception: 0.01 for
            the logits, which are the last fully connected layer, and 0.1 for all others.
        generator: Of the draws.
    """
    layers = [module for module in network.modules() if isinstance(module, nn.Conv2d | nn.Linear)]
    logits = next((layer for layer in reversed(layers) if isinstance(layer, nn.Linear)), None)
    for module in layers:
        match name:
            case "glorot_uniform":
                glorot_uniform(module, generator)
            case "he_normal":
                he_normal(module, generator)
            case _:
                truncated_normal(module, 0.01 if module is logits else 0.1, 0.0, generator)


@torch.no_grad()
def he_normal(module: nn.Conv2d | nn.Linear, generator: torch.Generator | None) -> None:
    """Normal, zero bias, with variance 2 / fan (He et al. 2015).

    The fan of a convolution is its kernel area x outputs, as in the wide residual networks. That of a fully connected
    layer is its inputs: with its outputs, a network of few classes would start at a loss of 30.
    """
    fan = module.weight.shape[1]
    if isinstance(module, nn.Conv2d):
        fan = module.weight[0, 0].numel() * module.weight.shape[0]
    module.weight.normal_(0.0, (2.0 / fan) ** 0.5, generator=generator)
    _fill_bias(module, 0.0)


def _fill_bias(module: nn.Conv2d | nn.Linear, value: float) -> None:
    """Sets a bias where there is one."""
    bias: Tensor | None = module.bias
    if bias is not None:
        nn.init.constant_(bias, value)


def take_over(network: nn.Module, run_id: str) -> None:
    """Loads the final weights of a run into all layers of a network but the last one, which stays as it was drawn.

    The last layer is what turns features into the classes of one set of labels (Maennel et al. 2020 draw it anew too).
    """
    file = final_weights(runs_folder() / run_id)
    if not is_there(file):
        raise UserError(
            f"--model.weights_from {run_id}: there is no {file}. `rethink show` lists the finished runs; "
            "the run has to be finished first, by `rethink fit` with its options or by the sweep that it is of."
        )
    state = read_checkpoint(file)["state_dict"]
    theirs = {name.removeprefix("network."): value for name, value in state.items() if name.startswith("network.")}
    last = _last_layer(network)
    ours = network.state_dict()
    wanted = [name for name in ours if not name.startswith(f"{last}.")]
    unknown = [name for name in theirs if name not in ours]
    for name in [name for name in wanted if _shape(theirs, name) != _shape(ours, name)] + unknown:
        raise UserError(
            f"--model.weights_from {run_id}: that is another network: {name} is {_shape(theirs, name)} there and "
            f"{_shape(ours, name)} here. Choose a run of the same architecture with the same switches."
        )
    network.load_state_dict({name: theirs[name] for name in wanted}, strict=False)


def _last_layer(network: nn.Module) -> str:
    names: list[str] = [name for name, module in network.named_modules() if isinstance(module, nn.Linear)]
    return names[-1]


def _shape(state: Mapping[str, Tensor], name: str) -> str:
    return str(tuple(state[name].shape)) if name in state else "missing"
