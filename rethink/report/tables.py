"""One table, five renderings: Markdown, terminal (rich), CSV, LaTeX, and HTML by page.html.

Markdown, HTML, LaTeX and the terminal show rounded values in the column's unit. CSV keeps the values as they
are (accuracies as fractions) under the names that history.csv uses; an estimate over seeds takes three columns there,
mean, standard deviation (or half the 95 % interval) and n.
"""

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import rich.box
import rich.table
import rich.text

from rethink.files import write_text
from rethink.report.estimates import Comparison, Estimate, Seeds
from rethink.runs.run import Crossing

Cell = str | int | float | Crossing | Estimate | Seeds | None

_WIDE = 24  # characters
ABSENT = "–"  # what a reader sees where there is no value


@dataclass(frozen=True)
class Column:
    """A column: `header` and `unit` for readers, `name` for CSV; `scale` and `format` apply to numbers."""

    header: str
    name: str
    unit: str = ""
    scale: float = 1
    format: str = ""
    align: Literal["left", "right"] = "right"
    estimate: bool = False
    interval: bool = False  # an estimate is shown with the 95 % interval of its mean, and not its s.d.

    @classmethod
    def text(cls, header: str, name: str) -> "Column":
        return cls(header, name, align="left")

    @classmethod
    def percent(cls, header: str, name: str) -> "Column":
        """A fraction shown in per cent with one decimal: 0.7607 as 76.1."""
        return cls(header, name, unit="%", scale=100, format=".1f")

    @classmethod
    def estimates(cls, header: str, name: str, unit: str = "%", scale: float = 100, format: str = ".2f") -> "Column":
        """Mean ± s.d. over seeds: accuracies in per cent unless said otherwise."""
        return cls(header, name, unit, scale, format, estimate=True)

    @classmethod
    def times(cls, header: str, name: str, format: str = ".1f") -> "Column":
        """Mean ± s.d. over seeds of epochs, steps or their ratios; `> ` before a lower bound."""
        return cls(header, name, format=format, estimate=True)

    @classmethod
    def gains(cls, header: str, name: str) -> "Column":
        """Mean over seeds with its 95 % interval: differences of accuracies, in points."""
        return cls(header, name, "points", 100, "+.2f", estimate=True, interval=True)

    @property
    def title(self) -> str:
        return f"{self.header} ({self.unit})" if self.unit else self.header

    def show(self, cell: Cell) -> str:
        if cell is None:
            return ABSENT
        if isinstance(cell, Estimate):
            return cell.scaled(self.scale).format(self.format, self.interval)
        if isinstance(cell, int | float):
            return format(cell * self.scale, self.format)
        return str(cell)

    def csv_names(self) -> list[str]:
        spread = "interval" if self.interval else "sd"
        return [self.name, f"{self.name}_{spread}", f"{self.name}_n"] if self.estimate else [self.name]

    def csv_cells(self, cell: Cell) -> list[Cell]:
        if not self.estimate:
            return [cell]
        if not isinstance(cell, Estimate):
            return [cell, None, None]
        spread = cell.interval if self.interval else cell.sd
        mean, spread = (None if value is None else round(value, 9) for value in (cell.mean, spread))
        return [f"> {mean}" if cell.censored else mean, spread, cell.n]


def comparison_columns(
    name: str, unit: str = "%", points: str = "points", scale: float = 100, format: str = ".2f"
) -> list[Column]:
    """For a number beside the paper's: n, ours, the paper's, the difference with its 95 % interval, and the verdict.

    Those of an accuracy, if nothing else is said.
    """
    difference = Column("difference", "difference", points, scale, f"+{format}", estimate=True, interval=True)
    return [
        Column("n", "n"),
        Column.estimates("ours", name, unit, scale, format),
        Column("paper", "paper", unit, scale, format),
        difference,
        Column.text("verdict", "verdict"),
    ]


def comparison_cells(comparison: Comparison) -> list[Cell]:
    """The cells under `comparison_columns`."""
    paper = comparison.paper if comparison.fails_below is None else "failed to converge"
    return [comparison.seeds, comparison.ours, paper, comparison.difference, comparison.judgement]


