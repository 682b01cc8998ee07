"""What a data set of the user's own returns, checked before anything is trained on it."""

from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch import Tensor

from rethink.data.split import Stored
from rethink.errors import UserError

_PARTS = ("train", "test")
_FIELDS = tuple(f"{part}_{name}" for part in _PARTS for name in ("images", "labels"))
_Reader = Callable[[Tensor], Tensor | Stored]
Loaded = TypeVar("Loaded")


def checked(loaded: Loaded, kind: type) -> Loaded:
    """The same, with readers of images that check what they have read.

    Args:
        loaded: What `load` of a data module has returned: Arrays or Streams.
        kind: Class of the data module.

    Raises:
        UserError: It is something else, or images and labels are not of the documented types and shapes.
    """
    if getattr(loaded, "_fields", ())[:4] != _FIELDS:  # Streams may say more
        size = f" of {len(loaded)}" if isinstance(loaded, tuple) else ""
        raise UserError(
            f"{kind.__name__}.load returned a {type(loaded).__name__}{size}. Expected Arrays or Streams: "
            f"{', '.join(_FIELDS)}."
        )
    streamed: dict[str, _Reader] = {}
    shapes: list[tuple[int, ...]] = []
    for part in _PARTS:
        images, labels = getattr(loaded, f"{part}_images"), getattr(loaded, f"{part}_labels")
        where = f"{kind.__name__}.load: {part}"
        _check_labels(f"{where}_labels", labels)
        if isinstance(images, Tensor) or not callable(images):
            _check_images(f"{where}_images", images, shapes)
            if len(images) != len(labels):
                raise UserError(f"{where}_images has {len(images)} images, and {part}_labels {len(labels)} labels.")
        else:
            streamed[f"{part}_images"] = _reader(f"{where}_images", images, shapes)
    return loaded._replace(**streamed)  # type: ignore[attr-defined,no-any-return]


def check_classes(loaded: Any, classes: int, kind: type) -> None:
    """That every label is a class.

    Raises:
        UserError: One is not.
    """
    for part in _PARTS:
        largest = int(getattr(loaded, f"{part}_labels").max())
        if largest >= classes:
            raise UserError(
                f"{kind.__name__}.load: {part}_labels has the class {largest}, and there are {classes} classes, from 0 "
                f"to {classes - 1}. Say how many there are with `num_classes`."
            )


def _check_labels(where: str, labels: Any) -> None:
    if not isinstance(labels, Tensor):
        raise UserError(f"{where} is a {type(labels).__name__}, and not a tensor.")
    if labels.dtype != torch.int64 or labels.ndim != 1:
        raise UserError(f"{where} is {_described(labels)}, and not (n,) int64.")
    if not len(labels):
        raise UserError(f"{where} has no labels, and there are no images to train or test on.")
    if int(labels.min()) < 0:
        raise UserError(f"{where} has the class {int(labels.min())}. Classes are numbers from 0 up.")


def _check_images(where: str, images: Any, shapes: list[tuple[int, ...]]) -> None:
    """`shapes` has the shape of an image that the first ones had, and all others must have."""
    if not isinstance(images, Tensor):
        raise UserError(f"{where} is a {type(images).__name__}, and not a tensor.")
    if images.layout != torch.strided or images.device.type != "cpu":
        layout = "sparse" if images.layout != torch.strided else f"on the device {images.device}"
        raise UserError(f"{where} is {layout}. Return a dense tensor on the CPU.")
    if images.dtype != torch.uint8 or images.ndim != 4:
        raise UserError(f"{where} is {_described(images)}, and not (n, height, width, channels) uint8.")
    shape = tuple(images.shape)
    if shape[1] in (1, 3) and shape[3] not in (1, 3):
        raise UserError(f"{where} is {shape}. Images have their channels last: permute(0, 2, 3, 1).")
    if not all(shape[1:]):
        raise UserError(f"{where} is {shape}: there are no images in it.")
    shapes.append(shape[1:])
    if shape[1:] != shapes[0]:
        raise UserError(f"{where} is {shape}, and other images are {shapes[0]}. All have to have one shape.")


def _reader(where: str, read: _Reader, shapes: list[tuple[int, ...]]) -> _Reader:
    """Reads images, and checks that these are what they were asked for."""

    def checked_read(index: Tensor) -> Tensor | Stored:
        given = read(index)
        images = given.images if isinstance(given, Stored) else given
        _check_images(where, images, shapes)
        del shapes[1:]
        if len(images) != len(index):
            raise UserError(f"{where} gave {tuple(images.shape)} for {len(index)} indices. Expected an image for each.")
        return given

    return checked_read


def _described(tensor: Tensor) -> str:
    return f"{tuple(tensor.shape)} {str(tensor.dtype).removeprefix('torch.')}"
