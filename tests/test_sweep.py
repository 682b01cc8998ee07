"""Sweeps: an experiment is data, each of its runs is made once, one failure stops no other, and the disk knows all."""

import io
import json
import os
import shlex
import shutil
import subprocess
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path

import kubernetes_validate
import pytest
import yaml
from rich.console import Console

from rethink.cli import main
from rethink.cluster import lease
from rethink.cluster.lease import NAME as LEASE
from rethink.cluster.lease import Owner
from rethink.errors import UserError
from rethink.files import write_json
from rethink.running.identification import identify
from rethink.runs import run as run_module
from rethink.runs.code import interface
from rethink.runs.reading import FORMAT
from rethink.runs.run import Run
from rethink.runs.setting import Setting, as_written
from rethink.sweep import cancellation, execution, identities, kubernetes, local, slurm_array, specification, status
from rethink.sweep.experiment import Experiment, names
from rethink.sweep.jobs import read_failure, write_failure
from rethink.sweep.plan import Plan, PlannedRun, plan
from rethink.sweep.status import seconds_left

SWEEP = """
title: three runs, one of which cannot be
layers: [configs/base.yaml, configs/data/synthetic.yaml, "configs/model/{architecture}.yaml"]
options: {architecture: mlp_1x512, "model.hidden_sizes": [8], trainer.max_epochs: 2, trainer.devices: 1}
seeds: [0]
groups:
  - grid: {data.randomization: [RandomLabels, TrueLabels]}
  - options: {data.randomization: PartiallyCorruptedLabels}
    grid: {data.randomization.probability: [0, 1]}
  - options: {data.train_size: 100000}
    demo: {options: {data.train_size: 64}}
"""


@pytest.fixture
def write(tmp_path):
    """Writes an experiment and loads it."""

    def write(text: str, name: str = "tiny", **options) -> Experiment:
        (tmp_path / name).mkdir(exist_ok=True)
        (tmp_path / name / "sweep.yaml").write_text(text)
        return Experiment.load(name, root=tmp_path, **options)

    return write


def quietly(going) -> None:
    while going():
        pass


# An experiment as data.


def test_a_grid_becomes_arguments(write):
    experiment = write(SWEEP)
    assert len(experiment.runs) == 5
    assert experiment.runs[0] == (
        *("--config", "configs/base.yaml", "--config", "configs/data/synthetic.yaml"),
        *("--config", "configs/model/mlp_1x512.yaml"),
        *("--data.randomization", "RandomLabels", "--model.hidden_sizes", "[8]", "--seed_everything", "0"),
        *("--trainer.devices", "1", "--trainer.max_epochs", "2"),
    )
    assert experiment.runs[3][6:10] == (
        *("--data.randomization", "PartiallyCorruptedLabels"),
        *("--data.randomization.probability", "1"),
    )


def test_all_of_one_seed_come_before_the_next(write):
    by_seed = [run[run.index("--seed_everything") + 1] for run in write(SWEEP, seeds=[3, 1]).runs]
    assert by_seed == ["3"] * 5 + ["1"] * 5


def test_a_scale_changes_options_and_nothing_else(write):
    full, demo = write(SWEEP), write(SWEEP, scale="demo")
    assert full.runs[:4] == demo.runs[:4]
    assert full.runs[4] == tuple("100000" if word == "64" else word for word in demo.runs[4])
    assert demo.command == "rethink sweep run tiny --scale demo"
    assert write(SWEEP + "\ncommand: make tiny\n", scale="demo").command == "make tiny SCALE=demo"


