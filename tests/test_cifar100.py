"""CIFAR-100 from an archive of the official layout, with few images."""

import hashlib
import io
import tarfile
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import torch
from test_data_sources import Python2Pickler
from torchvision.datasets import CIFAR100 as official

from rethink.data import CIFAR100
from rethink.errors import UserError

SIZES = {"train": 40, "test": 10}


def batch(size: int) -> dict[str, object]:
    """As Python 2 pickled it: rows of 3 x 32 x 32 bytes, and two lists of labels."""
    pixels = np.random.default_rng(size).integers(0, 256, (size, 3 * 32 * 32), dtype=np.uint8)
    fine = [(7 * number) % 100 for number in range(size)]
    return {"data": pixels, "fine_labels": fine, "coarse_labels": [label // 5 for label in fine]}


@pytest.fixture
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """In a folder of its own; torchvision's sums are replaced by those of its files."""
    path = tmp_path / "server" / official.filename
    path.parent.mkdir()
    sums = {}
    with tarfile.open(path, "w:gz") as tar:
        for part, size in SIZES.items():
            file = io.BytesIO()
            Python2Pickler(file, protocol=2).dump(batch(size))
            content = file.getvalue()
            member = tarfile.TarInfo(f"{official.base_folder}/{part}")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
            sums[part] = hashlib.md5(content).hexdigest()
    monkeypatch.setattr(official, "tgz_md5", hashlib.md5(path.read_bytes()).hexdigest())
    for part in SIZES:
        monkeypatch.setattr(official, f"{part}_list", [[part, sums[part]]])
    return path


@pytest.mark.parametrize(("labels", "classes"), [("fine", 100), ("coarse", 20)])
def test_an_archive_in_the_folder_of_the_data_sets_is_read(archive, labels, classes, monkeypatch):
    data = CIFAR100(labels=labels, root=archive.parent)
    monkeypatch.setattr(official, "url", "http://127.0.0.1:9/nowhere")
    data.prepare_data()
    data.setup()
    assert data.num_classes == classes
    expected = batch(40)
    assert data.splits["train"].labels.tolist() == expected[f"{labels}_labels"]
    pixels = torch.from_numpy(expected["data"]).view(40, 3, 32, 32).permute(0, 2, 3, 1)
    assert torch.equal(data.load().train_images, pixels)
    assert torch.equal(data.load().test_labels, torch.tensor(batch(10)[f"{labels}_labels"]))


def test_a_mirror_is_asked_and_a_fit_gets_it(archive, fit, tmp_path, monkeypatch):
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=archive.parent))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("RETHINK_MIRROR", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("RETHINK_DATA", str(tmp_path / "data"))
    model = ["--model", "MLP", "--model.hidden_sizes", "[4]", "--trainer.max_epochs", "1"]
    run = fit(*model, "--data", "CIFAR100", "--data.labels", "coarse")
    assert (run.num_classes, run.train_size, run.test_size) == (20, 40, 10)
    assert run.record["data"]["class"] == "CIFAR100"
    server.shutdown()


def test_what_is_not_there_or_damaged_is_refused_with_the_remedy(archive, tmp_path, monkeypatch):
    with pytest.raises(UserError, match="is not in"):
        CIFAR100(root=tmp_path / "empty").load()
    monkeypatch.setattr(official, "url", "http://127.0.0.1:9/nowhere")
    with pytest.raises(UserError, match="set RETHINK_MIRROR"):
        CIFAR100(root=tmp_path / "empty").prepare_data()
    data = CIFAR100(root=archive.parent)
    data.prepare_data()
    file = archive.parent / official.base_folder / "train"
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(UserError, match="or damaged"):
        data.load()
    data.prepare_data()  # unpacked again
    assert len(data.load().train_labels) == 40


def test_the_sums_are_torchvisions():
    assert official.filename == "cifar-100-python.tar.gz"
    assert official.tgz_md5 == "eb9058c3a382ffc7106e4002c42a8d85"
