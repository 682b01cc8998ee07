"""What a GPU must do as a CPU does. Skipped where there is none."""

import copy

import pytest
import torch

from rethink.cli import main
from rethink.data.pipelines.cifar import draw_augmentation, prepare
from rethink.models import MLP, Classifier, InceptionV3, SmallAlexNet, SmallInception, WideResNet
from rethink.runs.run import Run
from rethink.training.recipes import TensorFlowRMSProp
from rethink.training.step import sgd_step

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(
        not torch.cuda.is_available(), reason="no CUDA device is here, or asked for by name: tests/test_gpu.py"
    ),
]


@pytest.fixture(autouse=True)
def _exact_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    """No TF32 in convolutions."""
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)


@pytest.mark.parametrize("architecture", [MLP, SmallAlexNet, SmallInception, WideResNet])
@pytest.mark.parametrize("augmentation", ["none", "random_crop", "flip_rotate"])
def test_a_step_agrees_with_the_cpu(architecture: type[Classifier], augmentation):
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(256, (64, 32, 32, 3), dtype=torch.uint8, generator=generator)
    labels = torch.randint(10, (64,), generator=generator)
    positions = torch.randperm(64, generator=generator)[:32]
    draws = draw_augmentation(augmentation, 0, 0, torch.arange(64).numpy(), 4)
    results = []
    model = architecture(weight_decay=1e-3)
    for device in (torch.device("cpu"), torch.device("cuda")):
        one = copy.deepcopy(model).to(device)
        one.network.to(memory_format=torch.channels_last)
        drawn = {name: values[positions].to(device) for name, values in (draws or {}).items()}
        seen = prepare(images[positions].to(device), 28, draws=drawn)
        wanted = labels[positions].to(device)
        loss, correct = sgd_step(one.network, one.configure_optimizers(), seen, wanted, weight=1 / 32)
        results.append((seen.cpu(), loss.cpu(), correct.cpu(), [p.detach().cpu() for p in one.network.parameters()]))
    (seen, loss, correct, weights), (seen2, loss2, correct2, weights2) = results
    torch.testing.assert_close(seen2, seen, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(loss2, loss, rtol=1e-4, atol=1e-4)
    assert correct2 == correct
    for one_weight, other in zip(weights, weights2, strict=True):
        # Rounding alone, at a rate of 0.1 and through batch norm: up to 1.5e-4 was seen on an H200.
        torch.testing.assert_close(other, one_weight, rtol=1e-3, atol=1e-3)


def test_inception_v3_trains_at_299_in_bf16_with_its_auxiliary_head():
    model = InceptionV3(num_classes=1000, dropout=0.2, weight_decay=4e-5, recipe=TensorFlowRMSProp(0.01)).cuda()
    model.network.to(memory_format=torch.channels_last)
    optimizer = model.configure_optimizers()
    images = torch.randn(32, 3, 299, 299, device="cuda").to(memory_format=torch.channels_last)
    labels = torch.arange(32, device="cuda")
    losses = []
    for _ in range(8):
        with torch.autocast("cuda", torch.bfloat16):
            losses.append(sgd_step(model.network, optimizer, images, labels, weight=1 / 32, auxiliary_weight=0.4)[0])
    assert torch.stack(losses).isfinite().all()
    assert losses[-1] < losses[0]
    assert all(p.grad is not None and p.dtype == torch.float32 for p in model.network.parameters())


def test_a_run_on_the_gpu_trains_on_the_same_data(fit):
    options = [
        *("--data", "Synthetic", "--model", "MLP", "--model.dropout", "0.2", "--trainer.max_epochs", "2"),
        *("--data.randomization", "GaussianPixels", "--trainer.devices", "1"),
    ]
    on_cpu = fit(*options, "--trainer.accelerator", "cpu")
    (on_cpu.path / "record.json").unlink()
    # Devices do not make another run: the same folder, anew.
    base = ["fit", "--config", "configs/base.yaml", "--precision", "32-true", "--force"]
    main([*base, *options, "--trainer.accelerator", "gpu"])
    on_gpu = Run.open(on_cpu.path)
    assert on_gpu.environment["device"].startswith("cuda")
    assert on_gpu.record["data"]["digests"] == on_cpu.record["data"]["digests"]
    assert on_gpu.history["train/loss"] == pytest.approx(on_cpu.history["train/loss"], rel=0.2)  # other dropout masks
