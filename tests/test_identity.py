"""A run_id is a hash of what can change a result, and of nothing else."""

import copy
from typing import Any

import pytest
from lightning.pytorch import Callback
from lightning.pytorch.callbacks import ModelCheckpoint

from rethink.callbacks.measurement import Measurement
from rethink.runs.identity import identity, run_id


class Sharpness(Measurement):
    """Measures, wherever its file lies and whatever it is called."""


class StepsBackMonitor(Callback):
    """Is called as what watches, and could change anything."""


class Keeps(ModelCheckpoint):
    """Saves, as its base does."""


BASE: dict[str, Any] = {
    "seed_everything": 0,
    "trainer": {"max_epochs": 100},
    "model": {"class_path": "rethink.models.MLP", "init_args": {"seed": 0}},
    "data": {"class_path": "rethink.data.CIFAR10", "init_args": {"seed": 0}},
    "convergence": {},
}


def config(**changes: Any) -> dict[str, Any]:
    """The base with options such as `model__dropout=0.5` or `randomization=("RandomLabels", {"seed": 1})`."""
    settings = copy.deepcopy(BASE)
    for name, value in changes.items():
        part, _, option = name.partition("__")
        if part == "randomization":
            kind, arguments = value
            spec = {"class_path": f"rethink.randomization.{kind}", "init_args": arguments}
            settings["data"]["init_args"]["randomization"] = spec
        elif option == "class_path":
            settings[part]["class_path"] = value
        elif part in ("model", "data"):
            settings[part]["init_args"][option] = value
        elif option:
            settings[part][option] = value
        else:
            settings[part] = value
    return settings


def same(*configs: dict[str, Any]) -> bool:
    return len({run_id(one) for one in configs}) == 1


@pytest.mark.parametrize(
    ("changes", "golden"),
    [
        ({}, "017a770b498c"),
        (
            {
                "model__class_path": "rethink.models.SmallInception",
                "model__weight_decay": 5e-4,
                "model__augmentation": "random_crop",
                "randomization": ("PartiallyCorruptedLabels", {"probability": 0.4, "seed": 0}),
            },
            "bc113054d5b5",
        ),
        (
            {
                "seed_everything": 3,
                "model__class_path": "rethink.models.SmallAlexNet",
                "data__train_size": 1000,
                "data__test_size": 1000,
                "randomization": ("GaussianPixels", {"seed": 1, "statistics": "channel"}),
                "convergence__stop_rule": "accuracy>=1.0",
                "convergence__stop_after": 0,
            },
            "ce716d5af3f8",
        ),
    ],
    ids=["MLP, true labels", "SmallInception, 40 %", "SmallAlexNet, Gaussian"],
)
def test_the_run_ids_of_finished_runs_stay(changes, golden):
    """A new option or a moved file must not rename the runs that people have.

    If this fails, do not edit the value.
    """
    assert run_id(config(**changes)) == golden


@pytest.mark.parametrize(
    "changes",
    [
        {"trainer__devices": 2},
        {"trainer__accelerator": "gpu", "trainer__strategy": "ddp", "trainer__num_nodes": 4},
        {
            "trainer__logger": {
                "class_path": "lightning.pytorch.loggers.CSVLogger",
                "init_args": {"save_dir": "x"},
            }
        },
        {"trainer__default_root_dir": "/elsewhere"},
        {"trainer__enable_progress_bar": False},
        {"trainer__callbacks": [{"class_path": "lightning.pytorch.callbacks.LearningRateMonitor", "init_args": {}}]},
        {"data__root": "/elsewhere"},
        {"data__steps_per_call": 1},
        {"data__seed": 5},  # a link: the one seed counts
        {"model__image_shape": [3, 28, 28], "model__num_classes": 10},
        {"randomization": ("TrueLabels", {"seed": 7})},
        {"randomization": ("PartiallyCorruptedLabels", {"probability": 0.0, "seed": 7})},
    ],
    ids=str,
)
def test_what_cannot_change_a_result_does_not_count(changes):
    assert same(config(), config(**changes))


@pytest.mark.parametrize(
    "changes",
    [
        {"model__dropout": 0.0},
        {"model__hidden_sizes": [512]},
        {"model__learning_rate": 0.01},
        {"model__batch_norm": False, "model__augmentation": "none", "model__weight_decay": 0},
        {"model__momentum": 0.9, "model__decay": 0.95, "model__decay_steps": 391, "model__staircase": True},
        {
            "data__batch_size": 128,
            "data__validation_size": 0,
            "data__train_size": None,
            "data__subset_seed": 0,
        },
        {"trainer__check_val_every_n_epoch": 1, "trainer__max_steps": -1},
        {"convergence__stop_rule": "accuracy>=0.99", "convergence__stop_after": None},
        {"randomization": ("TrueLabels", {"seed": 0})},
    ],
    ids=str,
)
def test_a_default_written_out_is_the_same_run(changes):
    assert same(config(), config(**changes))


