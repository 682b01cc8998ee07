"""Settings cannot be confused: two runs of one differ in the seed alone, whatever options anybody adds."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lightning.pytorch import Callback

from rethink.errors import UserError
from rethink.models import MLP, SmallInception, WideResNet
from rethink.models.names import usual_batch_norm
from rethink.models.small_alexnet import SmallAlexNet
from rethink.randomization import Randomization
from rethink.runs.identity import identity, parts, resolved, run_id
from rethink.runs.run import Run, recorded_identity
from rethink.runs.setting import Setting, by_setting, differences, of_one_setting

RECORDS = sorted((Path(__file__).parents[1] / "experiments" / "records").glob("*/record.json"))


class _Sharpened(MLP):
    """A network of somebody's own, with options that are named so as to be confused."""

    def __init__(self, sharpness: float = 0.0, random: Any = None, images: Any = None, a: Any = 0, **more: Any) -> None:
        super().__init__(**more)


class Folder:
    """Data of somebody's own."""

    def __init__(self, momentum: float = 0.0, batch_size: int = 128, a: Any = 0) -> None: ...


class Noise(Randomization):
    """A randomization of somebody's own."""

    def __init__(self, seed: int = 0, probability: float = 0.5, momentum: Any = None) -> None: ...


class LastWord(Callback):
    """A callback of somebody's own."""

    def __init__(self, every: int = 1) -> None: ...


HERE = __name__
TEXTS = st.sampled_from(
    ["", "x", "a, b", "crop", "random_crop", "momentum 0", "1", "null", "True", "b 1", '"', "é", "-"]
)
VALUES = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(-2, 3), st.sampled_from([0.0, 1.0, 4e-5, 0.1234567, 0.12345678]), TEXTS
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(st.sampled_from("ab"), inner, max_size=2)),
    max_leaves=3,
)
MODEL_OPTIONS = [
    *("momentum", "batch_norm", "weight_decay", "weight_decay_on", "augmentation", "hidden_sizes", "dropout", "decay"),
    *("decay_steps", "weights_from", "crop_first", "learning_rate", "staircase", "initialization"),
    *(
        "sharpness",
        "random",
        "images",
        "a",
        "depth",
        "width",
        "new_option",
        "_x",
        "a__b",
        "Big",
        "seed_of",
        "label",
        "x",
    ),
]
DATA_OPTIONS = ["batch_size", "train_size", "test_size", "validation_size", "leave_out", "subset_seed", "momentum", "a"]
CALLBACKS = st.lists(
    st.sampled_from(
        [f"{HERE}.LastWord", "lightning.pytorch.callbacks.Timer", "lightning.pytorch.callbacks.ModelSummary"]
    ),
    max_size=2,
)


@st.composite
def configs(draw: st.DrawFn) -> dict[str, Any]:
    """A configuration with a few options of anything, set to anything."""

    def some(names: list[str]) -> dict[str, Any]:
        return draw(st.dictionaries(st.sampled_from(names), VALUES, max_size=3))

    model = draw(st.sampled_from(["rethink.models.MLP", "rethink.models.WideResNet", f"{HERE}._Sharpened"]))
    labels = draw(
        st.sampled_from(["RandomLabels", "TrueLabels", "ShuffledPixels", "PartiallyCorruptedLabels", f"{HERE}.Noise"])
    )
    arguments = some(["seed", "scope", "region"])
    if "Partially" in labels:
        arguments["probability"] = draw(st.sampled_from([0.1, 0.4, 1.0, 0.0, 1]))
    labels = labels if "." in labels else f"rethink.randomization.{labels}"
    trainer = some(["max_epochs", "max_steps", "precision", "gradient_clip_val", "check_val_every_n_epoch"])
    trainer["callbacks"] = [{"class_path": kind, "init_args": some(["every"])} for kind in draw(CALLBACKS)]
    data = draw(st.sampled_from(["rethink.data.CIFAR10", "rethink.data.MNIST", f"{HERE}.Folder"]))
    recipe = draw(st.sampled_from([None, "x", {"class_path": f"{HERE}.LastWord", "init_args": {"every": 2}}]))
    return {
        "seed_everything": 1,
        "model": {"class_path": model, "init_args": some(MODEL_OPTIONS)},
        "data": {
            "class_path": data,
            "init_args": some(DATA_OPTIONS) | {"randomization": {"class_path": labels, "init_args": arguments}},
        },
        "trainer": trainer,
        "convergence": some(["stop_rule", "stop_after"]),
        "recipe": recipe,
    }


SEEN: dict[str, tuple[str, Setting]] = {}
"""Of all examples together: label -> the run_id and the setting that it is of."""


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(configs())
def test_runs_that_differ_in_more_than_the_seed_have_different_settings_and_labels(config):
    setting, run = Setting.of(identity(config), resolved(config)), run_id(config)
    assert SEEN.setdefault(setting.label, (run, setting)) == (run, setting)
    assert len({of[1] for of in SEEN.values()}) == len({of[0] for of in SEEN.values()})
    other = Setting.of(identity(config | {"seed_everything": 2}))
    assert (other.without_seed, other.label != setting.label) == (setting.without_seed, True)
    assert setting.matches(**setting.values)


@st.composite
def nearly_alike(draw: st.DrawFn) -> list[dict[str, Any]]:
    """The same configuration with one option or another, at one value or another."""
    whole = draw(configs())
    return [whole, *(_changed(draw, whole) for _ in range(3))]


