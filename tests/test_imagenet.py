"""ImageNet from class folders, and from archives as they are published, made here of a few generated images."""

import hashlib
import io
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch
from image_trees import write_tree

from rethink.data import ImageFolder, ImageNet
from rethink.data.imagenet import ARCHIVES
from rethink.errors import UserError
from rethink.runs.identity import identity


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return write_tree(tmp_path / "imagenet")


def test_class_folders_are_looked_for_in_the_folder_of_the_data_sets(tree, tmp_path):
    for root in (tree, tmp_path):
        data = ImageNet(root=root, size=16, workers=0)
        data.setup()
        assert data.num_classes == 3
        assert data.image_shape == (3, 16, 16)
    with pytest.raises(UserError, match=r"neither .*ILSVRC2012_img_train\.tar"):
        ImageNet(root=tree / "train").setup()


def test_archives_are_unpacked_once(tree, tmp_path, monkeypatch, capsys):
    scipy_io = pytest.importorskip("scipy.io", reason="torchvision reads the archives' list of classes with SciPy")
    from torchvision.datasets import imagenet

    place = tmp_path / "archives"
    place.mkdir()
    _pack(tree, place, scipy_io)
    sums = {part: (name, hashlib.md5((place / name).read_bytes()).hexdigest()) for part, name in _NAMES.items()}
    monkeypatch.setattr(imagenet, "ARCHIVE_META", sums)
    (place / ".train.partial" / "class0").mkdir(parents=True)  # of a killed one
    data = ImageNet(root=place, size=16, workers=0)
    data.setup()
    expected = ImageFolder(str(tree), size=16)
    expected.setup()
    assert "unpacking train" in capsys.readouterr().err
    for name in ("train", "test_randomized"):
        assert torch.equal(data.splits[name].labels, expected.splits[name].labels)
        assert torch.equal(data.splits[name].images, expected.splits[name].images)
    ImageNet(root=place, size=16, workers=0).setup()
    assert "unpacking" not in capsys.readouterr().err
    assert not list(place.glob(".*partial"))


def test_a_damaged_archive_is_named(tmp_path):
    for name in ARCHIVES:
        (tmp_path / name).write_bytes(b"no archive")
    with pytest.raises(UserError, match=r"cannot be unpacked: The archive ILSVRC2012_devkit_t12\.tar\.gz"):
        ImageNet(root=tmp_path).setup()


def test_where_and_how_images_are_read_makes_no_other_run():
    def run(kind: str, **options: object) -> object:
        data = {"class_path": f"rethink.data.{kind}", "init_args": options}
        return identity({"model": {"class_path": "rethink.models.MLP", "init_args": {}}, "data": data})

    inert = {"root": "elsewhere", "resident": True, "workers": 3, "checksums": True}
    assert run("ImageNet", **inert) == run("ImageNet", size=299)
    assert run("ImageNet", size=96) != run("ImageNet", classes=10) != run("ImageNet", fraction=0.1)
    assert run("ImageFolder", folder="flowers") != run("ImageFolder", folder="birds")


_NAMES = dict(zip(("devkit", "train", "val"), ARCHIVES, strict=True))


def _pack(tree: Path, place: Path, scipy_io: object) -> None:
    """The layout of the three archives: tars of classes in a tar, images without folders, and a list of classes."""
    classes = sorted(path.name for path in (tree / "train").iterdir())
    with tarfile.open(place / _NAMES["train"], "w") as archive:
        for name in classes:
            inner = io.BytesIO()
            with tarfile.open(fileobj=inner, mode="w") as tar:
                for image in sorted((tree / "train" / name).iterdir()):
                    tar.add(image, image.name)
            _add(archive, f"{name}.tar", inner.getvalue())
    images = sorted((tree / "val").glob("*/*.jpg"), key=lambda path: path.name)
    with tarfile.open(place / _NAMES["val"], "w") as archive:
        for image in images:
            archive.add(image, image.name)
    kinds = [("ID", "i4"), ("WNID", object), ("words", object), ("gloss", object), ("num_children", "i4")]
    synsets = np.array([(i + 1, name, f"{name}, or so", "-", 0) for i, name in enumerate(classes)], kinds)
    meta = io.BytesIO()
    scipy_io.savemat(meta, {"synsets": synsets})
    truth = "".join(f"{classes.index(image.parent.name) + 1}\n" for image in images)
    with tarfile.open(place / _NAMES["devkit"], "w:gz") as archive:
        _add(archive, "ILSVRC2012_devkit_t12/data/meta.mat", meta.getvalue())
        _add(archive, "ILSVRC2012_devkit_t12/data/ILSVRC2012_validation_ground_truth.txt", truth.encode())


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    archive.addfile(member, io.BytesIO(content))
