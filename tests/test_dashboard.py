"""W&B as a mirror: every row once, in order, whatever was interrupted; and panels of keys that are really there."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import yaml
from wandb_server import KEY, Server

from rethink.cli import main
from rethink.dashboard import description, workspace
from rethink.dashboard.local import LocalRun, digest, unsent
from rethink.dashboard.mirror import last_step
from rethink.dashboard.pushed import Busy, MirrorState, mirror_lock
from rethink.errors import UserError
from rethink.files import write_json
from rethink.runs.identity import identity
from rethink.runs.reading import FORMAT
from rethink.runs.run import runs_folder

RUN = "0123456789ab"
STEPS = 10  # of an epoch
SETTINGS = {
    "seed_everything": 1,
    "trainer": {"max_epochs": 6},
    "model": {"class_path": "rethink.models.MLP", "init_args": {"hidden_sizes": [16], "weight_decay": 0.1}},
    "data": {
        "class_path": "rethink.data.Synthetic",
        "init_args": {
            "train_size": 96,
            "randomization": {
                "class_path": "rethink.randomization.PartiallyCorruptedLabels",
                "init_args": {"probability": 0.5},
            },
        },
    },
    "group": None,
    "tags": ["from the command line"],
    "wandb": None,
}
DIGESTS = {"train": "1" * 64, "test_randomized": "2" * 64}


def write(folder: Path, epochs: int, finished: bool = False, *, shift: float = 0.0) -> Path:
    """A run after some epochs, as training leaves it. The first two epochs lack an evaluation, one loss is NaN."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.yaml").write_text(yaml.safe_dump(SETTINGS | {"force": False}))
    lines = ["epoch,step,train/loss,train/accuracy,online/loss,test/accuracy,seconds/train"]
    for epoch in range(1, epochs + 1):
        evaluated = f"{1 / epoch + shift},{1 - 0.1 / epoch}" if epoch > 2 else ","
        online = "nan" if epoch == 4 else 2 / epoch
        lines.append(f"{epoch},{STEPS * epoch},{evaluated},{online},{0.5 if epoch > 2 else ''},1.5")
    (folder / "history.csv").write_text("\n".join(lines) + "\n")
    if finished:
        fitted = {"outcome": "converged", "epoch": 3, "step": 30}
        never = {"outcome": "not converged", "epoch": None, "step": None}
        record = {
            "format": FORMAT,
            "run_id": folder.name,
            "outcome": "converged",
            "seed": 1,
            "model": {"class": "MLP", "parameters": 1, "init_args": SETTINGS["model"]["init_args"]},
            "data": {"class": "Synthetic", "train_size": 96, "test_size": 40, "num_classes": 10, "digests": DIGESTS},
            "randomization": {"class": "PartiallyCorruptedLabels", "probability": 0.5},
            "budget": {"max_epochs": 6, "max_steps": -1},
            "final": {"epoch": epochs, "step": STEPS * epochs, "train/accuracy": 0.98, "test/accuracy": 0.5},
            "convergence": {"stop_rule": "loss<0.5", "rules": {"loss<0.5": fitted, "accuracy>=1.0": never}},
            "best_test_accuracy": {"test": {"best": 0.6, "epoch": 2, "final": 0.5, "gain": 0.1}},
            "config": SETTINGS,
            "identity": identity(SETTINGS),
        }
        write_json(folder / "record.json", record)
    return folder


def push(*options: str) -> int:
    """`rethink wandb push --mode offline` in this process; returns its exit code."""
    try:
        main(["wandb", "push", "--mode", "offline", *options])
    except SystemExit as exit:
        return int(exit.code or 0)
    return 0


def mirrors(folder: Path) -> list[Path]:
    return sorted(folder.glob("wandb/offline-run-*"))


@cache
def logged(mirror: Path) -> list[dict]:
    """What an offline run holds, record by record, as W&B's own tool reads it."""
    (file,) = mirror.glob("run-*.wandb")
    command = [str(Path(sys.executable).with_name("wandb")), "leet", "inspect", "--json", str(file)]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    return [json.loads(line) for line in result.stdout.splitlines()]


def only(records: list[dict], kind: str) -> list[dict]:
    return [record[kind] for record in records if record["type"] == kind]


