"""Which floating-point precision pays here: bf16 autocast with float32 master weights, or float32."""

import torch


def probe(device: torch.device) -> str:
    """`bf16-mixed` where the device multiplies bf16 faster than float32, else `32-true`.

    On a CPU that takes AVX512-BF16 or AMX; elsewhere oneDNN emulates bf16, slower than float32. What the
    processor can do is looked up and not timed: on a busy machine a timing chooses now the one and now the
    other, and the same command would end with other weights.
    """
    if device.type == "cuda":
        fast = torch.cuda.is_bf16_supported(including_emulation=False)
    elif device.type == "cpu":
        fast = torch.backends.mkldnn.is_available() and any(map(_cpu_has, ("avx512_bf16", "amx_tile")))  # type: ignore[no-untyped-call]
    else:
        fast = False
    return "bf16-mixed" if fast else "32-true"


def _cpu_has(feature: str) -> bool:
    """Whether this processor has an instruction set, by torch's own look-up, which is not public."""
    supported = getattr(torch.cpu, f"_is_{feature}_supported", None)
    return supported is not None and bool(supported())
