"""From official files to what is kept: uint8 arrays, images (N, C, H, W) and labels (N,), or the files as they are."""

import gzip
import hashlib
import json
import math
import os
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

import numpy as np

if __package__:
    from .archives import read_birds, read_cifar
    from .fetch import Problem, fault_of_file
else:
    from archives import read_birds, read_cifar
    from fetch import Problem, fault_of_file


def read_idx(path: Path, spec: dict) -> list[np.ndarray]:
    """The array of a gzipped idx file: 0, 0, type 8 (uint8), number of axes, their lengths, then exactly the data."""
    try:
        with gzip.open(path) as file:
            data = file.read()
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise Problem(f"{path} is a broken gzip file ({error}); fetch it again") from None
    axes = {b"\0\0\x08\1": 1, b"\0\0\x08\3": 3}.get(data[:4])
    if axes is None or len(data) < 4 + 4 * axes:
        raise Problem(f"{path} is not an idx file of images or labels: it begins with {data[:4].hex(' ')}")
    shape = struct.unpack_from(f">{axes}I", data, 4)
    if (seen := len(data) - 4 - 4 * axes) != math.prod(shape):
        raise Problem(f"{path} announces {' x '.join(map(str, shape))} bytes and holds {seen:,}")
    array = np.frombuffer(data, np.uint8, offset=4 + 4 * axes).reshape(shape)
    return [array[:, None] if axes == 3 else array]  # images are (N, C, H, W)


def read_npz(path: Path, spec: dict) -> list[np.ndarray]:
    """Images `x` (N, H, W, C) and labels `y` (N,) of one .npz file, in a fixed order; the last ones are for the test.

    Returns:
        train-x, train-y, test-x, test-y: uint8, (N, C, H, W) and (N,).
    """
    try:
        with np.load(path, allow_pickle=False) as arrays:
            x, y = arrays["x"], arrays["y"]
        order = np.random.RandomState(0).permutation(len(x))  # NumPy keeps this stream for ever
        x, y = np.ascontiguousarray(x[order].transpose(0, 3, 1, 2)), y[order]
    except Exception as error:  # numpy raises a dozen types on a file that is something else
        raise Problem(f"{path} does not hold arrays x (N, H, W, C) and y (N,) ({type(error).__name__})") from None
    test = spec["arrays"]["test-y"]["shape"][0]
    return [x[:-test], y[:-test], x[-test:], y[-test:]]


# format -> function from a file and its set's entry in the registry to the arrays, in the order of `gives`
READERS = {"idx": read_idx, "cifar": read_cifar, "birds": read_birds, "npz": read_npz}
MADE = "made.json"  # array -> sha256, for a set whose arrays depend on the version of the program that shrank them


def fault_of_content(array: np.ndarray, expected: dict) -> str:
    """Why this is not the array that the registry knows; empty if it is."""
    if (array.dtype, list(array.shape)) != (np.uint8, expected["shape"]):
        return f"holds {array.dtype} {array.shape} instead of uint8 {tuple(expected['shape'])}"
    if expected.get("sha256", seen := hashlib.sha256(array).hexdigest()) != seen:
        return "holds other values than it should"
    return ""


def kept(spec: dict) -> dict[str, dict]:
    """File name in the cache -> what it must be: of the arrays, or of a file that stays as it is (format "as-is")."""
    if spec["format"] == "as-is":
        return {file["name"]: file for file in spec["files"]}
    return {f"{name}.npy": array for name, array in spec["arrays"].items()}


def remembered(spec: dict, folder: Path) -> dict[str, dict]:
    """`kept`, with the checksums that were written down when the arrays were made, where the registry has none."""
    made = {}
    with suppress(OSError, ValueError):
        made = dict(json.loads((folder / MADE).read_text(encoding="utf-8")))
    unknown = {"sha256": "not known: it was never finished"}
    return {name: (unknown | made.get(name, {}) if "shape" in want else {}) | want for name, want in kept(spec).items()}


def given(file: dict) -> set[str]:
    """What is kept of one official file."""
    return {f"{name}.npy" for name in file["gives"]} if "gives" in file else {file["name"]}


def fault_of_kept(path: Path, expected: dict) -> str:
    """Why a file of the cache is not what the registry knows, whatever it may contain; empty if it is."""
    if not path.exists():
        return "is missing"
    if "shape" not in expected:
        return fault_of_file(path, expected)
    try:
        return fault_of_content(np.load(path, mmap_mode="r", allow_pickle=False), expected)
    except Exception as error:  # numpy raises a dozen types on a damaged header
        return f"is not a readable array ({type(error).__name__})"


def faults_of(spec: dict, folder: Path) -> dict[str, str]:
    """File name -> what is wrong with it in `folder`; empty when the data set is ready."""
    faults = {name: fault_of_kept(folder / name, expected) for name, expected in remembered(spec, folder).items()}
    return {name: fault for name, fault in faults.items() if fault}


def write(path: Path, array: np.ndarray) -> None:
    with whole(path) as file:
        np.save(file, array, allow_pickle=False)


def write_text(path: Path, text: str) -> None:
    with whole(path) as file:
        file.write(text.encode())


@contextmanager
def whole(path: Path) -> Iterator[IO[bytes]]:
    """All of the file or nothing, whatever happens in between; every process has its own temporary name."""
    temporary = path.with_suffix(f".{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            yield file
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