def rows(mirror: Path) -> list[dict]:
    return [entry["item"] for entry in only(logged(mirror), "history")]


def updates(records: list[dict], kind: str) -> dict:
    """All updates of a summary, the later over the earlier."""
    merged: dict = {}
    for update in only(records, kind):
        merged |= update.get("update", {})
    return merged


def about(records: list[dict]) -> dict:
    (found,) = [record for record in only(records, "run") if "run_id" in record]
    return found


# Offline: one file with everything.


def test_a_finished_run_is_mirrored_whole(runs):
    folder = write(runs / RUN, 6, finished=True)
    assert push("--group", "fig1b", "--tags", "mine", "too", "--project", "p", "--entity", "e") == 0
    (mirror,) = mirrors(folder)
    records = logged(mirror)
    named = about(records)
    assert (named["run_id"], named["project"], named["entity"]) == (RUN, "p", "e")
    assert (named["run_group"], named["job_type"]) == ("fig1b", "fit")
    assert named["display_name"] == f"MLP Synthetic PartiallyCorruptedLabels {RUN}"
    tags = {"from the command line", "mine", "too", "MLP", "Synthetic", "PartiallyCorruptedLabels"}
    assert set(named["tags"]) == tags

    config = named["config"]["update"]
    for name, value in SETTINGS.items():
        assert config[name] == value, name
    assert (config["corruption"], config["architecture"], config["train_size"]) == (0.5, "MLP 1x16", 96)
    assert config["regularization"] == "weight decay"
    assert config["setting"] == "MLP 1x16, label corruption 0.5, weight decay 0.1, Synthetic, 96 images, 6 epochs"
    assert config["options"] == {"trainer.max_epochs": 6}

    metrics = {m.get("name") or m.get("glob_name"): m for m in only(records, "metric")}
    assert metrics["*"]["step_metric"] == description.STEP
    items = [entry["item"] for entry in only(records, "history")]
    assert [item["_step"] for item in items] == [item[description.STEP] for item in items] == [10, 20, 30, 40, 50, 60]
    assert [item["epoch"] for item in items] == [1, 2, 3, 4, 5, 6]
    assert ["train/loss" in item for item in items] == [False, False, True, True, True, True]
    assert ["online/loss" in item for item in items] == [True, True, True, False, True, True]
    assert items[4]["train/accuracy"] == pytest.approx(0.98)

    summary = updates(records, "summary")
    assert (summary["outcome"], summary["epochs_to_fit"], summary["steps_to_fit"]) == ("converged", 3, 30)
    assert summary["convergence/loss_0_5/epoch"] == 3
    assert summary["convergence/accuracy_1_0/outcome"] == "not converged"
    assert "convergence/accuracy_1_0/epoch" not in summary
    assert (summary["best/test/accuracy"], summary["test/error"]) == (0.6, 0.5)

    (artifact,) = only(records, "artifact")
    assert artifact["name"] == f"record-{RUN}"
    assert json.loads(artifact["metadata"]) == DIGESTS
    assert {item["path"] for item in artifact["manifest"]["contents"]} == {"record.json", "config.yaml"}


@pytest.mark.slow
def test_an_offline_push_in_the_middle_of_training_is_replaced_by_the_next(runs, capsys):
    folder = write(runs / RUN, 2)
    assert push() == 0
    (first,) = mirrors(folder)
    assert [row["_step"] for row in rows(first)] == [10, 20]
    assert not only(logged(first), "artifact")
    assert push() == 0
    assert "1 with nothing new" in capsys.readouterr().out
    assert mirrors(folder) == [first]
    time.sleep(1.1)  # the name of a mirror has the second
    write(folder, 6, finished=True)
    assert push() == 0
    (second,) = mirrors(folder)
    assert second != first
    assert [row["_step"] for row in rows(second)] == [10, 20, 30, 40, 50, 60]
    state = json.loads((folder / "wandb-pushed.json").read_text())
    assert (state["mode"], state["last_step"], state["rows"], state["finished"]) == ("offline", 60, 6, True)


