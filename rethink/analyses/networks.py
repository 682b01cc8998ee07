"""The networks of finished runs, with the data that they were trained on, as their records describe them."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

import torch

from rethink.data import ImageDataModule
from rethink.data.split import Split
from rethink.discovery import resolve
from rethink.errors import UserError
from rethink.files import is_there
from rethink.models import Classifier
from rethink.randomization import Randomization
from rethink.runs.reading import Columns
from rethink.runs.run import Run, final_weights, runs_folder, weights_of_epoch
from rethink.runs.setting import Setting
from rethink.training.checkpoints import read_checkpoint
from rethink.training.recipes import Recipe

_Base = TypeVar("_Base")
_CHUNK = 500  # images that go through a network together
_last_data: dict[tuple[str, str | None], ImageDataModule] = {}
"""Of the run that was looked at last, by their description and the folder of data."""


@dataclass(frozen=True)
class Network:
    """A run's network in evaluation mode, float32, and the splits it was trained and evaluated on."""

    run: Run
    model: Classifier
    data: ImageDataModule

    @property
    def record(self) -> dict[str, Any]:
        """What record.json says."""
        return self.run.record

    @property
    def history(self) -> Columns:
        """Name -> values, one an epoch, None where it was not measured: what `pandas.DataFrame` takes as a table."""
        return self.run.history

    @property
    def setting(self) -> Setting:
        """All that the run_id hashes, and the seed."""
        return self.run.setting

    @torch.no_grad()
    def predict(self, images: torch.Tensor) -> torch.Tensor:
        """Probabilities (n, K) of the classes of some images, which go through the pipeline of the run's data.

        Args:
            images: (n, height, width, channels) uint8.
        """
        pipeline = self.data.pipeline(images.shape[1])
        chunks = (pipeline(chunk, self.model.switches.for_evaluation) for chunk in images.split(_CHUNK))
        return torch.cat([self.model(chunk).softmax(1) for chunk in chunks])

    @property
    def train(self) -> Split:
        """The training set as randomized."""
        return self.data.splits["train"]

    def inputs(self, split: Split, positions: torch.Tensor) -> torch.Tensor:
        """What the network sees of some examples of a split, (b, C, H, W) float32."""
        return split.prepare(positions, self.model.switches.for_evaluation)

    @torch.no_grad()
    def logits(self, split: Split) -> torch.Tensor:
        """Logits (n, K) of all examples of a split, in its order."""
        chunks = torch.arange(len(split)).split(_CHUNK)
        return torch.cat([self.model.network(self.inputs(split, positions)).float() for positions in chunks])


def load(run: str | Path, weights: Literal["final", "best"] | int = "final") -> Network:
    """A finished run: see `rethink.load_run`."""
    opened = Run.open(run if Path(run).is_dir() else runs_folder() / run)
    if weights == "final":
        return at_the_end(opened)
    best = opened.record["best_test_accuracy"]
    chosen = best.get("validation", best["test"])["epoch"] if weights == "best" else weights
    return at_the_end(opened) if chosen == opened.last_epoch else after_epoch(opened, int(chosen))


def at_the_end(run: Run) -> Network:
    """With the weights at the end of training."""
    return _with_weights(run, final_weights(run.path), "")


def after_epoch(run: Run, epoch: int) -> Network:
    """With the weights after an epoch that the run kept (`--checkpoint.keep_epochs`); 0 is the initialization."""
    if epoch == 0:
        return initial(run)
    more = f" --checkpoint.keep_epochs [{epoch}]"
    return _with_weights(run, weights_of_epoch(run.path, epoch), more)


def initial(run: Run) -> Network:
    """With the weights that training started from."""
    model = _model(run)
    model.draw_initial_weights()
    return _network(run, model)


def _with_weights(run: Run, file: Path, more: str) -> Network:
    if not is_there(file):
        command = f"rethink fit --config {run.path / 'config.yaml'}{more} --force"
        raise UserError(f"{file} is not there. Make it: {command}")
    model = _model(run)
    model.take_weights(read_checkpoint(file)["state_dict"])
    return _network(run, model)


def _network(run: Run, model: Classifier) -> Network:
    model.network.to(memory_format=torch.channels_last)
    model.eval()
    data = data_of(run)
    digest = data.digests["train"]
    if digest != (expected := run.record["data"].get("digests", {}).get("train", digest)):
        raise UserError(
            f"{run.path} was trained on other data: its digest is {expected[:12]}, here it is {digest[:12]}. "
            "Has the data set changed, or the randomization? Train the run anew with --force."
        )
    if model.evaluation_statistics == "batch":
        raise UserError(
            f"{run.path} was evaluated by the moments of every batch: it has no network of its own to read."
        )
    model.take_statistics(data.splits["train"], data.batch_size)
    return Network(run, model, data)


def data_of(run: Run) -> ImageDataModule:
    """The data that a run was trained and evaluated on, set up; not to be changed, for the last ones are kept."""
    spec = run.record["config"]["data"]
    key = json.dumps(spec), os.environ.get("RETHINK_DATA")
    if key not in _last_data:
        data = _built(run, spec, ImageDataModule, {"randomization": Randomization}, root=None)
        data.setup()
        _last_data.clear()
        _last_data[key] = data
    return _last_data[key]


def _model(run: Run) -> Classifier:
    spec, data = (run.record["config"][part] for part in ("model", "data"))
    # The data set them when the run began, after its configuration was noted.
    kind = _kind(run, data, ImageDataModule)
    shape = run.record["data"].get("image_shape") or getattr(kind, "image_shape", None)
    if not isinstance(shape, list | tuple):  # neither the record says it nor the class
        shape = data_of(run).image_shape
    return _built(run, spec, Classifier, {"recipe": Recipe}, image_shape=tuple(shape), num_classes=run.num_classes)


def _kind(run: Run, spec: Any, base: type[_Base]) -> type[_Base]:
    """The class that a record describes, nothing of which is called before it is known to be of the right kind."""
    where = str(run.path / "record.json")
    if not isinstance(spec, dict) or not isinstance(spec.get("class_path"), str):
        raise UserError(f"{where}: it does not say which {base.__name__} it was.")
    return resolve(spec["class_path"], base, where)


def _built(run: Run, spec: Any, base: type[_Base], parts: dict[str, type], **more: Any) -> _Base:
    """An object that a record describes.

    Args:
        run: Whose record.
        spec: Class and arguments.
        base: What the class has to be a subclass of.
        parts: Those of its arguments that are described in the same way, with their bases.
        more: Arguments that the record does not have.
    """
    kind = _kind(run, spec, base)
    options = dict(spec.get("init_args") or {})
    options |= {name: _built(run, options[name], part, {}) for name, part in parts.items() if options.get(name)}
    try:
        return kind(**options | more)
    except (TypeError, ValueError) as error:
        raise UserError(f"{run.path / 'record.json'}: its {kind.__name__} cannot be made here: {error}.") from error
