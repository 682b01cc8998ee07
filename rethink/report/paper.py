"""The paper's own numbers: its tables, row by row as the settings of runs, and its curves."""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rethink.models.names import ARCHITECTURES
from rethink.report.wording import network_name
from rethink.runs.reading import read_columns
from rethink.sweep.experiment import EXPERIMENTS

PAPER = EXPERIMENTS / "paper"
_WITHOUT = " w/o BatchNorm"

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
        if "regularizer" in self.cells:
            switches = _REGULARIZERS[self.cells["regularizer"]]
        else:
            crop, decay = self.cells["random_crop"] == "yes", self.cells["weight_decay"] == "yes"
            switches = {"weight_decay": decay, "augmentation": "random_crop" if crop else "none"}
        return {
            "architecture": self.architecture,
            "batch_norm": self._batch_norm,
            "randomization": _LABELS[self.cells.get("labels", "random")],
            **switches,
            "dropout": False,
            "validation_size": 0,
        }

    @property
    def network(self) -> str:
        """As in the paper's legends, and whether it is without batch norm."""
        return network_name(self.architecture, self._batch_norm)

    @property
    def architecture(self) -> str:
        """The network, by its name in records."""
        paper = self.cells["model"].removesuffix(_WITHOUT)
        return next(name for name, entry in ARCHITECTURES.items() if entry.paper == paper)

    @property
    def _batch_norm(self) -> bool:
        return ARCHITECTURES[self.architecture].batch_norm and not self.cells["model"].endswith(_WITHOUT)

    @property
    def random_labels(self) -> bool:
        return bool(self.setting["randomization"] == "RandomLabels")

    @property
    def name(self) -> str:
        """The row in a line: `small Inception, crop, weight decay`, `MLP 1x512, random labels`."""
        words = [self.cells["regularizer"]] if "regularizer" in self.cells else []
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


def points(file: str, x: str, y: str) -> tuple[list[float], list[float]]:
    """Two columns of a CSV of experiments/paper, without the rows in which one is empty."""
    columns = read_columns(PAPER / file)
    pairs = [(a, b) for a, b in zip(columns[x], columns[y], strict=True) if a is not None and b is not None]
    return [a for a, _ in pairs], [b for _, b in pairs]


def corruption_curve(architecture: str, column: str) -> dict[float, float]:
    """A curve of Figures 1b and 1c by level: `rel_time`, `epochs_inferred`, `test_error`, `test_error_if_clean_test`.

    Empty for a network that they do not have.
    """
    entry = ARCHITECTURES.get(architecture)
    name = f"{((entry and entry.paper) or '').replace(' ', '')}_{column}".lower()  # its figures spell AlexNet otherwise
    columns = {column.lower(): column for column in read_columns(PAPER / "fig1bc.csv")}
    return dict(zip(*points("fig1bc.csv", "p", columns[name]), strict=True)) if name in columns else {}
