"""VC dimension and fat-shattering dimension of the paper's networks, in numbers (Section 2.2).

VC dimension: bounds of Bartlett, Harvey, Liaw and Mehrabian, "Nearly-tight VC-dimension and pseudodimension bounds for
piecewise linear neural networks", JMLR 20 (2019). A class of networks with W parameters in L layers has at most order W
L log W, and some network of that size has at least order W L log(W / L). Checked against its abstract, which names
Theorem 7 as the refined upper bound (Theorem 6 on arXiv, 1703.02930); its constants were not seen again.

Fat-shattering dimension: a ReLU network with free weights is closed under scaling (multiply its last layer), so what
it shatters it shatters with any margin: at every scale its fat-shattering dimension is its pseudodimension, and no
smaller than its VC dimension. Bartlett's bound by l1 norms ("The sample complexity of pattern classification with
neural networks: the size of the weights is more important than the size of the network", 1998) escapes this by fixing
the norms, but it is for units with bounded values such as sigmoids: each layer's values then lie in a fixed interval,
whatever the weights below. A ReLU's do not, which is why the paper says that it does not apply.
"""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Architecture:
    """What the bounds depend on, for a network without batch norm. Local response normalization is left out of account.

    parameters: W, shared weights counted once. layers: L. parameters_by_layer: in the layers 1, ..., L. units_by_layer:
    values computed in each of them, with the comparisons of max pooling.
    """

    parameters_by_layer: tuple[int, ...]
    units_by_layer: tuple[int, ...]

    @property
    def parameters(self) -> int:
        return sum(self.parameters_by_layer)

    @property
    def layers(self) -> int:
        return len(self.parameters_by_layer)


def vc_upper_bound(architecture: Architecture) -> float:
    """Upper bound on the VC dimension of the signs of one output: Bartlett et al. (2019), Theorem 7, for ReLU.

    L + M log2(4 e R log2(2 e R)), where M is the sum over the layers i of the parameters in the layers up to i (their
    W times the effective depth), and R the sum of i k_i for k_i units in layer i. The proof counts polynomials and
    their variables: a weight that a convolution shares is one variable, and max pooling only adds comparisons, so both
    are covered. Local response normalization is not.
    """
    up_to, total = 0, 0
    for count in architecture.parameters_by_layer:
        up_to += count
        total += up_to
    r = sum(i * units for i, units in enumerate(architecture.units_by_layer, start=1))
    return architecture.layers + total * math.log2(4 * math.e * r * math.log2(2 * math.e * r))


def vc_order(architecture: Architecture) -> float:
    """W L log2(W / L): divided by some constant, a network with so many parameters and layers has this VC dimension.

    Bartlett et al. (2019), Theorem 3. It is of another network than this one, with its parameters in other layers, so
    that it can exceed the upper bound for this one.
    """
    w, layers = architecture.parameters, architecture.layers
    return w * layers * math.log2(w / layers)


def vc_lower_bound(inputs: int, hidden: int) -> int:
    """Lower bound on the VC dimension of a fully connected ReLU network whose first hidden layer has so many units.

    2 floor(k / 2) d for k threshold units on d inputs (Baum and Haussler, "What size net gives valid generalization?",
    1989). On finitely many points a threshold is the difference of two steep ReLUs, so k = hidden / 2; further hidden
    layers can hand the result on.
    """
    return 2 * (hidden // 2 // 2) * inputs


def log_growth(dimension: float, examples: float) -> float:
    """Natural logarithm of the growth function's bound: in how many ways so many examples can be labelled (Sauer)."""
    if examples <= dimension:
        return examples * math.log(2)
    return dimension * math.log(math.e * examples / dimension)


def vc_bound(dimension: float, examples: float, confidence: float = 0.95) -> float:
    """Bound on test minus training error with this probability; from 1 on it says nothing.

    sqrt(2 log(growth) / n) + sqrt(log(1 / delta) / (2 n)): Mohri, Rostamizadeh and Talwalkar, "Foundations of machine
    learning" (2018), Corollary 3.9, cited from memory.
    """
    return math.sqrt(2 * log_growth(dimension, examples) / examples) + slack(examples, confidence)


def slack(examples: float, confidence: float) -> float:
    """What the bounds add for the chance of an unlucky sample, sqrt(log(1 / delta) / (2 n))."""
    return math.sqrt(math.log(1 / (1 - confidence)) / (2 * examples))


def examples_needed(dimension: float, gap: float, confidence: float = 0.95) -> int:
    """The number of examples from which on the bound is at most `gap`."""
    low, high = 1.0, 2.0
    while vc_bound(dimension, high, confidence) > gap:
        low, high = high, 2 * high
    while high - low > 0.5:
        middle = (low + high) / 2
        low, high = (middle, high) if vc_bound(dimension, middle, confidence) > gap else (low, middle)
    return math.ceil(high)