def test_an_experiment_may_have_the_runs_of_others(write, tmp_path, runs):
    write(SWEEP)
    more = "include: [tiny, {name: tiny, options: {data.validation_size: 10}}]\nonly: [random labels]\nseeds: [0]"
    experiment = write(more, "more")
    assert experiment.runs[:5] == write(SWEEP).runs
    assert [run[-2:] for run in experiment.runs[5:]] == [("--data.validation_size", "10")] * 5
    labels = [run.label for run in plan(experiment).runs]
    assert labels == [
        "MLP 1x8, random labels, Synthetic, 2 epochs, seed 0",
        "MLP 1x8, random labels, 10 held out, Synthetic, 2 epochs, seed 0",
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("groups: [{optoins: {model: MLP}}]", r"unknown key 'optoins' of group 1. Did you mean 'options'"),
        ("titel: x", "unknown key 'titel'. Did you mean 'title'"),
        ("demo: {sead: [0]}", "unknown key 'sead' of demo. Did you mean 'seeds'"),
        ("groups: [{grid: {model: MLP}}]", "grid model of group 1 is 'MLP', and not a list"),
        ("layers: [configs/base.yml]", "there is no config configs/base.yml"),
        ('layers: ["configs/model/{network}.yaml"]', "placeholder that no option fills: 'network'"),
        ("seeds: [-1]", r"seeds \[-1\] are not a list of whole numbers"),
        ("include: [nothing]", "there is no experiment 'nothing'"),
        ("include: [{nam: tiny}]", "unknown key 'nam' of include. Did you mean 'name'"),
        ("include: [{options: {model: MLP}}]", "name of include is None, and not a name"),
        ("include: [tiny]", "tiny includes tiny"),
        ("include: tiny", "include is 'tiny', and not a list"),
        ("only: MLP", "only is 'MLP', and not a list"),
        ("seeds: 0", "seeds is 0, and not a list"),
        ("groups: [MLP]", "'MLP' of group 1 has no keys"),
        ("demo: {options: }", "options of demo is None, and not keys with values"),
        ("[1]", "expected keys such as title"),
        ("a: [", "is not YAML"),
    ],
)
def test_what_is_wrong_with_an_experiment_is_named(write, text, expected):
    with pytest.raises(UserError, match=expected):
        write(text)


@pytest.mark.slow
def test_every_experiment_can_be_planned_at_both_scales(runs, with_known_plans):
    with_known_plans(runs)
    assert {
        "demo",
        "fig1a",
        "fig1b",
        "fig1c",
        "fig2b",
        "table1",
        "table3",
        "table4",
        "theorem1",
        "complexity",
        "inside",
    } <= set(names())
    for name in names():
        for scale in ("full", "demo"):
            experiment = Experiment.load(name, scale, seeds=[0])
            assert all((experiment.title, experiment.claim, experiment.cost, experiment.command)), name
            planned = plan(experiment)
            assert planned.jobs or (scale == "demo" and "not at demo scale" in experiment.cost), name
            assert not planned.refused, name


@pytest.mark.slow
def test_what_analyses_are_of_is_there_at_a_scale(runs, with_known_plans):
    """A text in `only` that no description of a run has any more would lose the analysis without a word."""
    with_known_plans(runs)
    for name in names():
        experiments = [Experiment.load(name, scale, seeds=[0]) for scale in ("full", "demo")]
        if any(analysis.only for analysis in experiments[0].analyses):
            labels = [run.label.lower() for experiment in experiments for run in plan(experiment).runs]
            for number, full in enumerate(experiments[0].analyses):
                missing = [text for text in full.only if not any(text.lower() in label for label in labels)]
                assert not missing, (name, number)


# The plan.


def test_runs_that_are_the_same_are_planned_once_and_the_plan_is_kept(write, runs, monkeypatch):
    planned = plan(write(SWEEP))
    # Corruption 0 and 1 are true and random labels.
    assert [run.label for run in planned.runs] == [
        "MLP 1x8, random labels, Synthetic, 2 epochs, seed 0",
        "MLP 1x8, true labels, Synthetic, 2 epochs, seed 0",
        "MLP 1x8, true labels, Synthetic, 100,000 images, 2 epochs, seed 0",
    ]
    assert {run.state for run in planned.runs} == {"missing"}
    assert {run.epochs for run in planned.runs} == {2}
    monkeypatch.setitem(sys.modules, "rethink.running.identification", None)  # importing it again would fail
    assert plan(write(SWEEP)) == planned
    assert len(planned.only(["RANDOM"]).runs) == 1


@pytest.mark.parametrize(
    ("grid", "expected"),
    [
        ("{data.randomization.probability: [0.5, 1.5]}", "1.5"),
        ("{model.hidden_size: [[8]], data.randomization.probability: [0.5]}", "hidden_size"),
    ],
)
def test_what_cannot_be_a_run_is_said_after_the_others_were_made(write, runs, grid, expected):
    text = SWEEP.partition("groups:")[0] + "groups: [{options: {data.randomization: PartiallyCorruptedLabels}, "
    planned = plan(write(text + f"grid: {grid}}}, {{options: {{data.randomization: RandomLabels}}}}]"))
    assert "MLP 1x8, random labels, Synthetic, 2 epochs, seed 0" in [run.label for run in planned.runs]
    (refused,) = planned.refused
    assert expected in refused
    assert "sweep.yaml" in refused
    assert "\n" not in refused.strip()


# Running it here.


