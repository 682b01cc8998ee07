"""Understanding deep learning requires rethinking generalization (Zhang et al., ICLR 2017), reproduced."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:  # `import rethink` starts without torch
    from pathlib import Path
    from typing import Literal

    from rethink.analyses.networks import Network

__version__ = "0.1.0"


def load_run(run: "str | Path", weights: "Literal['final', 'best'] | int" = "final") -> "Network":
    """A finished run, to look into and to go on with.

    Args:
        run: Its run_id in the folder of the runs, or its own folder.
        weights: "final" are those at the end of training, a number those after that epoch, and "best" those after the
            epoch with the best accuracy on held-out images or, without any, on the test set. Weights within training
            are there if `--checkpoint.keep_epochs` has kept them.

    Returns:
        `model`, in evaluation mode on the CPU; `data`, the data module as it was; `history`, `record` and `setting`;
        and `predict`.

    Raises:
        UserError: There is no such run, it has not finished, or its weights or its data are not there.
    """
    from rethink.analyses.networks import load

    return load(run, weights)
