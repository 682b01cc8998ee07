"""The harness itself: faults change files, its judgement is right, and readers that are wrong are noticed."""

import json
import random
import secrets
import sys
from pathlib import Path

import pytest
import torch

from rethink import files
from torture import damage, faults, outcome, references, settings, trials, warming
from torture.commands import Ended
from torture.damage import Scene
from torture.kills import killed
from torture.outcome import Outcome, Trial

CONTENTS = {
    "record.json": json.dumps({"format": 1, "final": {"epoch": 3, "loss": 0.25}, "rules": [1, 2]}).encode(),
    "history.csv": b"epoch,loss\n1,0.5\n2,0.25\n3,0.125\n",
    "config.yaml": b"seed: 12\n",
    "last.ckpt": bytes(range(256)) * 64,
}


@pytest.mark.parametrize("name", CONTENTS)
def test_every_fault_changes_the_file(tmp_path, name):
    for fault in faults.fault_names(Path(name)):
        for seed in range(5):
            path = tmp_path / f"{fault} {seed}" / name
            path.parent.mkdir()
            path.write_bytes(CONTENTS[name])
            faults.inflict(fault, path, random.Random(seed))
            assert not path.is_file() or path.read_bytes() != CONTENTS[name], fault


SCENE = Scene(Path("runs/0123abcd4567/record.json"), ("show",), ("89abcdef0123",))
GOOD = Ended(SCENE.words, 0, "0123abcd4567 converged\n89abcdef0123 converged\n", 0)


@pytest.mark.parametrize(
    ("code", "output", "same", "what"),
    [
        (0, GOOD.output, True, "recovered"),
        (0, "0123abcd4567 diverged\n89abcdef0123 converged\n", False, "wrong"),
        (2, "rethink: runs/0123abcd4567/record.json: damaged\n89abcdef0123 converged\n", False, "clear error"),
        (2, "rethink: runs/0123abcd4567/record.json: damaged\n", False, "lost"),
        (2, "rethink: something is damaged\n89abcdef0123 converged\n", False, "lost"),
        (1, "Traceback (most recent call last):\n", False, "traceback"),
        (None, "", False, "hang"),
    ],
)
def test_what_comes_of_a_damaged_file_is_judged(tmp_path, code, output, same, what):
    assert damage.judge(Ended(SCENE.words, code, output, 0), 0, same, SCENE, tmp_path)[0] == what


def test_what_a_file_names_must_not_be_executed(tmp_path):
    (tmp_path / faults.CANARY).touch()
    assert damage.judge(GOOD, 0, True, SCENE, tmp_path)[0] == "wrong"


def test_the_table_has_a_row_per_kind_and_their_sum():
    ended = [
        Trial(0, "killed", Outcome("recovered", 3)),
        Trial(1, "killed", Outcome("wrong", 1)),
        Trial(2, "SLURM", Outcome("skipped", 0)),
    ]
    assert [trial.failed for trial in ended] == [False, True, False]
    header, kills, slurm, everything = outcome.rows(ended)
    assert dict(zip(header, kills, strict=True))["wrong"] == "1"
    assert dict(zip(header, slurm, strict=True))["skipped"] == "1"
    assert dict(zip(header, everything, strict=True))["faults"] == "4"
    assert {len(line) for line in outcome.table(ended).splitlines()} == {len(outcome.table(ended).splitlines()[0])}


def test_half_an_hour_has_all_kinds():
    kinds = [trials.kind_of(number) for number in range(840)]
    assert set(kinds) == set(trials.KINDS)
    assert kinds.count("killed") >= 500
    assert kinds.count("damaged file") >= 200


def test_the_settings_have_every_value_of_every_dimension():
    words = " ".join(" ".join(setting.words) for setting in settings.every())
    assert {setting.ranks for setting in settings.every()} == {1, 2}
    parts = [*settings._NETWORKS, *settings._LABELS, *settings._PIXELS, *map(" ".join, settings._SWITCHES.values())]
    assert [part for part in parts if part not in words] == []
    assert sum(setting.network == "MLP" and setting.ranks == 2 for setting in settings.every()) > 1


# With trainings.


@pytest.fixture
def imported(monkeypatch, tmp_path):
    """All imports before the forks, and references of their own: those of a mutant are nobody else's."""
    warming.warm()
    monkeypatch.setattr(references, "_KEPT", tmp_path / "kept")


def place(folder: Path, seed: int) -> Path:
    """A working folder."""
    return references.furnish(folder / str(seed))


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["killed", "damaged file", "asked to stop", "bad disk"])
def test_a_random_part_of_the_torture(kind, imported):
    """A new seed each time; the message says how to repeat what failed."""
    seed = secrets.randbelow(10**6)
    print(f"seed {seed}")
    ended = list(trials.play_all(seed, [(number, kind) for number in range(8)], workers=1, seconds=20))
    for trial in ended:
        again = f"python -m torture --seed {seed} --trial {trial.number} --kind '{kind}'"
        assert not trial.failed, f"{again}\n{trial.outcome.done}\n{trial.outcome.detail}"


@pytest.mark.slow
def test_a_resume_with_another_weight_is_wrong(imported, monkeypatch, tmp_path):
    """A mutant of the reader: an undisturbed run reads nothing, so its result is right."""
    load = torch.load

    def loaded(*args, **kwargs):
        checkpoint = load(*args, **kwargs)
        if "optimizer_states" in checkpoint:  # from which training goes on
            next(iter(checkpoint["state_dict"].values())).view(-1)[0] += 0.5
        return checkpoint

    monkeypatch.setattr(torch, "load", loaded)
    # Of five, some are killed after a checkpoint.
    assert "wrong" in {killed(random.Random(seed), place(tmp_path, seed)).what for seed in range(5)}


@pytest.mark.slow
def test_a_reader_that_believes_everything_is_wrong(imported, monkeypatch, tmp_path):
    """Whoever checks no digest goes on from a damaged checkpoint."""
    for module in [module for name, module in sys.modules.items() if name.startswith("rethink.")]:
        if hasattr(module, "read_archive"):
            monkeypatch.setattr(module, "read_archive", files.read_bytes)
    ended = [damage.damaged_checkpoint(random.Random(seed), place(tmp_path, seed)) for seed in range(12)]
    assert any(outcome.what == "wrong" and "-> other weights" in outcome.detail for outcome in ended)
