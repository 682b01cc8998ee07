"""The site of `make docs`: the Markdown of the repository as it lies, and the reference from the docstrings.

The source folder is the whole repository, so that a relative link is right on the site and wherever the file is read.
"""

import re
from textwrap import indent
from typing import Any

from sphinx.application import Sphinx

from rethink import __version__

project = "rethink"
copyright = "the rethink authors"
release = __version__
root_doc = "docs/index"
include_patterns = ["*.md", "docs/**", "experiments/*.md", "experiments/*/*.md", "experiments/*/results/*.md"]
exclude_patterns = ["docs/_*", "docs/api/modules.rst"]

extensions = ["myst_parser", "sphinx.ext.apidoc", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode"]
myst_heading_anchors = 3
html_theme = "furo"
html_title = f"rethink {release}"
html_show_copyright = False
html_extra_path = ["_root"]
suppress_warnings = [
    "ref.python",  # the type `n` in one class may be a field of another
    "toc.not_included",  # results are reached by links; tests/test_docs.py sees that a page of docs/ is in the index
]

apidoc_modules = [
    {
        "path": "../rethink",
        "destination": "docs/api",
        "exclude_patterns": ["../rethink/__main__.py"],
        "automodule_options": {"members", "show-inheritance"},
        "module_first": True,
    }
]
napoleon_use_ivar = True  # a field is described once, where autodoc has it
autodoc_default_options = {"ignore-module-all": True}
autodoc_inherit_docstrings = False  # what Lightning says of its own methods stands in its own reference
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True


def plain(text: str) -> str:
    """A docstring of plain text with `code` as reStructuredText, to which an asterisk or a bar would be markup."""
    parts = re.split(r"(`+[^`]+`+)", text)
    for number, part in enumerate(parts):
        if number % 2:  # code; reStructuredText wants no letter beside it, and no space at its ends
            before, after = parts[number - 1][-1:], parts[number + 1][:1]
            code = f"``{part.strip('`').strip()}``"
            parts[number] = ("\\ " if before.isalnum() else "") + code + ("\\ " if after.isalnum() else "")
        else:
            parts[number] = re.sub(r"([*|\\]|_(?=\W|$))", r"\\\1", part)
    return "".join(parts)


def verbatim(paragraph: str) -> bool:
    """Whether a paragraph of a module's docstring is laid out in columns, such as the keys of a file."""
    return "\n " in paragraph and not re.match(r"[-*] |\d+\. ", paragraph)


def escape(app: Sphinx, what: str, name: str, subject: Any, options: Any, lines: list[str]) -> None:
    """Hands autodoc's lines on as reStructuredText."""
    paragraphs = "\n".join(lines).split("\n\n")
    lines[:] = "\n\n".join(
        "::\n\n" + indent(text, "    ") if what == "module" and verbatim(text) else plain(text) for text in paragraphs
    ).split("\n")


def setup(app: Sphinx) -> None:
    """Docstrings are escaped before napoleon, of priority 500, reads their sections."""
    app.connect("autodoc-process-docstring", escape, priority=400)
