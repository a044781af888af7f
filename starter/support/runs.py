"""What was trained: for each run a small JSON and a picture of its samples, for the comparison of the last lab.

`fit` and `play` write the JSON, `measure` adds the samples. Your runs lie in runs/ beside starter/, one folder for each
data set; those of the reference lie in support/reference_runs/ and stand in for what you have not trained yet. The
environment variable RUNS names another folder.
"""

import contextlib
import json
import math
import os
import re
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from .data import Images
from .history import History
from .nets import parameter_count

REFERENCE = Path(__file__).with_name("reference_runs")
SAMPLES = 300  # images in a run's picture
PRICE = 25  # seconds of one core that each model had for the last lab: what the longest trainings of the labs take
COLUMNS = 25
measured: dict[str, str] = {}  # name of a run -> its data: those of this process that have samples
TIMES = {"seconds", "sampling_seconds"}  # of a record: not the same on two machines


@dataclass(frozen=True)
class Run:
    """One training run, as it is written down."""

    name: str
    data: str
    model: str  # name of its class
    shape: tuple[int, int, int]  # C, H, W of its images
    parameters: int
    steps: int
    seconds: float  # of training
    terms: dict[str, float]  # mean of the last values of every loss term
    settings: dict  # seed, batch size and the like
    torch: str
    scores: dict[str, float] = field(default_factory=dict)  # what `measure` was given, such as bits per dimension
    sampling_seconds: float | None = None  # for one image
    yours: bool = field(default=True, compare=False)  # or the reference's

    @property
    def folder(self) -> Path:
        return (folder() if self.yours else REFERENCE) / self.data

    def samples(self) -> Tensor | None:
        """Its samples, float32 (SAMPLES, C, H, W) in [0, 1]; None when it has none."""
        from PIL import Image

        path = self.folder / f"{self.name}.png"
        if not path.exists():
            return None
        channels, height, width = self.shape
        with Image.open(path) as picture:
            tiles = torch.from_numpy(np.array(picture)).reshape(-1, height, COLUMNS, width, channels)
        return tiles.permute(0, 2, 4, 1, 3).reshape(-1, channels, height, width).float() / 255


def folder() -> Path:
    return Path(os.environ.get("RUNS") or Path(__file__).resolve().parents[2] / "runs")


def write(name: str, model: nn.Module, images: Images, history: History, **settings: object) -> None:
    """Write a finished run down, over an older one of this name; nothing when MAX_STEPS says that it is no real one.

    Raises:
        ValueError: a name that is no file's.
    """
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]*", name):
        raise ValueError(f"name a run with small letters, digits and dashes, not {name!r}")
    if not is_real():
        return
    parameters = parameter_count(model)
    terms = {term: history.last(term) for term in history.terms}
    kind, seconds, version = type(model).__name__, round(history.seconds, 2), torch.__version__
    save(Run(name, images.name, kind, images.shape, parameters, history.steps, seconds, terms, settings, version))


def is_real() -> bool:
    """Whether named runs are trained to their end: MAX_STEPS cuts them off, unless RUN_CPU_SECONDS says how long."""
    return "MAX_STEPS" not in os.environ or "RUN_CPU_SECONDS" in os.environ


def measure(name: str, images: Images, sample: Callable[[int], Tensor], **scores: float) -> None:
    """Add a run's samples, the time that one takes, and scores that only its own lab can know.

    Args:
        name, images: of the run: the names that `fit` was given.
        sample: number -> that many new images, (number, C, H, W) in [0, 1].
        scores: for example bits_per_dim=1.9.
    """
    path = folder() / images.name / f"{name}.json"
    if not is_real() or not path.exists():
        return
    seconds = math.inf
    for _ in range(4):  # the first call warms up, and the quickest was disturbed least
        with torch.random.fork_rng(), torch.no_grad():  # what the notebook draws next does not change
            torch.manual_seed(0)
            started = time.perf_counter()
            x = sample(SAMPLES)
            seconds = min(seconds, (time.perf_counter() - started) / SAMPLES)
    if tuple(x.shape) != (SAMPLES, *images.shape):
        raise ValueError(f"samples of {name} have shape {tuple(x.shape)}, expected {(SAMPLES, *images.shape)}")
    replace(path.with_suffix(".png"), picture(x))
    save(Run(**asdict(read_one(path)) | {"scores": scores, "sampling_seconds": seconds}))
    measured[name] = images.name


def read(data: str) -> dict[str, Run]:
    """Every run on a data set by its name: yours, or else the reference's."""
    yours = {path.stem: read_one(path) for path in sorted((folder() / data).glob("*.json"))}
    return of_reference(data) | yours


def at_one_price(data: str) -> dict[str, Run]:
    """Every run on a data set by its name, as `read` finds them, if each was trained for PRICE.

    Raises:
        ValueError: one was not, or its record does not say so.
    """
    found = read(data)
    for name, run in found.items():
        if (had := run.settings.get("cpu_seconds")) != PRICE:
            raise ValueError(f"{data}/{name} had {had} seconds of a core, not {PRICE}: it does not compare, delete it")
    return found


def of_reference(data: str) -> dict[str, Run]:
    """Every run of the reference on a data set by its name."""
    return {path.stem: read_one(path, False) for path in sorted((REFERENCE / data).glob("*.json"))}


def read_one(path: Path, yours: bool = True) -> Run:
    """
    Raises:
        ValueError: the file is no run.
    """
    try:
        entry = json.loads(path.read_text(encoding="utf-8"))
        return Run(**entry | {"shape": tuple(entry["shape"]), "yours": yours})
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ValueError(f"{path} is not the record of a run ({error}): delete it and train again") from None


def save(run: Run) -> None:
    entry = {spot.name: getattr(run, spot.name) for spot in fields(run) if spot.name != "yours"}
    replace(folder() / run.data / f"{run.name}.json", json.dumps(entry, indent=1).encode())


def replace(path: Path, data: bytes, before: Path | None = None) -> None:
    """Whole or not at all; what was there goes to `before`, or goes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        draft.write_bytes(data)
        if before:
            with contextlib.suppress(FileNotFoundError):
                os.replace(path, before)
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)  # a full disk is not filled further


def picture(x: Tensor) -> bytes:
    """Images (N, C, H, W) in [0, 1] as one PNG, COLUMNS side by side: the smallest file that loses nothing."""
    import io

    from PIL import Image

    count, channels, height, width = x.shape
    pixels = (x.clamp(0, 1) * 255).round().byte().cpu().reshape(-1, COLUMNS, channels, height, width)
    tiles = pixels.permute(0, 3, 1, 4, 2).reshape(-1, COLUMNS * width, channels).numpy()
    memory = io.BytesIO()
    Image.fromarray(tiles.squeeze(2) if channels == 1 else tiles).save(memory, "PNG", optimize=True)
    return memory.getvalue()
