"""House style of the figures: one colour, line and marker per randomization and per architecture, everywhere.

Colours are those of Okabe and Ito (2008), told apart by colour-blind readers, the light ones darkened so that
each stands at 3:1 or more against white and against the page's dark card. Dashes and markers repeat what the
colour says, for print in grey.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rethink.models.names import ARCHITECTURES, label

INK = "#2a2e35"  # text and axes; the page replaces it by the text colour of the reader's scheme
PAPER_INK = "#868b93"  # the paper's curves where they have no colour of their own: mid-grey in both schemes

Dash = tuple[float, tuple[float, ...]]  # of matplotlib: offset, then lengths of ink and gap


@dataclass(frozen=True)
class Style:
    """What a series is called in the paper's words, and how it looks."""

    label: str
    color: str
    dash: Dash
    marker: str


SOLID: Dash = (0, ())
REFERENCE: dict[str, Any] = {"color": INK, "linewidth": 0.9, "linestyle": (0, (1, 2)), "zorder": 1}
"""Of matplotlib, for the line at a level such as chance."""
PAPER_DASH: Dash = (0, (4, 2.2))
UNDER_WAY_DASH: Dash = (0, (1, 1))
DERIVED_DASH: Dash = (0, (1.4, 1.8))  # worked back from the paper's curve, and not in the paper
_LONG: Dash = (0, (6, 1.6))
_SHORT: Dash = (0, (3, 1.4))
_DOTS: Dash = (0, (1.1, 1.3))
_DASH_DOT: Dash = (0, (6, 1.5, 1.2, 1.5))
_DASH_DOT_DOT: Dash = (0, (5, 1.3, 1.1, 1.3, 1.1, 1.3))

_BLUE, _VERMILLION, _GREEN = "#1f7fc0", "#d55e00", "#0a9470"
_PURPLE, _OCHRE, _SKY = "#c0629a", "#b98200", "#3d97cc"

# In the order in which the paper's runs of Figure 1a fit.
RANDOMIZATIONS: Mapping[str, Style] = {
    "TrueLabels": Style("true labels", _BLUE, SOLID, "o"),
    "ShuffledPixels": Style("shuffled pixels", _GREEN, _LONG, "s"),
    "GaussianPixels": Style("gaussian", _OCHRE, _SHORT, "D"),
    "RandomPixels": Style("random pixels", _PURPLE, _DASH_DOT, "^"),
    "RandomLabels": Style("random labels", _VERMILLION, _DOTS, "v"),
    "PartiallyCorruptedLabels": Style("partially corrupted labels", _SKY, _DASH_DOT_DOT, "P"),
    "RandomSigns": Style("random signs", PAPER_INK, _LONG, "X"),
}

# Of the architectures, in the order of their names.
_LOOKS: tuple[tuple[str, Dash, str], ...] = (
    (_BLUE, SOLID, "o"),
    (_VERMILLION, _LONG, "s"),
    (_GREEN, _DASH_DOT, "^"),
    (_PURPLE, _SHORT, "v"),
    (_OCHRE, _DOTS, "D"),
    (_SKY, _DASH_DOT_DOT, "P"),
)

BATCH_NORM: Mapping[bool, Style] = {
    True: Style("with batch norm", _BLUE, SOLID, "o"),
    False: Style("without batch norm", _VERMILLION, _LONG, "s"),
}

_MOST = 95  # per cent of ink in the highest level: more could not be told from the axes
_LEVELS = (_BLUE, _GREEN, _OCHRE, _VERMILLION, _PURPLE)


def level_style(index: int, label: str, corrupted: bool = False) -> Style:
    """Style of the index-th of a few things without an order; dotted where it lies on another."""
    return Style(label, _LEVELS[index % len(_LEVELS)], _DOTS if corrupted else SOLID, "v" if corrupted else "o")


def _inked(percent: int) -> str:
    """The sky blue with so much ink in it."""
    pale, ink = ([int(color[start : start + 2], 16) for start in (1, 3, 5)] for color in (_SKY, INK))
    return "#" + "".join(f"{round(a + (b - a) * percent / 100):02x}" for a, b in zip(pale, ink, strict=True))


RISING: Mapping[str, str] = {
    _inked(percent): f"color-mix(in srgb, {_SKY} {100 - percent}%, currentColor)" for percent in range(_MOST + 1)
}
"""From a low level to a high one, ever darker on white. With each what it is on the page: mixed with the text's colour,
it becomes ever lighter where the page is dark."""


def ordinal_style(share: float, label: str, corrupted: bool = False) -> Style:
    """Style of a level of label corruption between 0 and 1, for its clean part and its corrupted part."""
    color = _inked(round(min(max(share, 0.0), 1.0) * _MOST))
    return Style(label, color, _DOTS if corrupted else SOLID, "v" if corrupted else "o")


def randomization_style(name: str) -> Style:
    """Style of a randomization by class name; one that is new here gets the neutral one."""
    return RANDOMIZATIONS.get(name, Style(name, PAPER_INK, SOLID, "X"))


def architecture_style(name: str) -> Style:
    """Style of an architecture by `Run.architecture`; one that is new here gets the neutral one."""
    if name not in ARCHITECTURES:
        return Style(name, PAPER_INK, SOLID, "X")
    return Style(label(name), *_LOOKS[list(ARCHITECTURES).index(name) % len(_LOOKS)])