def _changed(draw: st.DrawFn, whole: dict[str, Any]) -> dict[str, Any]:
    part, names = draw(st.sampled_from([("model", MODEL_OPTIONS), ("data", DATA_OPTIONS), ("trainer", ["max_epochs"])]))
    options = whole[part] if part == "trainer" else whole[part]["init_args"]
    changed = options | {draw(st.sampled_from(names)): draw(VALUES)}
    return whole | {part: changed if part == "trainer" else whole[part] | {"init_args": changed}}


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(nearly_alike())
def test_an_option_that_changes_the_run_id_changes_setting_and_label(configurations):
    ids = [run_id(one) for one in configurations]
    cells = [Setting.of(identity(one)) for one in configurations]
    assert len(set(cells)) == len(set(ids))
    assert len({cell.label for cell in cells}) == len(set(ids))


def config(**changes: Any) -> dict[str, Any]:
    """`model__momentum=0.0`, of MLP 1x512 on random labels."""
    whole: dict[str, Any] = {
        "seed_everything": 1,
        "model": {"class_path": "rethink.models.MLP", "init_args": {}},
        "data": {
            "class_path": "rethink.data.CIFAR10",
            "init_args": {"randomization": {"class_path": "rethink.randomization.RandomLabels", "init_args": {}}},
        },
        "trainer": {"max_epochs": 100},
    }
    for name, value in changes.items():
        part, _, option = name.partition("__")
        target = whole.setdefault(part, {})
        (target["init_args"] if part in ("model", "data") else target)[option] = value
    return whole


def setting(**changes: Any) -> Setting:
    return Setting.of(identity(config(**changes)), resolved(config(**changes)))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, ""),
        ({"model__momentum": 0.0, "data__batch_size": 32}, "momentum 0, batch size 32, "),
        ({"model__weight_decay": 4e-5, "model__dropout": 0.5}, "weight decay 4e-05, dropout 0.5, "),
        ({"model__staircase": False, "model__crop_first": False}, "crop first false, staircase false, "),
        (
            {"model__weight_decay_on": "all", "model__initialization": "he_normal"},
            "weight decay on all, initialization he_normal, ",
        ),
        ({"data__train_size": 2000, "trainer__max_epochs": 30}, "2,000 images, 30 epochs, "),
        ({"trainer__max_epochs": 1}, "1 epoch, "),
        ({"trainer__gradient_clip_val": 0.5}, "trainer.gradient_clip_val 0.5, "),
        (
            {"data__randomization": {"class_path": "rethink.randomization.RandomLabels", "init_args": {"seed": 3}}},
            "randomization seed 3, ",
        ),
    ],
)
def test_a_label_has_a_word_for_every_option_that_is_not_at_its_default(changes, words):
    assert setting(**changes).label == f"MLP 1x512, random labels, {words}seed 1"


def test_options_are_asked_by_their_short_or_dotted_names():
    of = setting(model__momentum=0.0, model__decay=0.95, model__learning_rate=0.01)
    assert of.matches(architecture="MLP 1x512", randomization="RandomLabels", corruption=1, weight_decay=False, seed=1)
    assert of.matches(**{"model.momentum": 0.0, "model.decay": 0.95, "model.learning_rate": 0.01, "batch_norm": False})
    assert not of.matches(**{"model.momentum": 0.9})
    assert of.options == {"model.momentum": 0.0, "trainer.max_epochs": 100}
    with pytest.raises(UserError, match=r"model\.momentum"):
        of.matches(momentum=0.0)


@pytest.mark.parametrize("kind", [MLP, SmallAlexNet, SmallInception, WideResNet])
def test_batch_norm_is_that_of_the_class(kind):
    from rethink.runs.identity import _defaults

    assert usual_batch_norm(kind.__name__) == _defaults(kind)["batch_norm"]


class Finished:
    def __init__(self, setting: Setting) -> None:
        self.setting = setting


def test_only_runs_that_differ_in_the_seed_are_of_one_setting():
    runs = [Finished(setting(model__momentum=m)) for m in (0.0, 0.9, 0.0)]
    groups = by_setting(runs)
    assert [len(group) for group in groups.values()] == [2, 1]
    assert differences(list(groups)) == ["model.momentum"]
    assert of_one_setting(runs[::2]) == runs[::2]
    with pytest.raises(UserError, match=r"2 settings cannot be averaged.*model\.momentum"):
        of_one_setting(runs)


@pytest.mark.parametrize("file", RECORDS, ids=lambda file: file.parent.name)
def test_a_published_record_has_the_setting_of_its_run_id(file, tmp_path, monkeypatch):
    monkeypatch.setenv("RETHINK_RUNS", str(tmp_path))
    record = json.loads(file.read_text())
    assert run_id(record["config"]) == record["run_id"]
    run = Run.open(file.parent)
    planned = json.loads(json.dumps(parts(record["config"])))
    assert run.setting == Setting.of(planned["identity"], planned["resolved"])
    assert (run.architecture, run.randomization, run.corruption) == (
        run.setting.architecture,
        run.setting.randomization,
        run.setting.corruption,
    )
    monkeypatch.setattr("rethink.runs.run.identity", None)  # kept beside the runs, it takes no import again
    assert recorded_identity(record) == planned["identity"]
