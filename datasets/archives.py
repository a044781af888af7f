"""Readers of sets that come as one archive: CIFAR-10's pickled batches, and the photographs of CUB-200-2011."""

import io
import os
import pickle
import re
import sys
import tarfile
from collections.abc import Iterator
from itertools import islice
from multiprocessing import Pool
from pathlib import Path

import numpy as np
from tqdm import tqdm

if __package__:
    from .fetch import Problem
else:
    from fetch import Problem

BATCHES = [*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]
GREY = {  # photographs without colour, left out of the birds
    "Brewer_Blackbird_0028_2682",
    "Clark_Nutcracker_0020_85099",
    "Ivory_Gull_0040_49180",
    "Ivory_Gull_0085_49456",
    "Mallard_0130_76836",
    "Pelagic_Cormorant_0022_23802",
    "Western_Gull_0002_54825",
    "White_Necked_Raven_0070_102645",
}
BIRD = re.compile(r"(?:.*/)?images/(\d{3})\.[^/]+/([^/]+)\.jpg")  # class, name
TEST_BIRDS = 1000
AT_ONCE = 512  # photographs in memory, on their way to the processes that shrink them


# ---- CIFAR-10


class Batch(pickle.Unpickler):
    """A pickle of dictionaries, lists, bytes and uint8 arrays; any other name in it is refused, not looked up."""

    KNOWN = {
        ("numpy.core.multiarray", "_reconstruct"): np.zeros(0).__reduce__()[0],
        ("numpy", "ndarray"): np.ndarray,
        ("numpy", "dtype"): np.dtype,
    }

    def find_class(self, module: str, name: str):
        if (module, name) not in self.KNOWN:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}")
        return self.KNOWN[module, name]


def read_cifar(path: Path, spec: dict) -> list[np.ndarray]:
    """Arrays of the official archive, or of the folder that it unpacks to: train-x, train-y, test-x, test-y."""
    raw = unpacked(path) if path.is_dir() else members(path)
    pairs = [batch(name, raw) for name in BATCHES]
    parts = [np.concatenate([pair[i] for pair in pairs[:5]]) for i in (0, 1)]
    return [*parts, *pairs[5]]


def members(path: Path) -> dict[str, bytes]:
    try:
        with tarfile.open(path, "r:gz") as archive:
            files = [entry for entry in archive if entry.isfile()]
            return {Path(entry.name).name: archive.extractfile(entry).read() for entry in files}
    except (tarfile.TarError, EOFError, OSError) as error:
        raise Problem(f"{path} is a broken archive ({error}); fetch it again") from None


def unpacked(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in BATCHES if (folder / name).is_file()}


def batch(name: str, raw: dict[str, bytes]) -> tuple[np.ndarray, np.ndarray]:
    """Images (N, 3, 32, 32) and labels (N,) of one pickled batch."""
    if name not in raw:
        raise Problem(f"{name} is missing among CIFAR-10's batches: {', '.join(sorted(raw)) or 'there are none'}")
    try:
        found = Batch(io.BytesIO(raw[name]), encoding="bytes").load()
        return found[b"data"].reshape(-1, 3, 32, 32), np.array(found[b"labels"], dtype=np.uint8)
    except Exception as error:  # an unpickler raises whatever its bytes make it do
        raise Problem(f"{name} is no batch of CIFAR-10 ({error}); fetch it again") from None


# ---- CUB-200-2011


def read_birds(path: Path, spec: dict) -> list[np.ndarray]:
    """Photographs shrunk to spec["size"], in one pass over the archive, by as many processes as there are cores.

    Both sides are scaled, whatever the photograph's proportions. The order is that of the names, then one fixed
    permutation; the last TEST_BIRDS are the test split.

    Returns:
        train-x, train-y, test-x, test-y: uint8, (N, 3, size, size) and (N,).
    """
    expected = sum(spec["arrays"][f"{split}-y"]["shape"][0] for split in ("train", "test"))
    found = {}
    shown = {"unit": "image", "file": sys.stdout, "disable": not sys.stdout.isatty()}
    try:
        with tarfile.open(path, "r|gz") as archive, Pool(os.cpu_count()) as pool, tqdm(total=expected, **shown) as bar:
            jobs = photographs(archive, spec["size"])
            while some := list(islice(jobs, AT_ONCE)):
                for name, label, pixels in pool.imap_unordered(shrunk, some, chunksize=16):
                    if pixels is None:
                        raise Problem(f"{path}: {name}.jpg cannot be read; fetch the archive again")
                    found[name] = pixels, label
                    bar.update()
    except (tarfile.TarError, EOFError, OSError) as error:
        raise Problem(f"{path} is a broken archive ({error}); fetch it again") from None
    if len(found) != expected:
        raise Problem(f"{path} holds {len(found):,} photographs in colour, {expected:,} are expected")
    x, y = (np.stack(part) for part in zip(*(found[name] for name in sorted(found))))
    order = np.random.RandomState(0).permutation(len(x))
    train, test = order[:-TEST_BIRDS], order[-TEST_BIRDS:]
    return [x[train], y[train], x[test], y[test]]


def photographs(archive: tarfile.TarFile, size: int) -> Iterator[tuple[str, int, bytes, int]]:
    for entry in archive:
        if entry.isfile() and (known := BIRD.fullmatch(entry.name)) and known[2] not in GREY:
            yield known[2], int(known[1]) - 1, archive.extractfile(entry).read(), size


def shrunk(job: tuple[str, int, bytes, int]) -> tuple[str, np.uint8, np.ndarray | None]:
    from PIL import Image

    name, label, jpeg, size = job
    try:
        with Image.open(io.BytesIO(jpeg), formats=["JPEG"]) as photograph:
            photograph.draft("RGB", (4 * size, 4 * size))  # the decoder halves as often as that leaves room for
            small = photograph.convert("RGB").resize((size, size), Image.Resampling.BICUBIC)  # which antialiases
    except Exception:  # whatever a decoder raises on damaged bytes
        return name, np.uint8(0), None
    return name, np.uint8(label), np.asarray(small).transpose(2, 0, 1)