@pytest.mark.parametrize("mark", ["synced", "syncstate", None])
def test_an_offline_mirror_never_doubles_rows(runs, capsys, mark):
    """`wandb sync` adds the rows of a file to those that W&B has, so a second whole file would double them."""
    folder = write(runs / RUN, 2)
    push()
    (mirror,) = mirrors(folder)
    if mark is None:
        shutil.rmtree(mirror)
    else:
        (mirror / f"run-{RUN}.wandb.{mark}").touch()
    if mark == "synced":
        (folder / "wandb-pushed.json").unlink()
    write(folder, 3)
    assert push() == 1
    assert "use --mode online" in capsys.readouterr().err


def test_another_project_is_another_mirror(runs):
    folder = write(runs / RUN, 2)
    MirrorState("online", "me", "one", last_step=20, rows=2, digest="another").write(folder)
    assert push("--project", "one") == 1  # W&B has rows of it, whatever one's default entity is
    assert push("--project", "two") == 0
    assert [row["_step"] for row in rows(mirrors(folder)[0])] == [10, 20]


def test_nothing_of_an_interrupted_push_is_left(runs):
    folder = write(runs / RUN, 2)
    (folder / ".wandb-push-killed" / "wandb").mkdir(parents=True)
    assert push() == 0
    assert not list(folder.glob(".wandb-push-*"))


def test_a_run_that_logs_itself_is_left_alone_and_the_others_go_on(runs, capsys):
    busy, free = write(runs / RUN, 2), write(runs / "ba9876543210", 2)
    with mirror_lock(busy), pytest.raises(Busy), mirror_lock(busy):
        pass
    with mirror_lock(busy):
        assert push() == 1
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "W&B" in line]
    assert f"cannot push {RUN}: the run logs itself now" in line
    assert (len(mirrors(busy)), len(mirrors(free))) == (0, 1)


def test_a_damaged_run_is_a_line(runs, capsys):
    write(runs / RUN, 2)
    (runs / RUN / "history.csv").write_text("epoch,step\n1")
    write(runs / "ba9876543210", 2)
    assert push() == 1
    assert f"cannot push {RUN}: " in capsys.readouterr().err
    assert mirrors(runs / "ba9876543210")


def test_a_run_without_an_epoch_is_no_failure(runs, capsys):
    write(runs / RUN, 2)
    (runs / RUN / "history.csv").unlink()
    assert push() == 0
    assert f"{RUN}: no epoch yet" in capsys.readouterr().err


def test_runs_are_named_by_their_first_digits(runs):
    write(runs / RUN, 2)
    write(runs / "ba9876543210", 2)
    assert push("ba9") == 0
    assert (len(mirrors(runs / RUN)), len(mirrors(runs / "ba9876543210"))) == (0, 1)
    with pytest.raises(SystemExit, match="2"):
        main(["wandb", "push", "nothing"])


def test_an_experiment_has_its_runs_and_its_group(runs, monkeypatch):
    from rethink.cli import wandb as command

    folder = write(runs / RUN, 2)
    write(runs / "ba9876543210", 2)
    monkeypatch.setattr(command, "_of_experiment", lambda options: [runs_folder() / RUN])
    assert push("--experiment", "fig1b") == push("--experiment", "fig1b") == 0
    (mirror,) = mirrors(folder)
    assert about(logged(mirror))["run_group"] == "fig1b"
    assert not mirrors(runs / "ba9876543210")


# The live logger and push say the same.


TINY = [
    *("--model", "MLP", "--model.hidden_sizes", "[16]", "--data", "Synthetic", "--data.num_train", "96"),
    *("--data.num_test", "40", "--trainer.max_epochs", "3", "--trainer.devices", "1"),
    *("--data.randomization", "PartiallyCorruptedLabels", "--data.randomization.probability", "0.5"),
]


