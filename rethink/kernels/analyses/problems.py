"""What the solver needs of a row of Table 3: the kernel matrix, predictions on the test images, and what was chosen."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from rethink.errors import UserError
from rethink.kernels.analyses.choices import Chosen, Row, Validation, best, given_or_best
from rethink.kernels.gabor import GaborBank
from rethink.kernels.gram import Gaussian, Gram, GramOfPoints, Kernel, Progress, inner_products, predict

BANKS = (  # those that are tried where Gabor wavelets are asked for
    GaborBank((4.0,), orientations=8, window=0.5, stride=4),
    GaborBank((6.0,), orientations=8, window=0.5, stride=4),
    GaborBank((8.0,), orientations=8, window=0.5, stride=4),
    GaborBank((6.0,), orientations=8, window=0.35, stride=4),
    GaborBank((6.0,), orientations=8, window=0.5, stride=3),
    GaborBank((4.0, 8.0), orientations=8, window=0.5, stride=4),
    GaborBank((4.0, 6.0, 9.0), orientations=8, window=0.5, stride=4),
)
LARGEST_BANK = 1176  # features: of three wavelengths, eight orientations and 7 x 7 samples


@dataclass(frozen=True)
class Problem:
    """K of the training images and predictions of coefficients (n, c) on the test images, (m, c).

    `unit` is the mean of K's diagonal, `remedy` what to do where K is singular, `option` how the command reads an l2.
    `chosen` and `validation` are what a record says of the choices.
    """

    gram: Gram
    predict: Callable[[Tensor, Progress], Tensor]
    unit: float
    remedy: str
    chosen: dict[str, Any] = field(default_factory=dict)
    validation: dict[str, list[Row]] = field(default_factory=dict)
    option: str = "--l2 {}"


def pixels(images: Tensor) -> Tensor:
    """Raw: all values of the stored image divided by 255, (n, d) float32. No preprocessing, and no crop."""
    return images.to(device()).flatten(1).float().div_(255)


def device() -> torch.device:
    """The first GPU, or the processor."""
    return torch.device("cuda", 0) if torch.cuda.is_available() else torch.device("cpu")


def gabor(train: Tensor, test: Tensor, gamma: Chosen, validation: Validation) -> Problem:
    """The Gaussian kernel on the wavelets of grey images (n, H, W, 1); bank and bandwidth by the same validation."""
    if train.shape[3] != 1:
        raise UserError("--features gabor is for grey images: --dataset MNIST or FashionMNIST.")
    train, test = train.to(device()), test.to(device())
    rows = [
        {"bank": number, **asdict(bank), **row}
        for number, bank in enumerate(BANKS)
        for row in validation.gammas(bank.features(train[: validation.n]))
    ]
    number = best(rows, "gamma")["bank"]
    bank = BANKS[number]
    problem = gaussian(bank.features(train), bank.features(test), gamma, [row for row in rows if row["bank"] == number])
    return replace(problem, chosen={"bank": asdict(bank), **problem.chosen}, validation={"gamma": rows})


def gaussian(train: Tensor, test: Tensor, gamma: Chosen, rows: list[Row]) -> Problem:
    """The Gaussian kernel on points (n, d) and (m, d); its bandwidth is given, or the best of the validation's rows."""
    kernel = Gaussian(given_or_best(gamma, rows, "gamma"))
    remedy = f"choose a larger --gamma, for gamma {kernel.gamma:.3g} is too small for so many images."
    problem = _of_points(kernel, train, test, 1.0, remedy)
    return replace(problem, chosen=problem.chosen | {"gamma": kernel.gamma}, validation={"gamma": rows})


def linear(train: Tensor, test: Tensor) -> Problem:
    """The linear kernel on points (n, d) and (m, d)."""
    unit = float(train.double().square().sum(1).mean())
    return _of_points(inner_products, train, test, unit, "choose --kernel gaussian.")


def refuse_low_rank(n: int, dimension: int, remedy: str) -> None:
    """A UserError where a linear kernel cannot fit any labels: K = X X' has at most the rank of X."""
    if n > dimension:
        raise UserError(
            f"the linear kernel of {dimension:,} features has rank {dimension:,} at most, so it cannot fit {n:,} "
            f"images exactly. {remedy}, --n {dimension} at most, or an --l2 above 0."
        )


def _of_points(kernel: Kernel, train: Tensor, test: Tensor, unit: float, remedy: str) -> Problem:
    def predicted(coefficients: Tensor, progress: Progress) -> Tensor:
        return predict(kernel, test, train, coefficients, progress)

    return Problem(GramOfPoints(kernel, train), predicted, unit, remedy, {"dimension": train.shape[1]})
