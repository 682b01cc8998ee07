"""The installed wheel, far from the repository: what a user has who cloned nothing."""

import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest
from test_outside_classes import FILES, FIT, SWEEP

REPOSITORY = Path(__file__).parents[1]
BUILD = "import sys; from setuptools import build_meta; print(build_meta.build_wheel(sys.argv[1]))"
OWN_SWEEP = SWEEP.replace('data: streamed.Streamed, data.root: "."', "data: own_data.Few").replace(
    "[null, sign_descent.SignDescent]", "[null, Adam]"
)
SYNTHETIC = ("--data", "Synthetic", "--data.num_train", "60", "--data.num_test", "20")
MINE = """
layers: [configs/model/mlp_1x512.yaml, mine/small.yaml]
options: {model.hidden_sizes: [3], data: Synthetic, data.num_train: 60, data.num_test: 20}
seeds: [1]
groups:
  - grid: {data.randomization: [TrueLabels, RandomLabels]}
"""
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from the committed files, as a release is."""
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    files = subprocess.run(["git", "ls-files", "-z"], cwd=REPOSITORY, capture_output=True, check=True, text=True)
    for name in filter(None, files.stdout.split("\0")):
        if name.startswith(("rethink/", "configs/")) or "/" not in name:
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((REPOSITORY / name).read_bytes())
    subprocess.run([sys.executable, "-c", BUILD, target], cwd=source, capture_output=True, check=True)
    (built,) = target.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def program(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`rethink` in an environment that has the wheel, and sees the packages here so that torch is not had twice."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, symlinks=True)
    (packages,) = folder.glob("lib/python*/site-packages")
    python = folder / "bin/python"
    install = [sys.executable, "-m", "uv", "pip", "install", "--offline", "--no-deps", "--python", python, wheel]
    subprocess.run(install, capture_output=True, check=True)
    # A path file in that folder, such as that of an editable installation, is not read from here.
    (packages / "shared.pth").write_text("\n".join(path for path in sys.path if path.endswith("site-packages")))
    return folder / "bin" / "rethink"


def test_the_wheel_has_what_is_no_python(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    here = [path for path in (REPOSITORY / "rethink").rglob("*") if path.suffix in (".html", ".css", ".js", ".typed")]
    assert len(here) >= 4
    configs = [Path("rethink", path.relative_to(REPOSITORY)) for path in (REPOSITORY / "configs").rglob("*.yaml")]
    assert len(configs) >= 20
    assert {str(path) for path in [*configs, *(path.relative_to(REPOSITORY) for path in here)]} <= names
    assert {name.partition("/")[0].partition("-")[0] for name in names} == {"rethink"}


def test_every_command_works_in_an_empty_folder(program, tmp_path):
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "RETHINK_"))}
    for name, text in FILES.items():
        (tmp_path / f"{name}.py").write_text(text)

    def rethink(*words: str, code: int = 0) -> str:
        done = subprocess.run([program, *words], cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert done.returncode == code, f"{words}: {done.stdout}{done.stderr}"
        assert "Traceback" not in done.stderr
        return done.stdout + done.stderr

    where = [program.parent / "python", "-c", "import rethink; print(rethink.__file__)"]
    installed = subprocess.run(where, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True).stdout
    assert str(REPOSITORY) not in installed

    # Without an experiment of one's own, what needs one says so.
    for command in ("report", "publish", "restore"):
        assert "folder of the repository" in rethink(command, code=2)
    assert "there is no experiment 'fig1b'" in rethink("sweep", "run", "fig1b", code=2)
    assert "there is no such file" in rethink("fit", "--config", "configs/bass.yaml", code=2)

    # A run by classes of one's own, and all that reads it.
    rethink("fit", *FIT)
    assert "train/accuracy" in rethink("validate", *FIT)
    assert "train/accuracy" in rethink("test", *FIT, "--trainer.limit_test_batches", "1")
    assert "20 predictions" in rethink("predict", *FIT)
    (record,) = tmp_path.glob("runs/*/record.json")
    run_id = record.parent.name
    assert "Linear" in rethink("show")
    assert run_id in rethink("show", run_id)
    assert "own_analysis.Epochs" in rethink("analyze", "own_analysis.Epochs", "--runs", f'["{run_id}"]')

    assert "1 pushed" in rethink("wandb", "push", run_id, "--mode", "offline")

    # A sweep of one's own: no figures.py, and so a table.
    (tmp_path / "experiments/own").mkdir(parents=True)
    (tmp_path / "experiments/own/sweep.yaml").write_text(OWN_SWEEP)
    assert "own_network.Linear" in rethink("sweep", "plan", "own")
    rethink("sweep", "run", "own", "--workers", "1")
    assert "9 done" in rethink("sweep", "status", "own", "--once")
    rethink("report", "own")
    table = (tmp_path / "results/full/own/settings.csv").read_text().splitlines()
    assert len(table) == 1 + 4
    assert "1 of 1 artefacts" in rethink("report")
    assert "own" in (tmp_path / "results/full/index.html").read_text()
    rethink("publish")
    assert len(list(tmp_path.glob("experiments/records/*/record.json"))) == 8
    assert "were there" in rethink("restore")

    # A file of options and a sweep, wherever they lie; a layer is found among those that the package has.
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/small.yaml").write_text("trainer: {max_epochs: 1, devices: 1}")
    (tmp_path / "mine/sweep.yaml").write_text(MINE)
    model = ("--config", "configs/model/mlp_1x512.yaml", "--model.hidden_sizes", "[3]")
    assert "nothing left" in rethink("fit", *model, *SYNTHETIC, "--config", "mine/small.yaml")
    rethink("sweep", "run", "mine/sweep.yaml", "--workers", "1")
    assert "2 done" in rethink("sweep", "status", "mine", "--once")
    rethink("report", "mine")
    assert len((tmp_path / "results/full/mine/settings.csv").read_text().splitlines()) == 1 + 2
