"""What disks, colleagues and slips of the hand do to files: each fault makes another content out of a content."""

import json
import os
import random
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

Chance = random.Random
CANARY = "canary"
"""A file that is there when a command was executed that `hostile` put in the place of a class."""


def fault_names(path: Path) -> list[str]:
    """The faults that can be done to a file of this name."""
    of_kind: dict[str, dict[str, Any]] = {".csv": _ROWS | _TEXT, ".json": _VALUES | _TEXT, ".yaml": _TEXT}
    names = [*_BYTES, *_PLACE, *of_kind.get(path.suffix, {})]
    return names if os.geteuid() else [name for name in names if name != "no permission"]  # root may read everything


def inflict(name: str, path: Path, chance: Chance) -> None:
    """Does it: the content is another one afterwards, or cannot be read."""
    if name in _PLACE:
        _PLACE[name](path)
        return
    before = path.read_bytes()
    for fault in [name] * 20 + ["appended"]:  # two equal rows may have been swapped
        path.write_bytes((_BYTES | _ROWS | _TEXT | _VALUES)[fault](before, chance))
        if path.read_bytes() != before:
            return


def hostile(path: Path, chance: Chance) -> None:
    """Has a record name a function where a class belongs, with a right digest, as whoever means harm would."""
    from rethink.files import DIGEST, content_digest

    content = json.loads(path.read_bytes())
    parts = content["config"]["model"], content["config"]["data"], content["config"]["data"]["init_args"]
    call = {"class_path": "subprocess.call", "init_args": {"args": ["touch", CANARY]}}
    part = chance.choice(parts)
    part.update(call if part is not parts[2] else {"randomization": call})
    if content.pop(DIGEST, None) is not None:
        content[DIGEST] = content_digest(content)
    path.write_text(json.dumps(content, indent=2) + "\n")


def _flip(content: bytes, chance: Chance) -> bytes:
    flipped = bytearray(content)
    for _ in range(chance.choice((1, 1, 8))):
        flipped[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    return flipped


def _block(make: Callable[[Chance, int], bytes]) -> Callable[[bytes, Chance], bytes]:
    def fault(content: bytes, chance: Chance) -> bytes:
        size = min(chance.choice((16, 512, 4096)), len(content))
        start = chance.randrange(len(content) - size + 1)
        return content[:start] + make(chance, size) + content[start + size :]

    return fault


def _rows(change: Callable[[list[bytes], int, int], object]) -> Callable[[bytes, Chance], bytes]:
    def fault(content: bytes, chance: Chance) -> bytes:
        header, *rows = content.splitlines(keepends=True)
        change(rows, *(chance.sample(range(len(rows)), 2) if len(rows) > 1 else (0, 0)))
        return b"".join([header, *rows])

    return fault


def _swap(rows: list[bytes], first: int, second: int) -> None:
    rows[first], rows[second] = rows[second], rows[first]


def _digit(content: bytes, chance: Chance) -> bytes:
    place = chance.choice([place for place, letter in enumerate(content) if letter in b"0123456789"])
    return content[:place] + chance.choice("0123456789").encode() + content[place + 1 :]


def _values(change: Callable[[Any, Any, Chance], object]) -> Callable[[bytes, Chance], bytes]:
    def places(value: Any) -> list[tuple[Any, Any]]:
        keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else []
        return [(value, key) for key in keys] + [place for key in keys for place in places(value[key])]

    def fault(content: bytes, chance: Chance) -> bytes:
        loaded = json.loads(content)
        change(*chance.choice(places(loaded)), chance)
        return json.dumps(loaded, indent=2).encode() + b"\n"

    return fault


def _other_type(container: Any, key: Any, chance: Chance) -> None:
    container[key] = chance.choice(([], {}, "text", None, True, -1, 1e308, [[1]]))


_BYTES: dict[str, Callable[[bytes, Chance], bytes]] = {
    "flipped bits": _flip,
    "zeroed block": _block(lambda _, size: bytes(size)),
    "garbage block": _block(Chance.randbytes),
    "cut off": lambda content, chance: content[: chance.randrange(len(content))],
    "appended": lambda content, chance: content + chance.choice((b"0", bytes(512), chance.randbytes(64), b"\n1,2,3\n")),
    "emptied": lambda content, _: b"",
}
_ROWS = {
    "swapped rows": _rows(_swap),
    "deleted row": _rows(lambda rows, first, _: rows.pop(first)),
    "repeated row": _rows(lambda rows, first, second: rows.insert(first, rows[second])),
}
_TEXT = {"changed digit": _digit}
_VALUES = {
    "wrong type": _values(_other_type),
    "missing key": _values(lambda container, key, _: container.pop(key)),
}
_PLACE: dict[str, Callable[[Path], object]] = {
    "replaced by a folder": lambda path: (path.unlink(), path.mkdir()),
    "replaced by a pipe": lambda path: (path.unlink(), os.mkfifo(path)),
    "replaced by a socket": lambda path: (path.unlink(), os.mknod(path, 0o666 | stat.S_IFSOCK)),
    "replaced by a link to nothing": lambda path: (path.unlink(), path.symlink_to("nothing")),
    "replaced by links in a circle": lambda path: (path.unlink(), path.symlink_to(path.name)),
    "missing": Path.unlink,
    "no permission": lambda path: path.chmod(0),
}
