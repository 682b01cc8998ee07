"""Records that came with the repository: what a report reads of a run or an analysis, without its weights.

Beside them lies `SHA256SUMS`, as `sha256sum --check` reads it.
"""

import hashlib
from collections.abc import Iterator
from pathlib import Path

from rethink.errors import UserError
from rethink.files import Damaged, is_there, read_bytes, read_text, verify_files, write_bytes, write_text
from rethink.runs.analysis import ARRAYS, FinishedAnalysis
from rethink.runs.reading import with_remedy
from rethink.runs.run import Run

SUMS = "SHA256SUMS"
_RECORD = "record.json"
_FILES = ("config.yaml", "history.csv", ARRAYS, _RECORD)  # the record last: with it, a run is done


def copy_record(source: Path, target: Path) -> Path:
    """Copies what a report reads from the folder of a run or an analysis to another; returns that."""
    for name in _FILES:
        try:
            content = read_bytes(source / name)
        except FileNotFoundError:  # a run has no arrays, an analysis neither configuration nor history
            continue
        write_bytes(target / name, content, durable=False)
    return target


def find_records(root: Path) -> Iterator[Path]:
    """The folder of every finished run and analysis under `root`, relative to it."""
    for pattern in ("*", "analyses/*"):
        yield from sorted(path.relative_to(root) for path in root.glob(pattern) if is_there(path / _RECORD))


def write_sums(root: Path) -> None:
    """Notes the digest of every file of the records under `root`."""
    files = [root / record / name for record in find_records(root) for name in _FILES if is_there(root / record / name)]
    lines = [f"{hashlib.sha256(read_bytes(file)).hexdigest()}  {file.relative_to(root).as_posix()}" for file in files]
    write_text(root / SUMS, "\n".join(sorted(lines, key=lambda line: line[66:])) + "\n")


def verify_record(root: Path, record: Path) -> None:
    """That a published record is what was published.

    Raises:
        Damaged: It is not, or nothing says what it was.
    """
    remedy = "Take it from the repository again: git checkout -- " + str(root)
    try:
        lines = read_text(root / SUMS).splitlines()
        sums = {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
    except (OSError, UserError) as error:
        raise Damaged(f"{root / SUMS}: cannot be read ({error}). {remedy}") from error
    prefix = f"{record.as_posix()}/"
    digests = {name.removeprefix(prefix): digest for name, digest in sums.items() if name.startswith(prefix)}
    if _RECORD not in digests:
        raise Damaged(f"{root / record}: {root / SUMS} says nothing of it. {remedy}")
    with with_remedy(remedy):
        verify_files(root / record, digests)
        (FinishedAnalysis if record.parts[0] == "analyses" else Run).open(root / record)
