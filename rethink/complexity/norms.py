"""Norm and margin measures of trained networks (Neyshabur et al. 2017, Jiang et al. 2020).

The paper says of norm-based bounds that they "do not seem to explain" what it found; these are those of the work that
followed it. All take a network whose batch norm is folded into its weights. Products go over all layers, those of
parallel branches too. ReLU, pooling and local response normalization count as maps that enlarge nothing.
"""

import copy
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from rethink import randomness

_LEAST = 1e-3  # standard deviation of noise on a weight of 0, where noise is relative (Jiang et al. 2020)
_STEPS, _PRECISION = 500, 1e-5  # of the power iteration: largest number, and relative change that ends it


@dataclass(frozen=True)
class WeightLayer:
    """A convolution or a linear layer in its place.

    depth: from 1, on the longest way from the input; branches side by side have the same. input_shape, output_shape:
    of one example.
    """

    name: str
    module: nn.Conv2d | nn.Linear
    depth: int
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]


def margins(logits: Tensor, labels: Tensor) -> Tensor:
    """Logit of the label minus the largest other one, (n,); under 0 where the prediction is wrong."""
    own = logits.gather(1, labels[:, None])[:, 0]
    others = logits.scatter(1, labels[:, None], -math.inf)
    return own - others.amax(1)


def margin(logits: Tensor, labels: Tensor, share: float) -> float:
    """The margin that all but this share of the examples have: the gamma of the bounds.

    A low quantile and not the minimum, which one example decides: 10 % in `measures.py` of the code of Dziugaite et al.
    (2020, github.com/nitarshan/robust-generalization-measures), 5 % in Neyshabur et al. (2017) as remembered.
    """
    return float(margins(logits.double(), labels).quantile(share))


@torch.no_grad()
def frobenius_norm(layer: WeightLayer) -> float:
    """Square root of the sum of the squared weights of a layer, each once."""
    return float(torch.linalg.vector_norm(layer.module.weight.double()))


@torch.no_grad()
def spectral_norm(layer: WeightLayer, difference_to: WeightLayer | None = None) -> float:
    """Largest factor by which a layer, without its bias, enlarges an input; or its difference to another such layer.

    Exact for a linear layer. For a convolution that of the whole map at its size, padding and stride, by power
    iteration, and not that of its weights as a matrix, which are another map.
    """
    module = copy.deepcopy(layer.module)
    module.bias = None
    if difference_to is not None:
        module.weight.sub_(difference_to.module.weight)
    if isinstance(module, nn.Linear):
        weight = module.weight.double()
        small = weight if len(weight) <= weight.shape[1] else weight.T
        return math.sqrt(float(torch.linalg.eigvalsh(small @ small.T)[-1].clamp_min(0)))  # faster than an SVD
    return _largest_singular_value(module, module.weight.new_empty(1, *layer.input_shape))


def _largest_singular_value(linear: Callable[[Tensor], Tensor], like: Tensor) -> float:
    draws = randomness.generator(randomness.key(0, "power iteration"))
    x = torch.randn(like.shape, generator=draws).to(like)
    value = 0.0
    for _ in range(_STEPS):
        x = (x / torch.linalg.vector_norm(x)).requires_grad_()
        with torch.enable_grad():
            y = linear(x)
        last, value = value, float(torch.linalg.vector_norm(y.detach().double()))
        if value == 0 or abs(value - last) <= _PRECISION * value:
            break
        (x,) = torch.autograd.grad(y, x, y.detach())  # the transposed map
    return value


@torch.no_grad()
def path_norm(network: nn.Module, image_shape: tuple[int, int, int], q: int) -> float:
    """l1 (q = 1) or l2 (q = 2) path norm: (sum over all paths of the product of |weight| ** q) ** (1 / q).

    Paths go from an input or a bias to an output; the sum is the network with |weight| ** q on an input of ones
    (Neyshabur et al. 2015; so `lp_path_norm` in their github.com/bneyshabur/generalization-bounds). Of paths through a
    max pooling the largest sum goes on; mean pooling stays a mean. The network has no local response normalization,
    under which ones are not paths.
    """
    powers = copy.deepcopy(network).double()
    for parameter in powers.parameters():
        parameter.copy_(parameter.abs() ** q)
    device = next(powers.parameters()).device
    total: Tensor = powers(torch.ones(1, *image_shape, dtype=torch.float64, device=device)).sum()
    return math.pow(float(total), 1 / q)


@torch.no_grad()
def largest_l1_norm(layers: list[WeightLayer]) -> float:
    """The largest sum of |weight| into a unit, over all layers: the A of Bartlett (1998)."""
    return max(float(layer.module.weight.double().abs().flatten(1).sum(1).max()) for layer in layers)


@torch.no_grad()
def parameter_norm(network: nn.Module) -> float:
    """l2 norm of all parameters."""
    return math.sqrt(sum(float(p.double().square().sum()) for p in network.parameters()))


@torch.no_grad()
def distance(network: nn.Module, initial: nn.Module) -> float:
    """l2 distance of all parameters from those of the initialization."""
    pairs = zip(network.parameters(), initial.parameters(), strict=True)
    return math.sqrt(sum(float((p.double() - q.double()).square().sum()) for p, q in pairs))


def spectral_distance(layers: list[WeightLayer], initial: list[WeightLayer]) -> float:
    """Square root of the sum over the layers of the squared spectral norms of what training added."""
    return math.sqrt(sum(spectral_norm(layer, start) ** 2 for layer, start in zip(layers, initial, strict=True)))


def perturbed(network: nn.Module, sigma: float, draws: int, seed: int, relative: bool = False) -> Iterator[nn.Module]:
    """The network with Gaussian noise of standard deviation sigma on each weight; one copy, drawn anew each time.

    With `relative` the deviation is sigma times the magnitude of the weight, plus 1e-3. After Jiang et al. (2020), but
    there, as in the code of Dziugaite et al. (2020), the variances are added: sigma^2 w^2 + 1e-6.
    """
    copied = copy.deepcopy(network)
    pairs = list(zip(copied.parameters(), network.parameters(), strict=True))
    for number in range(draws):
        generator = randomness.generator(randomness.key(seed, "perturbation", number))
        for noisy, exact in pairs:
            noise = torch.randn(exact.shape, generator=generator).to(exact)
            scale = sigma * exact.abs() + _LEAST if relative else sigma
            with torch.no_grad():
                noisy.copy_(exact + scale * noise)
        yield copied


def pac_bayes(sharpness: float, squared_norm: float, sigma: float, examples: int) -> float:
    """Expected sharpness plus |w|^2 / (2 sigma^2 n): the form of a linear (Catoni-type) PAC-Bayes bound.

    The second term is the Kullback-Leibler divergence of the perturbed weights from a prior of the same variance, about
    0 or about the initialization, as a share of the number of examples. Neyshabur et al. (2017) take its root; so does
    the code of Dziugaite et al. (2020), for half of it plus log(n / sigma) + 10.
    """
    return sharpness + squared_norm / (2 * sigma**2 * examples)
