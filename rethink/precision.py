"""Which floating-point precision pays on this machine: bf16 autocast with float32 master weights, or float32."""

import time

import torch
import torch.nn.functional as F
from torch import nn


def probe(device: torch.device) -> str:
    """`bf16-mixed` where the device multiplies bf16 faster than float32, else `32-true`, by trying.

    On a CPU that takes AVX512-BF16 or AMX; elsewhere autocast is slower than float32.
    """
    if device.type == "cuda":
        return "bf16-mixed" if torch.cuda.is_bf16_supported(including_emulation=False) else "32-true"
    if device.type != "cpu" or not torch.ops.mkldnn._is_mkldnn_bf16_supported():
        return "32-true"
    return "bf16-mixed" if _seconds(autocast=True) < _seconds(autocast=False) else "32-true"


def _seconds(*, autocast: bool) -> float:
    """Shortest of a few training steps of a convolution as in the networks here."""
    layer = nn.Conv2d(64, 64, 3, padding=1, bias=False).to(memory_format=torch.channels_last)
    images = torch.ones(32, 64, 14, 14).to(memory_format=torch.channels_last)
    times = []
    for _ in range(5):
        start = time.perf_counter()
        with torch.autocast("cpu", torch.bfloat16, enabled=autocast, cache_enabled=False):
            F.relu(layer(images)).float().sum().backward()
        times.append(time.perf_counter() - start)
    return min(times[1:])
