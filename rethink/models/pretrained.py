"""Initial weights from a finished run: what a network learned on one set of labels, taken to another."""

from collections.abc import Mapping

from torch import Tensor, nn

from rethink.errors import UserError
from rethink.files import is_there
from rethink.runs.run import runs_folder
from rethink.runs.weights import final_weights
from rethink.training.checkpoints import read_checkpoint


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
