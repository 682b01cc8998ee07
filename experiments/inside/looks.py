"""First-layer filters and feature maps, as initialized and as trained, for every kind of noise."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from experiments.inside.networks import Look, Network
from rethink.report.figures import Chart
from rethink.report.panels import Panel
from rethink.report.pictures import Picture, grid
from rethink.report.randomizations import FIVE, LABELS

_SMALL = 12  # pixels: filters up to this size are shown in two rows
_MOMENTS = {"initial": "untrained", "trained": "trained"}  # as shown, as kept


def charts(networks: Sequence[Network]) -> list[Chart]:
    """A figure of the filters of every network, and one of the maps of those that have any."""
    pictures = []
    for network in networks:
        looks = {name: first[0] for name in FIVE if (first := network.looks("LayerPictures", name))}
        if not looks:
            continue
        seed = "; ".join(sorted({f"seed {look.run.seed}" for look in looks.values()}))
        panels = [Panel(LABELS[name], "", "", (), picture=_filters(look)) for name, look in looks.items()]
        description = (
            f"First-layer filters of {network.label}, those with the largest norm after training, as initialized "
            f"and below them as trained on each setting ({seed}). Each filter by its own largest weight; grey is 0."
        )
        pictures.append(Chart(f"filters_{_file(network.architecture)}", description, panels))
        if any("layer 1/trained" in look.analysed.arrays for look in looks.values()):
            panels = [Panel(LABELS[name], "", "", (), picture=_maps(look)) for name, look in looks.items()]
            description = (
                f"What the convolutions of {network.label} make of an untouched test image (left), as "
                f"initialized and as trained on each setting ({seed}): of each layer the maps with the largest mean "
                "after training. Each map by its own largest value; black is 0."
            )
            pictures.append(Chart(f"maps_{_file(network.architecture)}", description, panels))
    return pictures


def _filters(look: Look) -> Picture:
    arrays = {shown: look.analysed.arrays[f"filters/{kept}"] for shown, kept in _MOMENTS.items()}
    side = max(arrays["trained"].shape[1:3])
    beside, lines = (8, 2) if side <= _SMALL else (5, 1)
    rows, names = [], []
    for shown, filters in arrays.items():
        for line in range(lines):
            rows.append(list(filters[line * beside : (line + 1) * beside]))
            names.append(shown if line == 0 else "")
    return grid(rows, names, gap=max(1, side // 9))


def _maps(look: Look) -> Picture:
    arrays = look.analysed.arrays
    layers = {name.partition("/")[0] for name in arrays if name.startswith("layer")}
    rows: list[list[NDArray[np.uint8]]] = []
    names = []
    for layer in sorted(layers, key=lambda layer: int(layer.rpartition(" ")[2])):
        for shown, kept in _MOMENTS.items():
            rows.append([arrays["images"][0], *arrays[f"{layer}/{kept}"][0]])
            names.append(f"{layer}, {shown}")
    return grid(rows, names, gap=3)


def _file(architecture: str) -> str:
    return architecture.lower().replace(" ", "_")
