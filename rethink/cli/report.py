"""`rethink report EXPERIMENT`: tables, figures and page from whatever records there are."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

from rich.console import Console

from rethink.cli.arguments import Parser
from rethink.errors import UserError
from rethink.records.run import Run
from rethink.sweep.experiment import EXPERIMENTS, Experiment
from rethink.sweep.plan import plan


def main(args: list[str]) -> None:
    """Runs `rethink report ARGS`."""
    parser = Parser(prog="rethink report", description="Tables, figures and a page from records.")
    parser.add_argument("experiment", help="a folder of experiments/")
    parser.add_argument("--output", type=Path, help="default: results/EXPERIMENT")
    options = parser.parse_args(args)
    experiment = Experiment.load(options.experiment)
    runs = [Run.open(run.folder) for run in plan(experiment) if run.state == "done"]
    if not runs:
        raise UserError(f"{experiment.name} has no finished run yet. Make them with `{experiment.command}`.")
    output = options.output or Path("results") / experiment.name
    table = _script(experiment.name).render(runs, output)
    Console().print(table.to_rich())
    print(f"\nOpen {output / 'index.html'}")


def _script(name: str) -> ModuleType:
    """experiments/<name>/figures.py as a module."""
    path = EXPERIMENTS / name / "figures.py"
    spec = importlib.util.spec_from_file_location(f"experiments.{name}.figures", path)
    if spec is None or spec.loader is None or not path.exists():
        raise UserError(f"{path} is not there: it turns the records of {name!r} into figures.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module