@pytest.mark.slow
def test_what_is_missing_is_run_once_and_a_failure_stops_no_other(write, runs):
    planned = plan(write(SWEEP)).runs
    failed = local.run(planned, quietly, workers=1)
    assert list(failed) == [planned[2].run_id]
    assert "--data.train_size 100000" in failed[planned[2].run_id]
    assert [run.state for run in planned] == ["done", "done", "failed"]
    assert read_failure(planned[2].folder) == failed[planned[2].run_id]
    assert Run.open(planned[0].folder).randomization == "RandomLabels"
    before = (planned[0].folder / "record.json").stat().st_mtime_ns
    assert local.run(planned[:2], quietly) == {}
    assert (planned[0].folder / "record.json").stat().st_mtime_ns == before


@pytest.mark.slow
def test_a_folder_that_cannot_be_written_fails_its_run_only(write, runs):
    planned = plan(write(SWEEP)).runs
    runs.mkdir(exist_ok=True)
    planned[0].folder.write_text("a file in the place of a folder")
    failed = local.run(planned[:2], quietly, workers=1)
    assert str(planned[0].folder) in failed[planned[0].run_id]
    assert planned[1].state == "done"


def test_gpus_are_shared_out(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1,2,3,4")
    assert local.slots(None, 2) == [{"CUDA_VISIBLE_DEVICES": "0,1"}, {"CUDA_VISIBLE_DEVICES": "2,3"}]
    assert len(local.slots(7, 1)) == 7
    with pytest.raises(UserError, match="has 5 GPU"):
        local.slots(None, 6)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    monkeypatch.setattr(local.os, "sched_getaffinity", lambda _: set(range(8)))
    assert local.slots(None, 1) == [{"OMP_NUM_THREADS": "1"}] * 8
    assert local.slots(None, 2) == [{"OMP_NUM_THREADS": "1"}] * 4
    assert local.slots(2, 1) == [{"OMP_NUM_THREADS": "4"}] * 2


# What there is.


USUAL = as_written({"trainer.max_epochs": 100})


def planned_run(run_id: str, epochs: int | None = 10) -> PlannedRun:
    return PlannedRun(run_id, ("--model", "MLP"), Setting("MLP 1x512", "TrueLabels", 0.0, written=USUAL), epochs)


def history(folder: Path, epochs: int, seconds: float) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    rows = [f"{epoch},{epoch},{0.1 * epoch:g},{seconds - 1:g},1" for epoch in range(1, epochs + 1)]
    header = "epoch,step,train/accuracy,seconds/train,seconds/evaluation"
    (folder / "history.csv").write_text("\n".join([header, *rows]) + "\n")
    (folder / "config.yaml").write_text("")


def record(folder: Path, **different) -> None:
    """As much of one as it takes to be read."""
    required = {key: kind() for key, kind in run_module._REQUIRED.items()} | {"format": FORMAT}
    write_json(folder / "record.json", required | different)


def printed(width: int, *what) -> str:
    console = Console(width=width, record=True, file=io.StringIO())
    for each in what:
        console.print(each)
    return console.export_text()


def test_progress_and_the_time_that_is_left_come_from_the_disk(runs):
    done, begun, missing, failed = (planned_run(name) for name in ("done", "begun", "missing", "failed"))
    history(done.folder, 10, 3)
    record(done.folder)
    history(begun.folder, 4, 5)
    history(failed.folder, 1, 2)
    write_failure(failed.folder, "no space left", "Traceback ...")
    everything = [done, begun, missing, failed]
    states = status.progress(everything)
    assert [states[run.run_id].state for run in everything] == ["done", "interrupted", "missing", "failed"]
    assert states["begun"].epoch == 4
    assert states["begun"].accuracy == 0.4
    assert status.seconds_left([begun], states, 1) == 30
    with (begun.folder / "history.csv").open("a") as file:
        file.write("5,5,0.5,400000,1\n")  # suspended over the weekend
    assert status.seconds_left([begun], status.progress([begun]), 1) == 25
    # Six epochs of 5 s in one slot, in the other ten of the mean of 3, 5 and 2 s for the one that has not begun.
    assert status.seconds_left(everything, states, 2) == pytest.approx(10 * 10 / 3)
    assert status.seconds_left(everything, states, 1) == pytest.approx(6 * 5 + 10 * 10 / 3)
    assert status.seconds_left([missing], states, 1) is None
    shown = printed(120, status.table(everything, states, 120))
    assert "failed (MLP 1x512, true labels, seed 0): no space left" in shown
    assert "4/10" in shown
    assert status.summary(everything, states) == "1 done, 1 missing, 1 interrupted, 1 failed"
    assert [status.duration(s) for s in (40, 720, 3900, 7500)] == ["40 s", "12 min", "65 min", "2:05 h"]


def test_the_time_left_counts_slots_and_what_the_stop_rule_left_of_budgets():
    true, random = (replace(planned_run("a").setting, randomization=name) for name in ("TrueLabels", "RandomLabels"))
    jobs = [
        PlannedRun(f"{setting.randomization}{seed}", (), replace(setting, seed=seed), epochs=100)
        for setting in (true, random)
        for seed in (0, 1, 2)
    ]
    ids = [job.id for job in jobs]
    states = dict.fromkeys(ids, status.Progress("missing", epochs=100))
    assert seconds_left(jobs, states, 2) is None
    states[ids[0]] = status.Progress("running", 10, 100, None, 2.0)
    assert seconds_left(jobs[:1], states, 2) == 90 * 2  # one to go: the other core does not help
    assert seconds_left(jobs[:2], states, 2) == 100 * 2
    assert seconds_left(jobs[:3], states, 2) == 90 * 2 + 100 * 2
    states[ids[0]] = status.Progress("done", 20, 100, None, 2.0)
    assert seconds_left(jobs[:2], states, 2) == 20 * 2  # as the other seed
    assert seconds_left(jobs[:4], states, 1) == 3 * 20 * 2  # nothing is known of random labels: as the network
    states[ids[3]] = status.Progress("done", 60, 100, None, 2.0)
    assert seconds_left(jobs, states, 1) == 2 * 20 * 2 + 2 * 60 * 2
    states[ids[1]] = status.Progress("running", 30, 100, None, 2.0)
    assert seconds_left(jobs[:2], states, 1, jobs) == 30 * 2  # it got further than its other seed: as random labels
    states[ids[1]] = status.Progress("running", 70, 100, None, 2.0)
    assert seconds_left(jobs[:2], states, 1, jobs) == pytest.approx(30 * 2)  # and further than all: its whole budget
    assert status.summary(jobs[:2], states, 2) == "1 done, 1 running; about 60 s left, 2 at a time"


@pytest.mark.parametrize(("width", "named"), [(80, False), (120, True)])
def test_a_run_is_a_line_of_the_table(runs, width, named):
    planned = [planned_run(name * 12) for name in "abc"]
    write_failure(planned[1].folder, "a long story " * 10)
    lines = printed(width, status.table(planned, status.progress(planned), width)).splitlines()
    assert [("MLP 1x512, true labels, seed 0" in line, "a" * 12 in line) for line in lines[1:2]] == [(True, named)]
    assert [line.split()[-1] for line in lines[1:4]] == ["missing", "failed", "missing"]
    cropped = printed(width, status.table(planned, status.progress(planned), width, lines=3)).splitlines()
    assert len(cropped) == 1 + 2 + 1


def test_a_table_in_a_file_has_a_line_per_run_however_long(runs, monkeypatch):
    options = {"model.weight_decay": 0.0005, "model.augmentation": "random_crop", "model.dropout": 0.5}
    setting = Setting("SmallInception", "RandomLabels", 1.0, written=as_written(options))
    planned = [PlannedRun(name, (), setting, 10) for name in ("a", "b")]
    console = Console(file=io.StringIO(), width=80)
    status.show(console, planned, status.progress(planned))
    lines = console.file.getvalue().splitlines()
    assert [setting.label in line and "missing" in line for line in lines] == [False, True, True, False]


@pytest.fixture
def three(write, runs, monkeypatch) -> tuple[tuple[PlannedRun, ...], list[list[str]]]:
    """An experiment of three runs that the commands find, and what they gave to the local launcher."""
    experiment = write(SWEEP, scale="demo")
    monkeypatch.setattr("rethink.cli.sweep.Experiment.load", lambda *_: experiment)
    given: list[list[str]] = []
    monkeypatch.setattr(local, "run", lambda runs, *_: given.append([run.run_id for run in runs]) or {})
    return plan(experiment).runs, given


def refused(capsys, *arguments: str) -> str:
    """What `rethink sweep ARGUMENTS` says that ends with an error."""
    with pytest.raises(SystemExit) as exit:
        main(["sweep", *arguments])
    assert exit.value.code == 2
    return capsys.readouterr().err


def test_a_failure_is_left_alone_by_run_and_tried_again_by_retry(three, capsys):
    planned, given = three
    write_failure(planned[0].folder, "it broke")
    said = refused(capsys, "run", "tiny", "--scale", "demo", "--seeds", "0")
    assert given.pop() == [run.run_id for run in planned[1:]]
    assert "1 of 3 runs had failed before" in said
    assert "`rethink sweep retry tiny --scale demo --seeds 0` tries them again" in said
    main(["sweep", "status", "tiny", "--once"])
    assert "it broke" in capsys.readouterr().out
    main(["sweep", "retry", "tiny", "--launcher", "print"])
    assert planned[0].state == "failed"  # nothing was tried
    main(["sweep", "retry", "tiny"])
    assert given.pop() == [run.run_id for run in planned]
    assert planned[0].state == "missing"


def test_a_record_that_cannot_be_read_is_shown_and_repeated_by_retry(three, capsys):
    (damaged, older, newer), given = three
    for planned in (damaged, older, newer):
        history(planned.folder, 1, 2)
    (damaged.folder / "record.json").write_text('{"format"')
    record(older.folder, format=0)
    record(newer.folder, format=FORMAT + 1)
    assert "2 of 3 runs had failed before, or have a damaged record" in refused(capsys, "run", "tiny")
    assert given == []
    with pytest.raises(SystemExit) as exit:
        main(["sweep", "status", "tiny", "--once"])
    assert exit.value.code == 1
    said = capsys.readouterr().out
    assert "1 done, 2 damaged" in said
    assert "no format number of this rethink" in said
    main(["sweep", "retry", "tiny"])
    assert given == [[damaged.run_id, older.run_id]]  # what a newer rethink wrote is not ours to repeat
    assert (damaged.folder / "before" / "record.json").read_text() == '{"format"'
    assert newer.state == "done"


def test_failures_and_what_cannot_be_a_run_are_both_said(three, capsys, monkeypatch):
    monkeypatch.setattr("rethink.cli.sweep.plans", lambda _: [Plan(three[0], ("sweep.yaml: no such option",))])
    monkeypatch.setattr(local, "run", lambda runs, *_: {runs[0].run_id: "it broke"})
    said = refused(capsys, "run", "tiny")
    assert "sweep.yaml: no such option" in said
    assert f"{three[0][0].run_id}: it broke" in said


def test_a_cancelled_run_is_left_by_the_sweeps_that_want_it(write, runs, monkeypatch):
    first, second = plan(write(SWEEP)).runs[:2]
    asked = []

    def ask(worker, planned, devices, sweep):
        asked.append(planned)
        cancellation.mark([second])
        return local.Outcome("stopped")

    monkeypatch.setattr(local, "_run_on_worker", ask)
    monkeypatch.setattr(local, "_start_worker", lambda slot: subprocess.Popen("cat", stdin=subprocess.PIPE))
    assert set(local.run([first, second], quietly, workers=1)) == {first.run_id, second.run_id}
    assert asked == [first]  # and not again either
    local.run([second], quietly)
    assert asked == [first, second]  # by a sweep that was begun later


def test_a_plan_needs_no_folder_that_can_be_written_and_no_whole_cache(write, runs, monkeypatch):
    experiment = write(SWEEP)
    before = plan(experiment)
    for cache in (runs / ".plans").glob("*.json"):
        cache.write_text(cache.read_text().replace("0", "1"))
    assert plan(experiment) == before
    shutil.rmtree(runs)
    runs.write_text("a file")
    assert plan(experiment) == before


def test_runs_that_differ_in_the_seed_alone_are_parsed_once_and_are_what_they_would_be(runs, monkeypatch):
    parsed = []
    identify = identities.identify
    monkeypatch.setattr(identities, "identify", lambda command: parsed.append(command) or identify(command))
    model = ("fit", "--config", "configs/base.yaml", "--data", "Synthetic", "--model", "MLP")
    commands = [
        (*model, *dropout, "--seed_everything", seed) for dropout in ((), ("--model.dropout", "0.5")) for seed in "072"
    ]
    commands += [("fit", "--seed_everything", "7", *model[1:]), (*model, "--seed_everything", "x")]
    answers = identities.identities(commands)
    assert len(parsed) == 4
    assert answers[:-1] == [identify(command) for command in commands[:-1]]
    assert "error" in answers[-1]
    assert len({answer["id"] for answer in answers[:6]}) == 6
    assert answers[6]["id"] == answers[1]["id"]
    parsed.clear()
    assert identities.identities(commands) == answers
    assert parsed == [commands[-1]]  # what may be mended is not kept


@pytest.mark.parametrize(
    ("edit", "other"),
    [
        (("# a comment", "# another"), False),
        (("return images", "return 2 * images"), False),
        (("dropout=0.5", "dropout=0.0"), True),
        (("LEVEL = 1", "LEVEL = 2"), True),
        (("return level", "return -level"), True),
    ],
)
def test_identities_depend_on_options_and_defaults_and_not_on_what_methods_do(tmp_path, edit, other):
    source = '''"""A module."""
LEVEL = 1

class Network(Base):
    """A class."""

    def __init__(self, dropout=0.5, level=LEVEL):
        """Takes options."""  # a comment

    def canonical(self, level):
        return level

    def forward(self, images):
        return images
'''
    before, after = tmp_path / "before.py", tmp_path / "after.py"
    before.write_text(source)
    after.write_text(source.replace(*edit))
    assert before.read_text() != after.read_text()
    assert (interface(before) != interface(after)) == other


def test_a_class_of_ones_own_that_has_changed_is_identified_anew(runs, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    source = "from rethink.models import MLP\nclass Mine(MLP): pass\n"
    (tmp_path / "edited_network.py").write_text(source)
    identify, parsed = identities.identify, []
    monkeypatch.setattr(identities, "identify", lambda command: parsed.append(command) or identify(command))
    command = ("fit", "--config", "configs/base.yaml", "--data", "Synthetic", "--model", "edited_network.Mine")
    for expected in (1, 1):
        identities.identities([command])
        assert len(parsed) == expected
    (tmp_path / "edited_network.py").write_text(source + "SIZE = 2\n")
    identities.identities([command])
    assert len(parsed) == 2


# Launchers of clusters.


def test_the_print_launcher_prints_commands_that_the_shell_reads(write, runs, monkeypatch, capsys):
    experiment = write(SWEEP)
    monkeypatch.setattr("rethink.cli.sweep.Experiment.load", lambda *_: experiment)
    main(["sweep", "run", "tiny", "--launcher", "print"])
    lines = capsys.readouterr().out.splitlines()
    assert [tuple(shlex.split(line)[2:]) for line in lines] == [run.arguments for run in plan(experiment).runs]
    assert {shutil.which(shlex.split(line)[0]) is not None for line in lines} == {True}


def test_the_exported_job_array_can_be_read(write, runs):
    planned = plan(write(SWEEP)).runs
    resources = slurm_array.Resources(partition="gpu", processes_per_node=2, more={"mail-user": "me@here"})
    script = slurm_array.export("tiny-full", planned, resources).read_text()
    assert script.startswith("#!/bin/bash\n# 3 runs of rethink")
    wanted = ("array=0-2%32", "partition=gpu", "signal=USR1@90", "ntasks-per-node=2", "mail-user=me@here", "requeue")
    for option in wanted:
        assert f"#SBATCH --{option}\n" in script
    assert "account" not in script
    assert f"export RETHINK_RUNS={runs}\n" in script
    assert "srun --cpus-per-task=4 " in script
    (listed,) = (runs / ".sweeps" / "tiny-full").glob("commands-*.txt")
    assert str(listed) in script
    commands = listed.read_text().splitlines()
    assert commands[0].endswith("--trainer.devices 2 --trainer.num_nodes 1 --trainer.strategy ddp")
    assert "sweep task" in script.splitlines()[-1]
    slurm_array.export("tiny-full", planned[1:], resources)  # while the first array waits
    assert listed.read_text().splitlines() == commands


def test_the_kubernetes_manifest_is_valid(write, runs):
    planned = plan(write(SWEEP)).runs
    path = kubernetes.export("tiny_full", planned, specification.load(kubernetes.Resources, kubernetes.CONFIG))
    config_map, job = yaml.safe_load_all(path.read_text())
    for document in (config_map, job):
        kubernetes_validate.validate(document, kubernetes_validate.latest_version(), strict=True)
    assert job["spec"]["completions"] == 3
    assert job["spec"]["completionMode"] == "Indexed"
    assert config_map["data"]["commands.txt"].splitlines()[0].startswith("rethink fit --config configs/base.yaml")
    job["spec"]["completions"] = "three"
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(job, kubernetes_validate.latest_version(), strict=True)


def test_a_manifest_asks_for_secret_priority_nodes_and_tolerations(write, runs, tmp_path):
    tolerations = [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}]
    asked = {"wandb_secret": "keys", "priority_class": "low", "node_selector": {"gpu": "h100"}}
    config = tmp_path / "kubernetes.yaml"
    config.write_text(yaml.safe_dump(asked | {"tolerations": tolerations}))
    path = kubernetes.export("tiny", plan(write(SWEEP)).runs, specification.load(kubernetes.Resources, config))
    _, job = yaml.safe_load_all(path.read_text())
    kubernetes_validate.validate(job, kubernetes_validate.latest_version(), strict=True)
    pod = job["spec"]["template"]["spec"]
    assert pod["priorityClassName"] == "low"
    assert pod["nodeSelector"] == {"gpu": "h100"}
    assert pod["tolerations"] == tolerations
    secret = {"secretKeyRef": {"name": "keys", "key": "WANDB_API_KEY"}}
    assert pod["containers"][0]["env"] == [{"name": "WANDB_API_KEY", "valueFrom": secret}]
    plain = kubernetes.manifest("tiny", plan(write(SWEEP)).runs, kubernetes.Resources())[1]["spec"]["template"]["spec"]
    assert plain.keys() == pod.keys() - {"priorityClassName", "nodeSelector", "tolerations"}
    assert "env" not in plain["containers"][0]


def test_a_job_of_kubernetes_is_named_by_what_it_does(write, runs):
    planned = plan(write(SWEEP)).runs

    def name(*arguments) -> str:
        return kubernetes.manifest(*arguments, kubernetes.Resources())[1]["metadata"]["name"]

    assert name("tiny", planned) == name("tiny", planned)
    assert name("tiny", planned) != name("tiny", planned[1:])  # a Job that is there cannot be changed
    assert len(name("Regularizer_effects-memorization_order-strong_and_weak-full", planned)) < 50


@pytest.fixture
def squeue(tmp_path, monkeypatch):
    """Puts a squeue into the path."""

    def squeue(script: str) -> None:
        (tmp_path / "bin").mkdir(exist_ok=True)
        (tmp_path / "bin" / "squeue").write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / "bin" / "squeue").chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
        slurm_array._states.cache_clear()

    return squeue