CHANGES: list[dict[str, Any]] = [
    {"seed_everything": 1},
    {"model__learning_rate": 0.02},
    {"model__hidden_sizes": [512, 512, 512]},
    {"model__dropout": 0.5},
    {"model__weight_decay": 1e-4},
    {"model__weight_decay": 1e-4, "model__weight_decay_on": "all"},
    {"model__batch_norm": True},
    {"model__augmentation": "random_crop"},
    {"model__crop_first": False},
    {"model__class_path": "rethink.models.SmallAlexNet"},
    {"data__class_path": "rethink.data.MNIST"},
    {"data__batch_size": 64},
    {"data__train_size": 5000},
    {"data__validation_size": 5000},
    {"data__subset_seed": 1, "data__train_size": 5000},
    {"trainer__max_epochs": 50},
    {"trainer__max_steps": 1000},
    {"trainer__precision": "bf16-mixed"},
    {"trainer__check_val_every_n_epoch": 2},
    {"convergence__stop_after": 0},
    {"randomization": ("RandomLabels", {"seed": 0})},
    {"randomization": ("RandomLabels", {"seed": 1})},
    {"randomization": ("PartiallyCorruptedLabels", {"probability": 0.4})},
    {"randomization": ("PartiallyCorruptedLabels", {"probability": 0.5})},
    {"randomization": ("ShuffledPixels", {})},
    {"randomization": ("ShuffledPixels", {"scope": "values"})},
    {"randomization": ("RandomPixels", {})},
    {"randomization": ("RandomPixels", {"region": "full"})},
    {"randomization": ("GaussianPixels", {})},
]


def test_whatever_changes_a_result_makes_another_run():
    ids = [run_id(config(**changes)) for changes in ({}, *CHANGES)]
    assert len(set(ids)) == len(ids)


def test_the_end_of_the_sweep_is_random_labels():
    ends = ("PartiallyCorruptedLabels", {"probability": 1.0, "seed": 4}), ("RandomLabels", {"seed": 4})
    assert same(*(config(randomization=end) for end in ends))
    assert identity(config(randomization=ends[0]))["randomization"] == ["RandomLabels", {"seed": 4}]


def test_the_order_of_options_does_not_count():
    one = config(model__dropout=0.5, model__weight_decay=0.1)
    other = config(model__weight_decay=0.1, model__dropout=0.5)
    assert same(one, other)


def test_a_run_id_is_twelve_hexadecimal_digits():
    assert len(run_id(BASE)) == 12
    int(run_id(BASE), 16)


def with_callbacks(*kinds: str) -> dict[str, Any]:
    return config(trainer__callbacks=[{"class_path": kind, "init_args": {}} for kind in kinds])


@pytest.mark.parametrize(
    ("kind", "counts"),
    [
        (f"{__name__}.Sharpness", False),
        (f"{__name__}.Keeps", False),
        (f"{__name__}.StepsBackMonitor", True),
        ("rethink.callbacks.label_corruption.LabelCorruption", False),
        ("rethink.callbacks.convergence.Convergence", True),
        ("rethink.callbacks.checkpoint.RunCheckpoint", False),
        ("rethink.callbacks.progress.ProgressDisplay", False),
        ("lightning.pytorch.callbacks.RichModelSummary", False),
        ("lightning.pytorch.callbacks.DeviceStatsMonitor", False),
        ("lightning.pytorch.callbacks.Timer", True),
        ("lightning.pytorch.callbacks.EarlyStopping", True),
        ("lightning.pytorch.callbacks.StochasticWeightAveraging", True),
    ],
)
def test_the_type_of_a_callback_decides_whether_it_can_change_a_result(kind, counts):
    assert same(config(), with_callbacks(kind)) != counts


@pytest.mark.parametrize("part", ["recipe", "optimizer", "something_new"])
def test_a_part_that_anybody_adds_counts_without_its_defaults(part):
    spec = {"class_path": "torch.optim.Adam", "init_args": {"lr": 0.001}}
    assert not same(config(), config(**{part: spec}))
    assert identity(config(**{part: spec}))[part] == {"class": "torch.optim.Adam", "options": {}}
    assert same(config(), config(**{part: None}))


def test_a_class_within_an_option_counts_without_its_defaults():
    recipes = [{"class_path": "torch.optim.Adam", "init_args": options} for options in ({}, {"lr": 0.001}, {"lr": 0.1})]
    first, written_out, other = (config(model__recipe=recipe) for recipe in recipes)
    assert same(first, written_out)
    assert not same(first, other)


def test_the_precision_that_was_chosen_counts_wherever_it_stands():
    assert same(config(precision="bf16-mixed"), config(trainer__precision="bf16-mixed"))
    assert same(config(precision="auto"), config())
