"""One self-contained HTML page: for each artefact the paper's claim, what the runs show, figures and tables.

Nothing is fetched: styles, script, figures and their values are in the file. What the page is given is text,
never markup, and is escaped.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from rethink.files import write_text
from rethink.report.figures import Chart
from rethink.report.tables import Table
from rethink.report.verdicts import Verdict


@dataclass(frozen=True)
class Artefact:
    """A figure or table of the paper: what the paper claims, what these runs show, and the showing of it."""

    name: str  # anchor on the page and name on the command line: "fig1a"
    title: str
    claim: str  # empty: the page has the finding only
    finding: str
    charts: Sequence[Chart] = ()
    tables: Sequence[Table] = ()
    verdicts: Sequence[Verdict] = ()
    notes: Sequence[str] = ()  # what a reader must know first: the command that makes what is missing
    missing: Sequence[str] = ()  # the settings without a run, with their seeds
    folded: bool = False  # shown when its title is opened


@dataclass(frozen=True)
class Page:
    """`lead` opens the page; `notes` are what a reader must know first, such as what is missing."""

    title: str
    lead: str
    artefacts: Sequence[Artefact]
    notes: Sequence[str] = ()
    provenance: Sequence[tuple[str, str]] = ()
    first: Artefact | None = None
    """What the page's first screen shows: its figures, its finding, and its notes as what to do next."""

    def render(self) -> str:
        return _template().render(page=self)

    def save(self, path: Path) -> None:
        write_text(path, self.render(), durable=False)


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=_unbroken,
    )
    environment.filters["inline_svg"] = lambda drawing: Markup(drawing.svg)  # matplotlib escapes the text in it
    return environment.get_template("page.html")


def _unbroken(value: Any) -> Any:
    """Text in which no line ends between a number and its unit or within `p = 1`."""
    if not isinstance(value, str) or isinstance(value, Markup):
        return value
    return re.sub(r"(?<=\d) (?=(%|points?|epochs?|images|steps)\b|%)|(?<=\bp) (?=[=<>] )|(?<=\bp =) ", "\u00a0", value)
