"""One table, five renderings: Markdown, terminal (rich), HTML, CSV and LaTeX.

Markdown, HTML, LaTeX and the terminal show rounded values in the column's unit. CSV keeps the values as they
are (accuracies as fractions) under the names that history.csv uses.
"""

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import rich.box
import rich.table
import rich.text
from markupsafe import Markup

from rethink.records.run import Crossing

Cell = str | int | float | Crossing | None

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

    @classmethod
    def text(cls, header: str, name: str) -> "Column":
        return cls(header, name, align="left")

    @classmethod
    def percent(cls, header: str, name: str) -> "Column":
        """A fraction shown in per cent with one decimal: 0.7607 as 76.1."""
        return cls(header, name, unit="%", scale=100, format=".1f")

    @property
    def title(self) -> str:
        return f"{self.header} ({self.unit})" if self.unit else self.header

    def show(self, cell: Cell) -> str:
        if cell is None:
            return ABSENT
        if isinstance(cell, int | float):
            return format(cell * self.scale, self.format)
        return str(cell)


@dataclass(frozen=True)
class Table:
    """Rows under columns, with a caption above and notes below."""

    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]
    caption: str
    notes: Sequence[str] = ()

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

    def to_html(self) -> Markup:
        def cells(tag: str, texts: Iterable[str]) -> Markup:
            return Markup("").join(
                Markup("<{0} class={1}>{2}</{0}>").format(Markup(tag), column.align, text)
                for column, text in zip(self.columns, texts, strict=True)
            )

        head = Markup("<thead><tr>{}</tr></thead>").format(cells("th", (c.title for c in self.columns)))
        body = Markup("\n").join(Markup("<tr>{}</tr>").format(cells("td", row)) for row in self.shown())
        notes = Markup("").join(Markup("<li>{}</li>").format(note) for note in self.notes)
        return Markup("<div class=table><table><caption>{}</caption>\n{}\n<tbody>{}</tbody></table></div>{}").format(
            self.caption, head, body, Markup("<ul class=notes>{}</ul>").format(notes) if notes else ""
        )

    def to_csv(self) -> str:
        file = io.StringIO()
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(column.name for column in self.columns)
        writer.writerows(self.rows)  # None is an empty cell
        return file.getvalue()

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
    | {">": "$>$", "<": "$<$", "–": "--", "×": r"$\times$", "±": r"$\pm$"}
)


def _latex(text: str) -> str:
    return text.translate(_LATEX)
