"""First-layer filters and feature maps, as initialized and as trained, for every kind of noise."""

import numpy as np
from numpy.typing import NDArray

from experiments.inside.networks import Seen, named, seen
from rethink.report.figures import Chart
from rethink.report.panels import Panel
from rethink.report.pictures import Picture, grid
from rethink.report.randomizations import FIVE, LABELS
from rethink.report.results import Results

_SMALL = 12  # pixels: filters up to this size are shown in two rows
_MOMENTS = {"initial": "untrained", "trained": "trained"}  # as shown, as kept


def charts(results: Results) -> list[Chart]:
    """A figure of the filters of every network, and one of the maps of those that have any."""
    found = []
    for architecture in results.architectures:
        looks = {name: first[0] for name in FIVE if (first := seen(results, "LayerPictures", architecture, name))}
        if not looks:
            continue
        seed = "; ".join(sorted({f"seed {look.run.seed}" for look in looks.values()}))
        panels = [Panel(LABELS[name], "", "", (), picture=_filters(look)) for name, look in looks.items()]
        said = (
            f"First-layer filters of {named(architecture)}, those with the largest norm after training, as initialized "
            f"and below them as trained on each setting ({seed}). Each filter by its own largest weight; grey is 0."
        )
        found.append(Chart(f"filters_{_file(architecture)}", said, panels))
        if any("layer 1/trained" in look.analysed.arrays for look in looks.values()):
            panels = [Panel(LABELS[name], "", "", (), picture=_maps(look)) for name, look in looks.items()]
            said = (
                f"What the convolutions of {named(architecture)} make of an untouched test image (left), as "
                f"initialized and as trained on each setting ({seed}): of each layer the maps with the largest mean "
                "after training. Each map by its own largest value; black is 0."
            )
            found.append(Chart(f"maps_{_file(architecture)}", said, panels))
    return found


def _filters(look: Seen) -> Picture:
    arrays = {shown: look.analysed.arrays[f"filters/{kept}"] for shown, kept in _MOMENTS.items()}
    side = max(arrays["trained"].shape[1:3])
    beside, lines = (8, 2) if side <= _SMALL else (5, 1)
    rows, names = [], []
    for shown, filters in arrays.items():
        for line in range(lines):
            rows.append(list(filters[line * beside : (line + 1) * beside]))
            names.append(shown if line == 0 else "")
    return grid(rows, names, gap=max(1, side // 9))


def _maps(look: Seen) -> Picture:
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
