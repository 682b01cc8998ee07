"""Hours and cost of a row of Table 2 at full scale, from a throughput: one that is given, or measured on this GPU.

python experiments/table2/costs.py [--measure] [--rate IMAGES_PER_SECOND] [--price DOLLARS_PER_GPU_HOUR]
"""

import argparse
import time
from typing import Any

import torch

from rethink.models import InceptionV3, ResNet50, ViT
from rethink.training.recipes import TensorFlowRMSProp
from rethink.training.step import sgd_step

TRAINING, TEST = 1_281_167, 50_000
EVERY = 5  # epochs between two evaluations: experiments/budgets/full
EVALUATION = 3.0  # images a second, as a multiple of training: a forward pass is a third of a step
SCALING = {8: 0.9, 32: 0.8}  # of the throughput of as many single GPUs
BATCH = 128  # on one GPU: 1,024 on eight

# Network -> rows of the table, side of its images, epochs, assumed images a second on one H100 in bf16, its class.
NETWORKS: dict[str, tuple[str, int, int, float, Any]] = {
    "Inception V3": ("the seven rows, and two more", 299, 250, 1300.0, InceptionV3),
    "ResNet-50": ("3, not the paper's", 224, 90, 2800.0, ResNet50),
    "ViT-B/16": ("3, not the paper's", 224, 90, 1300.0, ViT),
}


def hours(epochs: int, rate: float, gpus: int) -> float:
    """Of a run: its training, and the evaluation of both sets every few epochs."""
    images = epochs * (TRAINING + (TRAINING + TEST) / EVERY / EVALUATION)
    return images / (rate * gpus * SCALING[gpus]) / 3600


def measured(kind: Any, side: int, steps: int = 20) -> float:
    """Images a second of training on this GPU, bf16, channels_last, images that are there already."""
    device = torch.device("cuda")
    model = kind(num_classes=1000, image_shape=(3, side, side), recipe=TensorFlowRMSProp()).to(device)
    model.network.to(memory_format=torch.channels_last)
    optimizer = model.configure_optimizers()
    images = torch.randn(BATCH, 3, side, side, device=device).to(memory_format=torch.channels_last)
    labels = torch.randint(1000, (BATCH,), device=device)
    for step in range(2 * steps):
        if step == steps:
            torch.cuda.synchronize()
            begun = time.perf_counter()
        with torch.autocast("cuda", torch.bfloat16):
            sgd_step(model.network, optimizer, images, labels, weight=1 / BATCH, auxiliary_weight=0.4)
    torch.cuda.synchronize()
    return steps * BATCH / (time.perf_counter() - begun)


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--measure", action="store_true", help="measure this GPU")
    parser.add_argument("--rate", type=float, help="images a second of Inception V3; the others in proportion")
    parser.add_argument("--price", type=float, default=2.5, help="dollars for a GPU hour")
    options = parser.parse_args()
    print("| network | rows | epochs | images/s, one GPU | hours, 8 GPUs | hours, 4 x 8 GPUs | GPU hours | dollars |")
    print("|---|---|---|---|---|---|---|---|")
    for name, (rows, side, epochs, assumed, kind) in NETWORKS.items():
        rate = assumed * (options.rate / 1300 if options.rate else 1)
        if options.measure:
            rate = measured(kind, side)
        eight, many = (hours(epochs, rate, gpus) for gpus in SCALING)
        print(
            f"| {name} | {rows} | {epochs} | {rate:,.0f} | {eight:.1f} | {many:.1f} | {8 * eight:,.0f} "
            f"| {8 * eight * options.price:,.0f} |"
        )


if __name__ == "__main__":
    main()