@pytest.mark.slow
def test_a_push_after_a_live_offline_log_replaces_it_by_the_same(fit):
    run = fit(*TINY, "--wandb", "offline", "--tags", "[mine]")
    (live,) = mirrors(run.path)
    told = logged(live)
    time.sleep(1.1)
    assert push() == 0
    (pushed,) = mirrors(run.path)
    assert pushed != live
    again = logged(pushed)
    for part in ("run_id", "project", "run_group", "job_type", "display_name"):
        assert about(told)[part] == about(again)[part], part
    assert sorted(about(told)["tags"]) == sorted(about(again)["tags"])
    one, other = ([entry["item"] for entry in only(records, "history")] for records in (told, again))
    timed = {"_runtime", "_timestamp"}
    assert [set(row) - timed for row in one] == [set(row) - timed for row in other]
    for row, same in zip(one, other, strict=True):
        for name in set(row) - timed:
            assert row[name] == pytest.approx(same[name], rel=1e-8), name
    kept = [
        {k: v for k, v in updates(records, "summary").items() if not k.startswith("_")} for records in (told, again)
    ]
    assert kept[0].keys() == kept[1].keys()
    assert "epochs_to_fit" in kept[0] or kept[0]["outcome"] == "not converged"
    configs = []
    for records in (told, again):
        config = about(records).get("config", {}).get("update", {}) | updates(records, "config")
        configs.append({k: v for k, v in config.items() if k != "_wandb"})
    assert configs[0] == configs[1]
    assert [a["digest"] for a in only(told, "artifact")] == [a["digest"] for a in only(again, "artifact")]


def test_every_key_of_the_workspaces_is_logged(fit):
    run = fit(*TINY, "--convergence.stop_rule", "accuracy>=0.01")  # reached, so that there are epochs to fit
    assert push() == 0
    records = logged(mirrors(run.path)[0])
    config = set(about(records)["config"]["update"])
    summary = set(updates(records, "summary"))
    history = set().union(*(entry["item"] for entry in only(records, "history")))
    assert {"train/loss", "corruption"} <= history | config
    found = 0
    for text in map(json.dumps, map(workspace.spec, workspace.build("e", "p"))):
        spec = json.loads(text)["spec"]["section"]
        for panel in (p for section in spec["panelBankConfig"]["sections"] for p in section["panels"]):
            for key in panel["config"].get("metrics", []):
                assert key in (history if "Line" in panel["viewType"] else summary), key
                found += 1
            for axis in ("xAxis", "yAxis", "groupBy"):
                key = panel["config"].get(axis)
                if key is None:
                    continue
                kind, _, name = key.rpartition(":")
                known = {"": history, "summary": summary, "config": config}[kind if axis != "groupBy" else "config"]
                assert name.removesuffix(".value") in known, key
                found += 1
        (runset,) = spec["runSets"]
        for item in runset["filters"]["filters"]:
            key = item["key"]
            assert (key["section"], key["name"]) == ("run", "jobType") or key["name"] in config, key
        for key in runset["grouping"]:
            assert key["section"] == "config"
            assert key["name"].removesuffix(".value") in config, key
        for column in runset["runFeed"]["columnOrder"]:
            assert column == "run:displayName" or column.removeprefix("summary:") in summary, column
    assert found > 20


# Workspaces.


def test_the_workspaces_are_those_of_the_paper(capsys):
    main(["wandb", "workspace", "--print", "--entity", "me", "--project", "mine"])
    everything, *others = json.loads(capsys.readouterr().out)
    names = ["Figure 1a", "Figure 1b", "Figure 1c", "Figure 2b", "Table 1"]
    assert [s["name"] for s in everything["spec"]["section"]["panelBankConfig"]["sections"]] == names
    assert [view["displayName"] for view in others] == names
    assert {(view["entity"], view["project"]) for view in [everything, *others]} == {("me", "mine")}
    (runset,) = others[0]["spec"]["section"]["runSets"]
    values = {item["key"]["name"]: item["value"] for item in runset["filters"]["filters"]}
    assert values["architecture"] == "SmallInception"
    assert "PartiallyCorruptedLabels" not in values["randomization"]
    assert [key["name"] for key in runset["grouping"]] == ["randomization.value"]


def test_without_the_extra_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "wandb_workspaces", None)
    monkeypatch.setitem(sys.modules, "wandb_workspaces.workspaces", None)
    with pytest.raises(UserError, match=r"pip install -e '\.\[dashboard\]'"):
        workspace.build("e", "p")


# Which rows are to be sent.


@pytest.mark.parametrize(("last", "expected"), [(-1, [10, 20, 30]), (0, [10, 20, 30]), (20, [30]), (30, []), (99, [])])
def test_the_rows_after_the_last_step_of_the_server_are_sent(runs, last, expected):
    local = LocalRun.read(write(runs / RUN, 3))
    assert [row["step"] for row in unsent(local.rows, last)] == expected