def test_a_job_number_that_slurm_has_given_again_is_anothers(runs, squeue):
    ours, theirs = planned_run("ours"), planned_run("theirs")
    for run, name in ((ours, "rethink-tiny-1"), (theirs, "rethink-tiny-0")):
        run.folder.mkdir(parents=True)
        (run.folder / "job.txt").write_text(f"12_3 {name}\n")
    squeue("echo 12_3 rethink-tiny-1 PENDING")
    assert slurm_array.queued([ours.folder, theirs.folder]) == {ours.folder}
    squeue("echo slurm_load_jobs error: Invalid job id specified >&2; exit 1")
    assert slurm_array.queued([ours.folder]) == set()


def test_a_slurm_that_does_not_answer_is_no_end_of_what_was_queued(runs, squeue):
    run = planned_run("ours")
    run.folder.mkdir(parents=True)
    (run.folder / "job.txt").write_text("12_3 rethink\n")
    squeue("echo 12_3 rethink PENDING")
    before = status.progress([run])
    assert before["ours"].state == "queued"
    squeue("echo Unable to contact slurm controller >&2; exit 1")
    assert status.progress([run], before) == before
    assert status.progress([run])["ours"].state == "missing"
    with pytest.raises(UserError, match="squeue does not answer: Unable to contact"):
        slurm_array.queued([run.folder])


