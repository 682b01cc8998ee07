"""Files are whole or not there, and are verified before they are believed."""

import io
import json
import os
import resource
import time
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rethink import files
from rethink.errors import UserError
from rethink.files import Damaged

STATE = {"weights": torch.arange(1000.0), "nested": {"epoch": 3, "names": ["a", "b"]}}
VALUES: dict[str, Any] = {"run_id": "abc", "final": {"loss": 0.1, "accuracy": None}, "rules": [1, 2.5, True]}


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("archive") / "last.ckpt"
    files.write_archive(path, lambda file: torch.save(STATE, file))
    return path


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("record") / "record.json"
    files.write_json(path, VALUES)
    return path


def test_an_archive_of_torch_is_read_by_torch_itself_and_by_zip(archive):
    loaded = torch.load(archive, weights_only=True)
    assert torch.equal(loaded["weights"], STATE["weights"])
    assert torch.equal(torch.load(archive, weights_only=True, mmap=True)["weights"], STATE["weights"])
    assert zipfile.ZipFile(archive).testzip() is None
    verified = torch.load(io.BytesIO(files.read_archive(archive)), weights_only=True)
    assert verified["nested"] == STATE["nested"]


def test_an_archive_of_numpy_is_read_by_numpy_itself(tmp_path):
    path = tmp_path / "arrays.npz"
    files.write_archive(path, lambda file: np.savez_compressed(file, numbers=np.arange(5)))
    assert np.load(path)["numbers"].tolist() == [0, 1, 2, 3, 4]
    assert np.load(io.BytesIO(files.read_archive(path)))["numbers"].tolist() == [0, 1, 2, 3, 4]


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_changed_byte_of_an_archive_is_believed(archive, tmp_path, data):
    content = archive.read_bytes()
    damaged = _damaged(content, data)
    path = tmp_path / "last.ckpt"
    path.write_bytes(damaged)
    with pytest.raises(Damaged, match=r"last\.ckpt"):
        files.read_archive(path)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_changed_value_of_a_json_object_is_believed(record, tmp_path, data):
    path = tmp_path / "record.json"
    path.write_bytes(_damaged(record.read_bytes(), data))
    damaged = path.read_bytes()
    if _same_json(damaged):  # white space
        return
    with pytest.raises(Damaged, match=r"record\.json: damaged"):
        files.read_json(path)


def _same_json(content: bytes) -> bool:
    """Whether it says the same as what was written."""
    try:
        loaded = json.loads(content)
    except ValueError:
        return False
    return bool(loaded == VALUES | {files.DIGEST: files.content_digest(VALUES)})


def _damaged(content: bytes, data: st.DataObject) -> bytes:
    """The content cut off, with a flipped bit, a block of zeros, or garbage in its place; never the same."""
    kind = data.draw(st.sampled_from(["cut", "flip", "zeros", "garbage", "append"]))
    start = data.draw(st.integers(0, len(content) - 1))
    end = min(len(content), start + data.draw(st.integers(1, 64)))
    if kind == "cut":
        return content[:start]
    if kind == "append":
        return content + data.draw(st.binary(min_size=1, max_size=20))
    if kind == "flip":
        flipped = bytes([content[start] ^ (1 << data.draw(st.integers(0, 7)))])
        return content[:start] + flipped + content[start + 1 :]
    block = bytes(end - start) if kind == "zeros" else data.draw(st.binary(min_size=end - start, max_size=end - start))
    damaged = content[:start] + block + content[end:]
    return damaged if damaged != content else content[:-1]


def test_a_json_object_of_an_older_rethink_has_no_digest_and_is_read(tmp_path):
    path = tmp_path / "record.json"
    path.write_text(json.dumps(VALUES | {"format": 1}))
    assert files.read_json(path, unsealed_formats=[1]) == VALUES | {"format": 1}
    with pytest.raises(Damaged, match="digest"):
        files.read_json(path, unsealed_formats=[2])


@pytest.mark.parametrize("content", [b"", b"[1]", b"{", b"\xff\xfe{}", b"3", b"[" * 100_000])
def test_what_is_no_json_object_is_damaged(tmp_path, content):
    path = tmp_path / "record.json"
    path.write_bytes(content)
    with pytest.raises(Damaged, match=r"record\.json: damaged"):
        files.read_json(path)


def test_the_order_of_keys_and_the_layout_are_no_content(record, tmp_path):
    path = tmp_path / "record.json"
    path.write_text(json.dumps(dict(reversed(json.loads(record.read_text()).items()))))
    assert files.read_json(path) == VALUES


def test_files_beside_a_record_are_verified_by_it(tmp_path):
    (tmp_path / "history.csv").write_text("epoch,loss\n1,0.5\n2,0.25\n")
    digests = files.files_digest(tmp_path, ["history.csv", "config.yaml"])
    assert list(digests) == ["history.csv"]
    files.verify_files(tmp_path, digests)
    (tmp_path / "history.csv").write_text("epoch,loss\n2,0.25\n1,0.5\n")
    with pytest.raises(Damaged, match=r"history\.csv: damaged"):
        files.verify_files(tmp_path, digests)
    (tmp_path / "history.csv").unlink()
    with pytest.raises(Damaged, match=r"history\.csv: missing"):
        files.verify_files(tmp_path, digests)


def test_a_writer_that_fails_leaves_the_last_good_file(tmp_path):
    path = tmp_path / "last.ckpt"
    files.write_text(path, "good")

    def fail(file):
        file.write(b"half")
        raise OSError(28, "No space left on device")

    with pytest.raises(
        UserError, match=r"Cannot write .*last\.ckpt: No space left on device \(.* MiB are free there\)"
    ):
        files.write_atomically(path, fail)
    assert path.read_text() == "good"
    assert list(tmp_path.iterdir()) == [path]


def test_what_killed_writers_left_goes_and_what_others_are_writing_stays(tmp_path):
    path = tmp_path / "last.ckpt"
    old, new = tmp_path / ".last.ckpt.old", tmp_path / ".last.ckpt.new"
    for partial in (old, new):
        partial.write_text("half")
    hour_ago = time.time() - 3600
    os.utime(old, (hour_ago, hour_ago))
    files.write_text(path, "good")
    assert sorted(tmp_path.iterdir()) == [new, path]


def test_only_a_zip_archive_can_be_sealed():
    with pytest.raises(ValueError, match="no zip archive"):
        files.sealed(b"text")


def test_a_file_that_is_too_large_for_its_limit_leaves_the_last_good_one(tmp_path):
    path = tmp_path / "predictions.csv"
    files.write_text(path, "good")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        with pytest.raises(UserError, match=r"predictions\.csv: File too large \(1\.0 MiB are needed, .* free"):
            files.write_bytes(path, bytes(2**20))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert path.read_text() == "good"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_is_a_file_is_named(tmp_path):
    (tmp_path / "runs").write_text("")
    with pytest.raises(UserError, match=r"Cannot write .*runs/record\.json: .*\. Make room or give permission"):
        files.write_json(tmp_path / "runs" / "record.json", {})