def test_the_last_step_of_the_server_is_that_of_its_rows(runs):
    local = LocalRun.read(write(runs / RUN, 6)).rows
    assert last_step(0, {}, local) == -1
    assert last_step(31, {description.STEP: 30}, local) == 30
    assert last_step(31, {description.STEP: 60}, local) == 30  # the row decides
    assert last_step(3, {description.STEP: 30}, local) == 30  # another logger, which numbers rows
    assert last_step(3, {}, local) == 2


def test_rows_that_were_trained_anew_are_noticed_and_durations_are_not(runs):
    local = LocalRun.read(write(runs / RUN, 3)).rows
    slower = [row | {"seconds/train": 99.0} for row in local]
    assert digest(local) == digest(slower) != digest(LocalRun.read(write(runs / RUN, 3, shift=0.1)).rows)


def test_a_damaged_state_counts_as_none(tmp_path):
    (tmp_path / "wandb-pushed.json").write_text('{"unknown": 1}')
    assert MirrorState.read(tmp_path) is None
    MirrorState("online", "e", "p", last_step=3).write(tmp_path)
    assert MirrorState.read(tmp_path).last_step == 3


# Online, with W&B's own client against a server in memory.


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        yield server


def environment(url: str, **changed: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("WANDB")}
    return kept | {"WANDB_BASE_URL": url, "WANDB_API_KEY": KEY, "NETRC": "/nowhere"} | changed


def push_online(url: str, *options: str, **changed: str) -> subprocess.CompletedProcess[str]:
    """In a process of its own: wandb reads its settings once."""
    command = [sys.executable, "-m", "rethink", "wandb", "push", "--timeout", "20", *options]
    return subprocess.run(command, env=environment(url, **changed), capture_output=True, text=True, timeout=90)


@pytest.mark.slow
def test_online_every_row_arrives_once(runs, server):
    folder = write(runs / RUN, 2)
    first = push_online(server.url, "--group", "fig1b")
    assert (first.returncode, "1 pushed (2 rows)" in first.stdout) == (0, True), first.stderr
    assert server.steps(RUN) == [10, 20]

    write(folder, 4)
    (folder / "wandb-pushed.json").unlink()  # killed before it could be written: the server is asked
    assert "(2 rows)" in push_online(server.url, "--group", "fig1b", WANDB_MODE="offline").stdout
    assert server.steps(RUN) == [10, 20, 30, 40]

    write(folder, 6, finished=True)
    assert "(2 rows)" in push_online(server.url).stdout
    assert server.steps(RUN) == [10, 20, 30, 40, 50, 60]
    run = server.runs[RUN]
    assert (run["group"], run["jobType"], run["summary"]["outcome"]) == ("fig1b", "fit", "converged")
    assert server.config(RUN)["corruption"] == 0.5
    assert [json.loads(artifact["metadata"]) for artifact in server.artifacts] == [DIGESTS]

    server.operations.clear()
    assert "1 with nothing new" in push_online(server.url).stdout
    assert not server.operations
    assert not list(folder.glob("wandb"))

    assert push() == 1  # a file would double what W&B has


@pytest.mark.slow
def test_a_killed_push_is_repeated_without_duplicates(runs, server):
    write(runs / RUN, 6, finished=True)
    push_online(server.url)
    run = server.runs[RUN]
    del run["history"][3:]  # what had arrived when it was killed
    run["summary"]["_step"] = 30
    (runs / RUN / "wandb-pushed.json").unlink()
    assert "(3 rows)" in push_online(server.url).stdout
    assert server.steps(RUN) == [10, 20, 30, 40, 50, 60]


@pytest.mark.slow
def test_rows_that_wandb_will_not_take_are_said_and_not_taken_for_sent(runs, server):
    """W&B's client skips the steps up to the summary's, also those whose rows never arrived."""
    write(runs / RUN, 6, finished=True)
    push_online(server.url)
    del server.runs[RUN]["history"][3:]
    (runs / RUN / "wandb-pushed.json").unlink()
    result = push_online(server.url, "--timeout", "6")
    assert "the steps up to 30 of 60" in result.stderr
    assert result.returncode == 1
    assert not (runs / RUN / "wandb-pushed.json").exists()


