"""The packed copy of a folder of images: the same numbers, made in pieces, verified, and read without the originals."""

import hashlib
import json
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest
import torch
from image_trees import write_tree
from processes import fork

import rethink.data.packed as packed_copies
from rethink.cli import main
from rethink.data import ImageFolder
from rethink.data.image_files import DECODER
from rethink.data.image_list import list_folder
from rethink.errors import UserError


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packed_copies, "CHUNK", 5)


@pytest.fixture
def sets(tmp_path: Path) -> Path:
    write_tree(tmp_path / "images")
    return tmp_path


def data(sets: Path, **options: object) -> ImageFolder:
    module = ImageFolder(**{"folder": "images", "size": 14, "root": sets} | options)
    module.setup()
    return module


def cache(sets: Path) -> None:
    main(["data", "cache", "images", "--size", "16", "--workers", "1", "--root", str(sets)])


def squares(module: ImageFolder) -> list[torch.Tensor]:
    return [tensor for split in module.splits.values() for tensor in split.stored(torch.arange(len(split)))]


def assert_same(one: ImageFolder, other: ImageFolder) -> None:
    assert one.digests == other.digests
    assert all(torch.equal(a, b) for a, b in zip(squares(one), squares(other), strict=True))


@pytest.mark.parametrize("options", [{}, {"classes": 2}, {"fraction": 0.5}], ids=str)
def test_the_copy_gives_the_same_squares(sets, options, capsys):
    files = data(sets, **options)
    cache(sets)
    assert "24 images" in capsys.readouterr().out
    for resident in (True, False):
        assert_same(data(sets, resident=resident, **options), files)
    shutil.rmtree(sets / "images")
    assert_same(data(sets, **options), files)
    with pytest.raises(UserError, match="There is no folder"):
        data(sets, size=28)  # of another size there is none


def test_a_killed_copy_goes_on_where_it_was(sets, monkeypatch):
    files, seen = data(sets), []
    read = packed_copies.read_image

    def killing() -> None:
        count = iter(range(100))
        monkeypatch.setattr(
            packed_copies,
            "read_image",
            lambda *words: signal.raise_signal(signal.SIGKILL) if next(count) == 17 else read(*words),
        )
        main(["data", "cache", "images", "--size", "16", "--workers", "0", "--root", str(sets)])

    assert fork(killing) == -signal.SIGKILL
    copy = sets / "images-16"
    with (copy / "train.squares").open("ab") as file:  # a chunk that no line of the journal is of
        file.write(b"half a chunk")
    with (copy / "train.journal").open("ab") as file:
        file.write(b'{"sum": "12')
    monkeypatch.setattr(packed_copies, "read_image", lambda path, side: seen.append(path.name) or read(path, side))
    main(["data", "cache", "images", "--size", "16", "--workers", "0", "--root", str(sets)])
    assert len(seen) == 24 - 15 + 12  # three chunks of five were there
    assert not list(copy.glob("*.journal"))
    assert_same(data(sets), files)


def test_a_changed_copy_is_refused(sets):
    cache(sets)
    path = sets / "images-16" / "train.squares"
    content = np.fromfile(path, np.uint8)
    content[16 * 16 * 3 * 7] ^= 1
    content.tofile(path)
    with pytest.raises(SystemExit):
        cache(sets)
    content[:-1].tofile(path)
    with pytest.raises(UserError, match="has not the size"):
        data(sets)


def test_a_copy_of_another_decoder_is_refused(sets):
    cache(sets)
    path = sets / "images-16" / "train.npz"
    with np.load(path) as arrays:
        kept = dict(arrays)
    for other in ({"decoder": kept["decoder"] + 1}, {}):  # of a newer rethink, and of one that wrote none
        np.savez(path, **{name: value for name, value in kept.items() if name != "decoder"} | other)
        with pytest.raises(UserError, match="was made by another rethink"):
            data(sets)
        with pytest.raises(SystemExit):
            cache(sets)


@pytest.mark.parametrize("decoder", [DECODER, DECODER - 1])
def test_a_copy_that_another_decoder_began_is_begun_anew(decoder, sets):
    files, (train, _) = data(sets), list_folder(sets / "images", sets / ".lists")
    head = {"files": train.fingerprint(), "decoder": decoder}
    black = {"sum": hashlib.sha256(bytes(5 * 16 * 16 * 3)).hexdigest(), "aspects": [1.0] * 5, "damaged": {}}
    copy = sets / "images-16"
    copy.mkdir()
    (copy / "train.journal").write_text("".join(json.dumps(line) + "\n" for line in (head, black)))
    (copy / "train.squares").write_bytes(bytes(5 * 16 * 16 * 3))
    cache(sets)
    if decoder == DECODER:  # believed, as what a killed process has left
        assert not squares(data(sets))[0][:5].any()
    else:
        assert_same(data(sets), files)


def test_a_copy_of_other_files_is_refused(sets):
    cache(sets)
    shutil.copy(sets / "images" / "train" / "class0" / "000.jpg", sets / "images" / "train" / "class0" / "new.jpg")
    with pytest.raises(UserError, match=r"is a copy of other files than .* has now"):
        data(sets)


def test_damaged_files_are_known_to_the_copy(sets, capsys):
    (sets / "images" / "train" / "class1" / "broken.jpg").write_bytes(b"no image")
    cache(sets)
    assert "1 damaged files\n" in (said := capsys.readouterr().out)
    assert "broken.jpg" in said
    with pytest.raises(UserError, match=r"train/class1/broken\.jpg cannot be read"):
        data(sets)
    module = data(sets, skip_damaged=True)
    assert "decoding" not in capsys.readouterr().err
    assert module.noted["damaged"] == ["train/class1/broken.jpg"]
    shutil.rmtree(sets / "images-16")
    assert_same(data(sets, skip_damaged=True), module)
