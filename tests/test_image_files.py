"""Trouble in folders of images: each kind is handled, or named with its path."""

import io
import itertools
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from image_trees import write_tree
from PIL import Image, ImageOps

from rethink.data import ImageFolder, image_list
from rethink.data.image_files import ORIENTATION, DamagedImage, read_image
from rethink.data.image_list import kept_list, scan
from rethink.errors import UserError
from rethink.randomization import RandomLabels


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return write_tree(tmp_path / "images")


def folder(tree: Path, **options: Any) -> ImageFolder:
    return ImageFolder(**{"folder": str(tree), "size": 16, "root": tree.parent} | options)


def picture(mode: str = "RGB") -> Image.Image:
    """Red on the left and blue on the right, dark at the bottom; 48 x 32."""
    values = np.zeros((32, 48, 3), np.uint8)
    values[:, :24, 0], values[:, 24:, 2] = 250, 250
    values[24:] //= 4
    return Image.fromarray(values).convert(mode)


def encoded(image: Image.Image, kind: str = "JPEG", **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def rotated() -> bytes:
    """As a camera writes it that was held on its side: the pixels lie, the tag says how to turn them."""
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    return encoded(picture().transpose(Image.Transpose.ROTATE_90), exif=exif)


def sixteen_bits() -> bytes:
    grey = np.asarray(picture("L")).astype(np.uint16) * 257
    return encoded(Image.fromarray(grey), "PNG")


READABLE = {
    "CMYK": encoded(picture("CMYK")),
    "grey": encoded(picture("L")),
    "palette": encoded(picture("P"), "GIF"),
    "transparent": encoded(picture("RGBA"), "PNG"),
    "black and white": encoded(picture("1"), "PNG"),
    "16 bits": sixteen_bits(),
    "EXIF rotation": rotated(),
    "progressive": encoded(picture(), progressive=True),
    "PNG named JPEG": encoded(picture(), "PNG"),
}
DAMAGED = {
    "truncated": encoded(picture())[:-200],
    "no bytes": b"",
    "zero bytes": bytes(5000),
    "no image": b"<html>404</html>",
    "header only": encoded(picture())[:30],
    "truncated PNG": encoded(picture(), "PNG")[:60],
}


@pytest.mark.parametrize("kind", READABLE)
def test_images_of_every_kind_are_read(tmp_path, kind):
    path = tmp_path / "image.jpg"
    path.write_bytes(READABLE[kind])
    square, aspect = read_image(path, 16)
    path.write_bytes(encoded(picture(), "PNG"))
    expected, _ = read_image(path, 16)
    if kind in ("grey", "16 bits", "black and white"):
        expected = np.asarray(Image.fromarray(expected).convert("L"))[..., None].repeat(3, 2)
    assert square.shape == (16, 16, 3)
    assert aspect == 48 / 32
    tolerance = 70 if kind == "black and white" else 12
    assert np.abs(square.astype(int) - expected).mean() < tolerance


@pytest.mark.parametrize("kind", DAMAGED)
def test_damaged_files_are_named(tmp_path, kind):
    path = tmp_path / "image.jpg"
    path.write_bytes(DAMAGED[kind])
    with pytest.raises(DamagedImage, match=r"image\.jpg cannot be read as an image: .*skip_damaged"):
        read_image(path, 16)
    with pytest.raises(DamagedImage, match="No such file"):
        read_image(tmp_path / "gone.jpg", 16)


@pytest.mark.parametrize("resident", [True, False])
def test_a_damaged_file_ends_the_run_or_is_left_out_counted_and_recorded(tree, resident, capsys):
    (tree / "train" / "class1" / "broken.jpg").write_bytes(DAMAGED["truncated"])
    with pytest.raises(UserError, match=r"class1/broken\.jpg cannot be read"):
        read_all(folder(tree, resident=resident, workers=1))
    data = folder(tree, resident=resident, skip_damaged=True)
    read_all(data)
    assert len(data.splits["train"]) == 24
    assert data.noted["damaged"] == ["train/class1/broken.jpg"]
    assert "passed over" in capsys.readouterr().err
    read_all(again := folder(tree, resident=resident, skip_damaged=True))
    assert "decoding" not in capsys.readouterr().err  # what is damaged is kept
    assert again.digests == data.digests


def read_all(data: ImageFolder) -> None:
    data.setup()
    batches = torch.arange(len(data.splits["train"])).split(8)
    for positions, stored in zip(batches, data.splits["train"].ahead(batches), strict=True):
        assert len((stored or data.splits["train"].stored(positions)).images) == len(positions)


def test_a_link_to_nowhere_is_a_damaged_file_and_one_to_a_folder_is_a_class(tree, tmp_path):
    (tree / "train" / "class1").rename(tmp_path / "elsewhere")
    (tree / "train" / "class1").symlink_to(tmp_path / "elsewhere")
    (tree / "train" / "class0" / "dead.jpg").symlink_to(tmp_path / "nowhere.jpg")
    with pytest.raises(UserError, match=r"class0/dead\.jpg cannot be read as an image: No such file.*skip_damaged"):
        read_all(folder(tree))
    data = folder(tree, skip_damaged=True)
    read_all(data)
    assert len(data.splits["train"]) == 24
    assert data.noted["damaged"] == ["train/class0/dead.jpg"]


def test_names_may_have_spaces_and_any_letters(tree):
    for part in ("train", "val"):
        (tree / part / "class0").rename(tree / part / "naïve café 日本")
    place = tree.rename(tree.parent / "Köpfe und Füße")
    data = folder(place)
    read_all(data)
    assert "naïve café 日本" in data.noted["classes"]


def test_other_files_and_hidden_ones_are_passed_over(tree, tmp_path, capsys):
    before = scan(tree / "train")[0].fingerprint()
    for name in ("Thumbs.db", "class1/readme.txt", "class1/._000.jpg", ".cache/000.jpg"):
        (tree / "train" / name).parent.mkdir(exist_ok=True)
        (tree / "train" / name).write_bytes(b"something")
    files = scan(tree / "train")[0]
    assert files.fingerprint() == before
    assert files.others == 1
    kept_list(tree / "train", tmp_path / "lists")
    assert "passed over 1 files in" in capsys.readouterr().err


def empty_class(tree: Path) -> str:
    (tree / "train" / "empty").mkdir()
    return "train/empty has no images"


def no_test_set(tree: Path) -> str:
    shutil.rmtree(tree / "val")
    return r"images has no test set. Expected .*images/test or .*images/val"


def no_training_set(tree: Path) -> str:
    shutil.rmtree(tree / "train")
    return "images has no folder train"


def no_classes(tree: Path) -> str:
    shutil.rmtree(tree / "train")
    (tree / "train").mkdir()
    (tree / "train" / "000.jpg").write_bytes(READABLE["grey"])
    return r"train has no class folders. Expected .*train/CLASS/IMAGE\.jpg"


def other_classes(tree: Path) -> str:
    (tree / "val" / "class1").rename(tree / "val" / "class9")
    return r"The classes differ: only .*train has class1; only .*val has class9"


def one_class(tree: Path) -> str:
    for part, number in itertools.product(("train", "val"), (1, 2)):
        shutil.rmtree(tree / part / f"class{number}")
    return "train has a single class folder, class0"


def no_folder(tree: Path) -> str:
    shutil.rmtree(tree)
    return "There is no folder .*images.*RETHINK_DATA"


TROUBLES = [empty_class, no_test_set, no_training_set, no_classes, other_classes, one_class, no_folder]


@pytest.mark.parametrize("trouble", TROUBLES)
def test_what_is_wrong_with_a_folder_is_named_with_its_path(tree, trouble):
    expected = trouble(tree)
    with pytest.raises(UserError, match=expected):
        folder(tree).setup()


def test_an_unlabelled_test_folder_is_none(tree):
    (tree / "test").mkdir()
    (tree / "test" / "000.jpg").write_bytes(READABLE["grey"])
    folder(tree).setup()


def test_files_and_labels_are_torchvisions(tree):
    from torchvision import datasets

    (tree / "train" / "class0" / "more").mkdir()
    shutil.copy(tree / "train" / "class0" / "000.jpg", tree / "train" / "class0" / "more" / "a.jpg")
    (tree / "train" / "class2" / "upper.JPEG").write_bytes(READABLE["grey"])
    theirs, ours = datasets.ImageFolder(tree / "train"), scan(tree / "train")[0]
    assert list(ours.classes) == theirs.classes
    assert sorted(zip(map(str, map(ours.path, range(len(ours)))), ours.labels.tolist(), strict=True)) == sorted(
        theirs.samples
    )


def test_the_list_is_kept_until_a_folder_changes(tree, tmp_path, monkeypatch):
    first = kept_list(tree / "train", tmp_path / "lists")
    with monkeypatch.context() as patched:
        patched.setattr(image_list, "scan", lambda folder: pytest.fail("scanned again"))
        again = kept_list(tree / "train", tmp_path / "lists")
    assert again.fingerprint() == first.fingerprint()
    assert again.path(5) == first.path(5)
    shutil.copy(tree / "train" / "class0" / "000.jpg", tree / "train" / "class0" / "new.jpg")
    assert len(kept_list(tree / "train", tmp_path / "lists")) == len(first) + 1
    for kept in (tmp_path / "lists").iterdir():
        kept.write_bytes(kept.read_bytes()[:100])
    assert len(kept_list(tree / "train", tmp_path / "lists")) == len(first) + 1


def test_classes_and_fractions_are_nested(tmp_path):
    tree = write_tree(tmp_path / "images", train=60, test=24, classes=6)
    data = {k: folder(tree, classes=k) for k in (2, 4, 6)}
    names = {k: set(d.lists[0].classes) for k, d in data.items()}
    assert names[2] < names[4] < names[6]
    assert [data[k].num_classes for k in data] == [2, 4, 6]
    few = data[2].lists[0]
    assert all(few.name(i).startswith(few.classes[few.labels[i]]) for i in range(len(few)))
    parts = {f: folder(tree, fraction=f, randomization=RandomLabels(1)) for f in (0.25, 0.5)}
    for part in parts.values():
        part.setup()
    small, large = (part.splits["train"] for part in parts.values())
    assert (len(small), len(large)) == (15, 30)
    where = torch.searchsorted(large.index, small.index)
    assert torch.equal(large.index[where], small.index)
    assert torch.equal(large.labels[where], small.labels)
    with pytest.raises(UserError, match="more than the 6"):
        folder(tree, classes=7).setup()
    with pytest.raises(UserError, match="nothing to tell apart"):
        folder(tree, classes=1).setup()
    with pytest.raises(UserError, match="leaves no image"):
        folder(tree, fraction=0.0)
    with pytest.raises(UserError, match="Give one"):
        folder(tree, fraction=0.5, train_size=3)


def test_content_counts_where_checksums_are_asked_for(tree):
    def digests() -> list[str]:
        every = [folder(tree, train_size=3, resident=False, checksums=c) for c in (False, True)]
        for data in every:
            data.setup()
        return [data.digests["train"] for data in every]

    plain, summed = digests()
    kept = folder(tree, train_size=3)
    kept.setup()
    other = next(i for i in range(24) if i not in kept.splits["train"].index)
    path = kept.lists[0].path(other)
    path.write_bytes(path.read_bytes()[:-1] + b"x")  # of the same size, and not among those that are read
    assert digests()[0] == plain
    assert digests()[1] != summed
    assert plain != summed


@pytest.mark.parametrize("orientation", range(10))
def test_every_orientation_is_read_upright_as_pillow_does(tmp_path, orientation):
    """9 and 0 are no orientations."""
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    path = tmp_path / "turned.png"
    path.write_bytes(encoded(picture(), "PNG", exif=exif))
    with Image.open(path) as image:
        upright = ImageOps.exif_transpose(image)
        expected = np.asarray(upright.resize((20, 20), Image.Resampling.BILINEAR)).astype(int)
    square, aspect = read_image(path, 20)
    assert np.abs(square - expected).max() <= 1
    assert aspect == upright.width / upright.height