@dataclass(frozen=True)
class Table:
    """Rows under columns, with a caption above and notes below."""

    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]
    caption: str
    notes: Sequence[str] = ()
    name: str = "table"  # of its files

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.columns):
                raise ValueError(f"a row of {len(row)} cells under {len(self.columns)} columns: {row}")

    def shown(self) -> list[list[str]]:
        """The rows as a reader sees them."""
        return [[column.show(cell) for column, cell in zip(self.columns, row, strict=True)] for row in self.rows]

    def to_markdown(self) -> str:
        def line(cells: Iterable[str]) -> str:
            return "| " + " | ".join(cells) + " |"

        lines = [
            f"**{self.caption}**",
            "",
            line(_markdown(column.title) for column in self.columns),
            line("---:" if column.align == "right" else ":---" for column in self.columns),
            *(line(map(_markdown, row)) for row in self.shown()),
        ]
        if self.notes:
            lines += ["", *(f"- {note}" for note in self.notes)]
        return "\n".join(lines) + "\n"

    def to_rich(self) -> rich.table.Table:
        # Text, not str: a label in square brackets is no markup.
        table = rich.table.Table(
            title=rich.text.Text(self.caption, "bold"),
            title_justify="left",
            caption=rich.text.Text("\n".join(f"• {note}" for note in self.notes)) if self.notes else None,
            caption_justify="left",
            caption_style="",
            box=rich.box.SIMPLE_HEAD,
            show_edge=False,
            padding=(0, 1, 0, 0),  # narrow, so that eight columns fit into a terminal of 80
        )
        for column in self.columns:
            table.add_column(rich.text.Text(column.title), justify=column.align, no_wrap=column.align == "left")
        for row in self.shown():
            table.add_row(*map(rich.text.Text, row))
        return table

    def classes(self) -> list[str]:
        """The CSS classes of each column: one of longer texts is wide, and may be broken into lines."""
        longest = [max(map(len, column), default=0) for column in zip(*self.shown(), strict=True)]
        return [
            "left wide" if column.align == "left" and length > _WIDE else column.align
            for column, length in zip(self.columns, longest or [0] * len(self.columns), strict=True)
        ]

    def to_csv(self) -> str:
        file = io.StringIO()
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(name for column in self.columns for name in column.csv_names())
        for row in self.rows:  # None is an empty cell
            cells = zip(self.columns, row, strict=True)
            writer.writerow(value for column, cell in cells for value in column.csv_cells(cell))
        return file.getvalue()

    def save(self, folder: Path) -> None:
        """Write `name.md`, `name.csv` and `name.tex` into `folder`."""
        for suffix, text in (("md", self.to_markdown()), ("csv", self.to_csv()), ("tex", self.to_latex())):
            write_text(folder / f"{self.name}.{suffix}", text, durable=False)

    def to_latex(self) -> str:
        """A `table` environment; needs the booktabs package."""

        def line(cells: Iterable[str]) -> str:
            return " & ".join(map(_latex, cells)) + r" \\"

        return "\n".join(
            [
                r"\begin{table}",
                rf"\caption{{{_latex(self.caption)}}}",
                rf"\begin{{tabular}}{{{''.join(column.align[0] for column in self.columns)}}}",
                r"\toprule",
                line(column.title for column in self.columns),
                r"\midrule",
                *map(line, self.shown()),
                r"\bottomrule",
                r"\end{tabular}",
                *(rf"\par\footnotesize {_latex(note)}" for note in self.notes),
                r"\end{table}",
                "",
            ]
        )


def _markdown(text: str) -> str:
    """Escape what would end a cell or start HTML on a page that renders Markdown."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace("|", "\\|")


_LATEX = str.maketrans(
    {character: "\\" + character for character in "&%$#_{}"}
    | {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
    | {">": "$>$", "<": "$<$", "≥": r"$\geq$", "≤": r"$\leq$", "–": "--", "×": r"$\times$", "±": r"$\pm$"}
)


def _latex(text: str) -> str:
    return text.translate(_LATEX)