@pytest.mark.slow
def test_a_push_killed_in_the_middle_leaves_a_run_that_can_be_pushed(runs, server):
    folder = write(runs / RUN, 6, finished=True)
    command = [sys.executable, "-m", "rethink", "wandb", "push", "--timeout", "20"]
    going = subprocess.Popen(command, env=environment(server.url), stderr=subprocess.DEVNULL)
    while not server.operations["UpsertBucket"] and going.poll() is None:
        time.sleep(0.01)
    going.send_signal(signal.SIGKILL)
    going.wait()
    assert not (folder / "wandb-pushed.json").exists()
    time.sleep(1)  # the service process of wandb ends by itself
    assert push_online(server.url).returncode == 0
    assert server.steps(RUN) == [10, 20, 30, 40, 50, 60]
    assert not list(folder.glob(".wandb-push-*"))


@pytest.mark.slow
def test_a_full_quota_is_a_line_and_the_others_go_on(runs, server):
    write(runs / RUN, 6, finished=True)
    write(runs / "ba9876543210", 2)
    server.full.add(RUN)
    result = push_online(server.url, "--timeout", "6")
    (line,) = [line for line in result.stderr.splitlines() if "W&B" in line]
    assert f"cannot push {RUN}: " in line
    assert "`rethink wandb push` again sends the rest" in line
    assert result.returncode == 1
    assert server.steps("ba9876543210") == [10, 20]
    assert not (runs / RUN / "wandb-pushed.json").exists()
    server.full.clear()
    assert push_online(server.url).returncode == 0
    assert server.steps(RUN) == [10, 20, 30, 40, 50, 60]


@pytest.mark.slow
def test_rows_that_were_trained_anew_are_said_once(runs, server):
    folder = write(runs / RUN, 3)
    push_online(server.url)
    write(folder, 6, finished=True, shift=0.1)
    result = push_online(server.url)
    assert (result.returncode, "trained anew" in result.stderr) == (0, True)
    assert server.steps(RUN) == [10, 20, 30, 40, 50, 60]
    assert "trained anew" not in push_online(server.url).stderr


def test_without_a_key_every_run_is_a_line(runs, server):
    write(runs / RUN, 2)
    write(runs / "ba9876543210", 2)
    result = push_online(server.url, WANDB_API_KEY="")
    lines = [line for line in result.stderr.splitlines() if "cannot push" in line]
    assert (len(lines), result.returncode) == (2, 1)
    assert all("wandb login" in line for line in lines)
    assert not server.operations


@pytest.mark.slow
def test_a_server_that_is_down_holds_nobody_up(runs):
    for number in range(5):
        write(runs / f"{number}123456789ab", 2)
    begun = time.monotonic()
    result = push_online("http://127.0.0.1:9", "--timeout", "2")
    assert time.monotonic() - begun < 40  # asked for the first run only
    assert result.stderr.count("cannot push") == 5
    assert result.returncode == 1


@pytest.mark.slow
def test_nothing_is_sent_again_of_a_run_that_logged_itself_online(runs, server):
    command = [sys.executable, "-m", "rethink", "fit", "--config", "configs/base.yaml", *TINY, "--wandb", "online"]
    subprocess.run(command, env=environment(server.url), check=True, capture_output=True, timeout=120)
    ((run_id, run),) = server.runs.items()
    steps = server.steps(run_id)
    assert len(steps) == len(set(steps)) == 3
    assert run["summary"]["outcome"]
    result = push_online(server.url)
    assert "(0 rows)" in result.stdout, result.stderr
    assert server.steps(run_id) == steps
    assert push() == 1  # a file would double what W&B has


# Light.


@pytest.mark.parametrize("arguments", [["--help"], ["push", "--help"], ["push", "--mode", "offline"]])
def test_a_push_imports_no_torch_and_help_no_wandb(runs, arguments):
    write(runs / RUN, 2, finished=True)  # one that is under way has no record: what it is takes its classes' defaults
    code = (
        "import sys, atexit\n"
        "from rethink.cli import main\n"
        "heavy = ('torch', 'lightning', 'matplotlib') + (('wandb',) if '--help' in sys.argv else ())\n"
        "atexit.register(lambda: print([name for name in heavy if name in sys.modules]))\n"
        "main(['wandb', *sys.argv[1:]])\n"
    )
    result = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, timeout=60)
    assert result.stdout.splitlines()[-1] == "[]", result.stderr