def test_what_is_under_way_may_pause_for_a_moment(monkeypatch):
    now = 0.0
    monkeypatch.setattr(status.time, "monotonic", lambda: now)
    runs = [planned_run("a"), planned_run("b")]

    def going(*states: str) -> bool:
        return watched({name: status.Progress(state) for name, state in zip("ab", states, strict=True)})

    watched = status.under_way(runs)
    assert going("running", "missing")
    now += 1000
    assert going("queued", "missing")
    now += status._MOMENT - 1  # it was preempted, and is not in the queue yet
    assert going("interrupted", "missing")
    assert not going("done", "failed")
    now += 2
    assert not going("interrupted", "missing")


def test_a_task_outwaits_an_owner_that_may_be_dead(runs, monkeypatch):
    arguments = ["--data", "Synthetic", "--model", "MLP", "--model.hidden_sizes", "[4]", "--trainer.max_epochs", "1"]
    folder = runs / identify(["fit", *arguments])[0]
    folder.mkdir(parents=True)
    another = replace(Owner.this_process(), host="another", scope="another", token="another")
    (folder / LEASE).write_text(json.dumps(asdict(another)))
    last_heard = time.time() - lease.STALE_AFTER + 2
    os.utime(folder / LEASE, (last_heard, last_heard))
    assert execution.run_task(["fit", *arguments]).what == "done"


