"""The package's own numbers. Who changes them raises `rethink.runs.code.NUMBERS`: a finished run then says so.

The values are those of version 1. A new version gets values of its own; these are never edited.
"""

import hashlib

import numpy as np
import pytest
from PIL import Image

from rethink.data import ImageFolder
from rethink.data.image_files import DECODER, read_image
from rethink.runs.code import NUMBERS, NUMBERS_OF, changed, code_of

GOLDEN: dict[int, dict[str, tuple[float, float]]] = {
    1: {  # training and test loss after an epoch
        "MLP": (1.6795987, 4.0566563),
        "SmallAlexNet": (2.1443762, 2.4075825),
        "SmallInception": (2.2682234, 2.3126543),
        "WideResNet": (2.4092713, 2.4295455),
    },
}
FIT = ["--config", "configs/base.yaml", "--config", "configs/data/synthetic.yaml", "--trainer.max_epochs", "1"]
FIT += ["--trainer.devices", "1", "--trainer.accelerator", "cpu", "--precision", "32-true", "--data.num_train", "32"]
FIT += ["--data.num_test", "16", "--data.batch_size", "8", "--data.randomization", "RandomLabels"]
SWITCHES = ["--model.weight_decay", "0.001", "--model.augmentation", "random_crop", "--model.dropout", "0.2"]
SWITCHES += ["--model.learning_rate", "0.01"]  # small, so that rounding differs from machine to machine and stays small


@pytest.mark.parametrize("model", list(GOLDEN[1]))
def test_a_change_of_numbers_raises_their_version(model, fit):
    final = fit(*FIT, "--model", model, *SWITCHES).record["final"]
    values = final["train/loss"], final["test/loss"]
    assert values == pytest.approx(GOLDEN[NUMBERS][model], rel=1e-4)


SQUARES = {2: "03a4151272119b10"}


def test_other_squares_of_the_same_file_raise_the_version_of_the_classes_that_read_them(tmp_path):
    values = np.random.default_rng(0).integers(0, 256, (50, 70, 3), np.uint8)
    Image.fromarray(values).save(tmp_path / "image.png")
    square, _ = read_image(tmp_path / "image.png", 32)
    assert hashlib.sha256(square.tobytes()).hexdigest()[:16] == SQUARES[DECODER]
    assert {NUMBERS_OF[name] for name in ("ImageFolder", "ImageNet")} == {DECODER}


def test_a_class_with_a_version_of_its_own_changes_no_other_run():
    folder, cifar = "rethink.data.ImageFolder", "rethink.data.CIFAR10"
    assert "classes" not in code_of([cifar, "rethink.models.MLP"])
    for path, before, now in ((cifar, {}, 0), (folder, {}, 1), (folder, {"classes": {folder: 2}}, 0)):
        record = {"code": {"numbers": NUMBERS, "modules": {}} | before, "config": {"data": {"class_path": path}}}
        assert len(changed(record)) == now
    assert changed({"code": code_of([folder]), "config": {"data": {"class_path": folder}}}) == []
    assert changed({"code": code_of([folder]), "config": {"data": {"class_path": "mine.ImageFolder"}}}) == []


class OwnFolder(ImageFolder):
    """A data set of one's own over one of the package."""


def test_the_version_of_a_class_counts_for_those_of_ones_own_that_extend_it(monkeypatch):
    own = f"{__name__}.OwnFolder"
    record = {"code": code_of([own]), "config": {"data": {"class_path": own}}}
    assert changed(record) == []
    before = {"code": {"numbers": NUMBERS, "modules": {}}, "config": {"data": {"class_path": own}}}
    assert changed(before) == []  # of a record that does not say what its class extends
    for base in ("rethink.data.image_folder.ImageFolder", "rethink.data.datamodule.ImageDataModule"):
        name = base.rpartition(".")[2]
        with monkeypatch.context() as context:
            context.setitem(NUMBERS_OF, name, NUMBERS_OF.get(name, 1) + 1)
            assert [line.partition(" ")[0] for line in changed(record)] == [base]
