"""What disks, colleagues and slips of the hand do to files: every fault of a kind that fits the file's name."""

import json
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

Fault = Callable[[Path, random.Random], object]


def fault_names(path: Path) -> list[str]:
    """The faults that can be done to a file of this name."""
    names = list(_OF_BYTES)
    if path.suffix == ".csv":
        names += [*_OF_ROWS, *_OF_TEXT]
    if path.suffix == ".json":
        names += [*_OF_JSON, *_OF_TEXT]
    if path.suffix == ".yaml":
        names += _OF_TEXT
    if os.geteuid() != 0:  # root may read everything
        names.append("no permission")
    return names


def inflict(name: str, path: Path, chance: random.Random) -> None:
    """Does it. Whatever is drawn, the content is another one afterwards."""
    before = path.read_bytes()
    every = _OF_BYTES | _OF_ROWS | _OF_TEXT | _OF_JSON | {"no permission": lambda path, _: path.chmod(0)}
    for _ in range(20):
        every[name](path, chance)
        if not path.is_file() or not os.access(path, os.R_OK) or path.read_bytes() != before:
            return
    _append(path, chance)  # such as equal rows that were swapped


# Bytes.


def _block(path: Path, chance: random.Random, make: Callable[[int], bytes]) -> None:
    content = bytearray(path.read_bytes())
    size = chance.choice((16, 512, 4096))
    start = chance.randrange(max(1, len(content) - size))
    content[start : start + size] = make(len(content[start : start + size]))
    path.write_bytes(content)


def _flip(path: Path, chance: random.Random) -> None:
    content = bytearray(path.read_bytes())
    for _ in range(chance.choice((1, 1, 8))):
        content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    path.write_bytes(content)


def _cut_off(path: Path, chance: random.Random) -> None:
    os.truncate(path, chance.randrange(path.stat().st_size))


def _append(path: Path, chance: random.Random) -> None:
    with path.open("ab") as file:
        file.write(chance.choice((b"0", b"\0" * 512, chance.randbytes(64), b"\n1,2,3\n")))


def _folder(path: Path, chance: random.Random) -> None:
    path.unlink()
    path.mkdir()


_OF_BYTES: dict[str, Fault] = {
    "flipped bits": _flip,
    "zeroed block": lambda path, chance: _block(path, chance, bytes),
    "garbage block": lambda path, chance: _block(path, chance, chance.randbytes),
    "cut off": _cut_off,
    "appended": _append,
    "emptied": lambda path, _: path.write_bytes(b""),
    "replaced by a folder": _folder,
    "missing": lambda path, _: path.unlink(),
}


# Text.


def _rows(change: Callable[[list[str], random.Random], object]) -> Fault:
    def fault(path: Path, chance: random.Random) -> None:
        rows = path.read_text().splitlines(keepends=True)
        change(rows, chance)
        path.write_text("".join(rows))

    return fault


def _swap(rows: list[str], chance: random.Random) -> None:
    first, second = chance.sample(range(1, len(rows)), 2)
    rows[first], rows[second] = rows[second], rows[first]


def _digit(path: Path, chance: random.Random) -> None:
    text = path.read_text()
    place = chance.choice([place for place, letter in enumerate(text) if letter.isdigit()])
    path.write_text(text[:place] + chance.choice("0123456789") + text[place + 1 :])


_OF_ROWS: dict[str, Fault] = {
    "swapped rows": _rows(_swap),
    "deleted row": _rows(lambda rows, chance: rows.pop(chance.randrange(1, len(rows)))),
    "repeated row": _rows(lambda rows, chance: rows.insert(chance.randrange(1, len(rows)), rows[-1])),
}
_OF_TEXT: dict[str, Fault] = {"changed digit": _digit}


# JSON.


def _values(content: Any) -> list[tuple[Any, Any]]:
    """Every container and key in a JSON object, at every depth."""
    keys = list(content) if isinstance(content, dict) else range(len(content)) if isinstance(content, list) else []
    return [(content, key) for key in keys] + [pair for key in keys for pair in _values(content[key])]


def _in_json(change: Callable[[Any, Any, random.Random], object]) -> Fault:
    def fault(path: Path, chance: random.Random) -> None:
        content = json.loads(path.read_bytes())
        container, key = chance.choice(_values(content))
        change(container, key, chance)
        path.write_text(json.dumps(content, indent=2) + "\n")

    return fault


def _other_type(container: Any, key: Any, chance: random.Random) -> None:
    container[key] = chance.choice(([], {}, "text", None, True, -1, 1e308, [[1]]))


_OF_JSON: dict[str, Fault] = {
    "wrong type": _in_json(_other_type),
    "missing key": _in_json(lambda container, key, _: container.pop(key)),
}

HOSTILE = "class of another kind"
CANARY = "canary"


def make_hostile(path: Path, chance: random.Random) -> None:
    """Has a record name a function where a class belongs, as who knows how its digest is made would."""
    from rethink.files import DIGEST, content_digest

    content = json.loads(path.read_bytes())
    part = chance.choice(("model", "data", "randomization"))
    spec = content["config"]["model" if part == "model" else "data"]
    call = {"class_path": "subprocess.call", "init_args": {"args": ["touch", CANARY]}}
    if part == "randomization":
        spec["init_args"]["randomization"] = call
    else:
        spec.clear()
        spec.update(call)
    if content.pop(DIGEST, None) is not None:
        content[DIGEST] = content_digest(content)
    path.write_text(json.dumps(content, indent=2) + "\n")


def copy_tree(source: Path, target: Path) -> None:
    """A folder with its links."""
    shutil.copytree(source, target, symlinks=True, dirs_exist_ok=True)