def test_a_task_trains_its_line(runs, tmp_path, capsys):
    options = "--data Synthetic --model MLP --model.hidden_sizes [4] --trainer.max_epochs 1"
    (tmp_path / "commands.txt").write_text(f"rethink fit {options}\nrm -rf everything\n")
    main(["sweep", "task", str(tmp_path / "commands.txt"), "0"])
    (record,) = runs.glob("*/record.json")
    assert "$ rethink fit --data Synthetic" in (record.parent / "log.txt").read_text()


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("run demoo", "Did you mean 'demo'?"),
        ("plan", "the following arguments are required: EXPERIMENT"),
        ("start demo", "invalid choice: 'start'"),
        (
            "status demo --scale demo --only ResNet",
            "--only 'ResNet' leaves no run. `rethink sweep status demo --scale demo",
        ),
        ("run demo --worker 2", "unrecognized arguments: --worker 2"),
        ("run demo --workers 0", "'0' is not a number from 1 up"),
        ("run demo --launcher sulrm", "invalid choice: 'sulrm'"),
        ("run demo --seeds a,b", "'a,b' is no list of seeds"),
        ("run demo --scale demo --export-only", "--export-only is for --launcher slurm, and this is --launcher local"),
        ("run demo --scale demo --launcher slurm --devices 2", "--devices is for --launcher local"),
        ("run demo --scale demo --launcher-config a.yaml", "--launcher-config is for slurm and kubernetes"),
        ("run demo --scale demo --launcher slurm --launcher-config no.yaml", "no.yaml: No such file"),
        ("task no.txt 0", "no.txt: No such file"),
        ("task Makefile 100000", "there is no line 100000"),
        ("task Makefile 1", "line 1 of Makefile is no `rethink fit ...`"),
    ],
)
def test_bad_commands(arguments, expected, runs, with_known_plans, capsys):
    with_known_plans(runs)
    with pytest.raises(SystemExit) as exit:
        main(["sweep", *arguments.split()])
    assert exit.value.code == 2
    assert expected in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("tolerations: {key: a}", "tolerations is {'key': 'a'}, and not a list"),
        ("tolerations: [a]", r"tolerations is \['a'\], and not a list of keys with values"),
        ("node_selector: {gpu: true}", "gpu is True, and not a text. Write it in quotes"),
        ("node_selector: gpu", "node_selector is 'gpu', and not keys with values"),
    ],
)
def test_wrong_resources_of_kubernetes_are_named_with_their_file(tmp_path, text, expected):
    path = tmp_path / "kubernetes.yaml"
    path.write_text(text)
    with pytest.raises(UserError, match=f"{path}: .*{expected}"):
        specification.load(kubernetes.Resources, path)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("partitoin: gpu", "unknown key 'partitoin'. Did you mean 'partition'"),
        ("nodes: two", "nodes is 'two', and not a whole number"),
        ("gpus_per_node: true", "gpus_per_node is True, and not a whole number"),
        ("memory_gb: lots", "memory_gb is 'lots', and not a number"),
        ("setup: module load cuda", "setup is 'module load cuda', and not a list"),
        ("more: null", "more is None, and not keys with values"),
        ("analysis: {nodes: 1}", "unknown key 'analysis'. Did you mean 'analyses'"),
        ("- a", "expected keys such as partition"),
        ("analyses: {partitoin: cpu}", "unknown key 'partitoin'. Did you mean 'partition'"),
        ("analyses: cpu", "analyses is 'cpu', and not keys with values"),
        ("a: [", "is not YAML"),
    ],
)
def test_wrong_resources_are_named(tmp_path, text, expected):
    path = tmp_path / "slurm.yaml"
    path.write_text(text)
    with pytest.raises(UserError, match=expected):
        specification.load(slurm_array.Resources, path)


def test_the_configs_of_launchers_are_the_defaults():
    assert specification.load(slurm_array.Resources, slurm_array.CONFIG) == slurm_array.Resources()
    assert specification.load(kubernetes.Resources, kubernetes.CONFIG) == kubernetes.Resources()
    one_process = slurm_array.Resources(memory_gb=24)
    assert specification.load(slurm_array.Resources, slurm_array.CONFIG, analyses=True) == one_process
    assert specification.load(kubernetes.Resources, kubernetes.CONFIG, analyses=True) == kubernetes.Resources(
        memory="24Gi"
    )


# The report of what there is.


def test_a_report_without_runs_says_how_to_make_them(runs, capsys):
    with pytest.raises(SystemExit):
        main(["report", "fig2b"])
    assert "make fig2b" in capsys.readouterr().err
    assert json.loads((runs / ".plans" / "identities.json").read_text())["answers"]


def test_plans_of_several_experiments_share_their_runs(runs, with_known_plans):
    with_known_plans(runs)
    both = [plan(Experiment.load(name, "demo")) for name in ("fig1b", "fig1c")]
    assert Plan.of(both) == both[0]
