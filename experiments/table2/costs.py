"""Hours and cost of a row of Table 2 at full scale, from a throughput: one that is given, or measured on this GPU.

python experiments/table2/costs.py [--measure] [--rate IMAGES_PER_SECOND] [--price DOLLARS_PER_GPU_HOUR]

`rethink sweep plan table2` adds them to each run. What `--measure` has measured is kept, and taken from then on.
"""

import argparse
import json
import time
from pathlib import Path
from typing import NamedTuple

TRAINING, TEST = 1_281_167, 50_000
EVERY = 5  # epochs between two evaluations: experiments/budgets/full
EVALUATION = 3.0  # images a second, as a multiple of training: a forward pass is a third of a step
SCALING = {8: 0.9, 32: 0.8}  # of the throughput of as many single GPUs
PRICE = 2.5  # dollars for a GPU hour
MEASURED = Path("results/table2/throughput.json")
BATCH = 128  # on one GPU: 1,024 on eight


class Network(NamedTuple):
    """rows: of the table. side: of its images. rate: assumed images a second of training on one H100 in bf16."""

    rows: str
    side: int
    epochs: int
    rate: float


NETWORKS = {
    "InceptionV3": Network("the seven rows, and two more", 299, 250, 1300.0),
    "ResNet50": Network("3, not the paper's", 224, 90, 2800.0),
    "ViT": Network("3, not the paper's", 224, 90, 1300.0),
}


def hours(epochs: int, rate: float, gpus: int) -> float:
    """Of a run: its training, and the evaluation of both sets every few epochs."""
    images = epochs * (TRAINING + (TRAINING + TEST) / EVERY / EVALUATION)
    return images / (rate * gpus * SCALING[gpus]) / 3600


def of_run(network: str, epochs: int) -> str:
    """What a run takes, in words; nothing is said of a network that is not among NETWORKS.

    Args:
        network: Class of the model.
        epochs: Its budget.
    """
    if network not in NETWORKS:
        return ""
    kept = json.loads(MEASURED.read_text()) if MEASURED.is_file() else {}
    rate, how = kept.get(network, NETWORKS[network].rate), "measured" if network in kept else "assumed"
    eight, many = (hours(epochs, rate, gpus) for gpus in SCALING)
    return (
        f"{eight:.1f} h on 8 GPUs, {many:.1f} h on 4 x 8; ${8 * eight * PRICE:,.0f}, ${32 * many * PRICE:,.0f}; "
        f"{how} {rate:,.0f} images/s a GPU"
    )


def measured(network: str, side: int, steps: int = 20) -> float:
    """Images a second of training on this GPU, bf16, channels_last, images that are there already."""
    import torch  # here: a plan needs none of it

    from rethink import models
    from rethink.training.recipes import TensorFlowRMSProp
    from rethink.training.step import sgd_step

    device = torch.device("cuda")
    recipe = TensorFlowRMSProp()
    model = getattr(models, network)(num_classes=1000, image_shape=(3, side, side), recipe=recipe).to(device)
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
    parser.add_argument("--price", type=float, default=PRICE, help="dollars for a GPU hour")
    options = parser.parse_args()
    print("| network | rows | epochs | images/s, one GPU | hours, 8 GPUs | hours, 4 x 8 GPUs | GPU hours | dollars |")
    print("|---|---|---|---|---|---|---|---|")
    factor = options.rate / NETWORKS["InceptionV3"].rate if options.rate else 1
    rates = {name: network.rate * factor for name, network in NETWORKS.items()}
    if options.measure:
        rates = {name: measured(name, network.side) for name, network in NETWORKS.items()}
        MEASURED.parent.mkdir(parents=True, exist_ok=True)
        MEASURED.write_text(json.dumps(rates, indent=2) + "\n")
    for name, network in NETWORKS.items():
        rate = rates[name]
        eight, many = (hours(network.epochs, rate, gpus) for gpus in SCALING)
        print(
            f"| {name} | {network.rows} | {network.epochs} | {rate:,.0f} | {eight:.1f} | {many:.1f} | {8 * eight:,.0f} "
            f"| {8 * eight * options.price:,.0f} |"
        )


if __name__ == "__main__":
    main()
