"""The rows of the paper's Tables 1 and 4, as the settings of runs and the numbers beside them."""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rethink.report.results import PAPER, network_name

# The paper's names of networks: architecture and batch norm.
_NETWORKS = {
    "Inception": ("SmallInception", True),
    "Inception w/o BatchNorm": ("SmallInception", False),
    "Alexnet": ("SmallAlexNet", False),
    "MLP 3x512": ("MLP 3x512", False),
    "MLP 1x512": ("MLP 1x512", False),
}
_LABELS = {"true": "TrueLabels", "random": "RandomLabels"}
_REGULARIZERS = {  # of Table 4
    "weight decay": {"weight_decay": True, "augmentation": "none"},
    "random cropping": {"weight_decay": False, "augmentation": "random_crop"},
    "augmentation": {"weight_decay": False, "augmentation": "flip_rotate"},
}


@dataclass(frozen=True)
class PaperRow:
    """A row of Table 1 or 4: `cells` as in the CSV."""

    cells: Mapping[str, str]

    @property
    def setting(self) -> dict[str, Any]:
        """What the row is about, as `Results.select` takes it."""
        architecture, batch_norm = _NETWORKS[self.cells["model"]]
        if "regularizer" in self.cells:
            switches = _REGULARIZERS[self.cells["regularizer"]]
        else:
            crop, decay = self.cells["random_crop"] == "yes", self.cells["weight_decay"] == "yes"
            switches = {"weight_decay": decay, "augmentation": "random_crop" if crop else "none"}
        return {
            "architecture": architecture,
            "batch_norm": batch_norm,
            "randomization": _LABELS[self.cells.get("labels", "random")],
            **switches,
            "dropout": False,
            "validation_size": 0,
        }

    @property
    def network(self) -> str:
        """As in the paper's legends, and whether it is without batch norm."""
        return network_name(*_NETWORKS[self.cells["model"]])

    @property
    def architecture(self) -> str:
        return _NETWORKS[self.cells["model"]][0]

    @property
    def random_labels(self) -> bool:
        return bool(self.setting["randomization"] == "RandomLabels")

    @property
    def name(self) -> str:
        """The row in a line: `small Inception, crop, weight decay`, `MLP 1x512, random labels`."""
        words = [self.cells[name] for name in ("regularizer",) if name in self.cells]
        words += ["crop"] if self.cells.get("random_crop") == "yes" else []
        words += ["weight decay"] if self.cells.get("weight_decay") == "yes" else []
        words += ["random labels"] if self.cells.get("labels") == "random" else []
        return ", ".join([self.network, *words])

    def number(self, column: str) -> float | None:
        """A number of the row; None where the paper gives none."""
        return float(self.cells[column]) if self.cells[column] else None


def rows(table: str) -> list[PaperRow]:
    """The rows of a table of experiments/paper, in the paper's order."""
    with (PAPER / f"{table}.csv").open(newline="", encoding="utf-8") as file:
        return [PaperRow(cells) for cells in csv.DictReader(file)]


def lowest(table: str, column: str) -> float:
    """The least of the paper's numbers in a column: of training accuracies, what it calls fitted."""
    return min(value for row in rows(table) if (value := row.number(column)) is not None)


def number(table: str, column: str, **cells: str) -> float | None:
    """The number in the one row of a table, or point of a curve, that has these cells."""
    (row,) = (row for row in rows(table) if all(row.cells[name] == value for name, value in cells.items()))
    return row.number(column)
