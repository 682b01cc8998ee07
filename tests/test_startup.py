"""What a command imports: light ones no torch, the others nothing that they do not need."""

import subprocess
import sys

import pytest

from rethink.cli import main

ASIDE = (
    *("torch._dynamo", "torchvision", "scipy.signal", "torchmetrics.functional.image", "wandb", "mlflow", "IPython"),
    *("matplotlib", "triton"),
)


def in_a_process_of_its_own(code: str) -> str:
    """What a new interpreter prints."""
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout


def test_what_is_imported_comes_late(runs, capsys):
    """Light commands no torch, a measurement neither data nor models, training nothing that it does not need."""
    main(["sweep", "plan", "fig1b", "--scale", "demo", "--only", "MLP", "--seeds", "0"])  # which is kept
    commands = [["--version"], ["--help"], ["show"], ["sweep", "status", "fig1b", "--scale", "demo", "--once"]]
    code = f"""\
import os, sys, types
child = os.fork()
if child == 0:  # with names in the place of Lightning, whose import takes seconds
    sys.modules['lightning'] = sys.modules['lightning.pytorch'] = lightning = types.ModuleType('lightning.pytorch')
    lightning.Callback = lightning.LightningModule = lightning.Trainer = object
    import rethink.callbacks.measurement
    os._exit(bool({{'torch', 'rethink.data', 'rethink.models'}} & set(sys.modules)))
assert os.waitpid(child, 0)[1] == 0

from rethink.cli import main
for arguments in {commands}:
    main(arguments)
    heavy = {{'torch', 'lightning', 'numpy', 'matplotlib'}} & set(sys.modules)
    assert not heavy, (arguments, heavy)

try:
    main(["fit", "--print_config", "--model", "MLP", "--data", "Synthetic"])
except SystemExit:
    pass
early = [name for name in {ASIDE} if name in sys.modules]
assert not early, early
"""
    printed = in_a_process_of_its_own(code)
    assert "There are no runs" in printed
    assert "missing" in printed


@pytest.mark.slow
def test_what_is_put_off_comes_whole_when_it_is_asked_for():
    code = """\
import rethink.running.command, sys
assert "matplotlib" not in sys.modules

import torch, torchmetrics
from lightning.pytorch.utilities.compile import to_uncompiled
right = torch.tensor([1, 2])
assert torchmetrics.functional.accuracy(right, right, task="multiclass", num_classes=3) == 1
assert isinstance(torchmetrics.MeanMetric(), torchmetrics.Metric)
assert torchmetrics.image.PeakSignalNoiseRatio(1.0)(torch.ones(2), torch.ones(2)).isinf()
assert "Accuracy" in dir(torchmetrics) and torchmetrics.__version__[0].isdigit()
figure, axes = torchmetrics.MeanMetric().plot(torch.tensor(0.5))
assert axes.lines and "matplotlib" in sys.modules

from lightning.pytorch.utilities.model_summary import model_summary
from torch.utils.flop_counter import FlopCounterMode
assert isinstance(model_summary.FlopCounterMode(display=False), FlopCounterMode)

from lightning.fabric import wrappers
from torch._dynamo import OptimizedModule
model = torch.nn.Linear(1, 1)
assert isinstance(torch.compile(model), OptimizedModule)
assert isinstance(torch.compile(model), wrappers.OptimizedModule)
assert not isinstance(model, wrappers.OptimizedModule)
print("whole")
"""
    assert in_a_process_of_its_own(code).endswith("whole\n")


@pytest.mark.slow
@pytest.mark.parametrize("package", ["torchmetrics", "lightning"])
def test_what_a_process_has_imported_before_stays_as_it_was(package):
    code = (
        f"import {package}, torchmetrics; before = torchmetrics; import rethink.running.command, types; "
        "assert torchmetrics is before and type(torchmetrics) is types.ModuleType; print('same')"
    )
    assert in_a_process_of_its_own(code) == "same\n"
