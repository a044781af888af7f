"""Does bfloat16 in the networks save time, and does it change what comes out? Writes precision.json.

For every kind of recipe: CPU seconds of a step in float32 and in bfloat16, each with PyTorch's default layout and with
channels_last. Steps of the four take turns, so that a busy machine slows all; a ratio is the median over turns of
(it / float32). Then the same short training in both precisions from several seeds: the test's loss (lower is better),
of a game a Fréchet distance of its samples, in the features of digits or, for colours, of pixels averaged to 8x8.

    python tests/bench/bench_precision.py [--turns 9] [--seeds 3] [RECIPE ...]
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))
import torch
import torch.nn.functional as F

from starter.support import data, features, recipes, training
from starter.support.full import keeper, precision, record
from starter.support.full import train as full
from starter.support.full.job import Job

STEPS = {  # of the trainings that are compared
    "vae-mlp": 600,
    "ae-small": 200,
    "vae-128-conv": 120,
    "vae-planar": 100,
    "gan-mlp": 200,
    "cgan-fm": 60,
    "dcgan-cifar": 20,
}
FLOWS = ("realnvp-multiscale", "realnvp-cifar-repaired")  # always in float32: only timed
IMAGES = 16  # in a batch of a flow: its step takes seconds
RESULT = Path(__file__).with_name("precision.json")
lab = partial(recipes.lab_module, "solutions")


def step(name: str, layout: str, choice: str):
    """One update of a recipe on a random batch."""
    torch.manual_seed(0)
    recipe = recipes.recipe(name)
    model = recipe.build(lab).train()
    x = torch.randint(256, (IMAGES if name in FLOWS else recipe.batch_size, *recipe.shape)) / 255
    y = torch.randint(10, (len(x),))
    if recipe.lr is None:
        update = model.update
    else:
        adam = torch.optim.Adam(model.parameters(), lr=recipe.lr, fused=True)
        update = training.descent(model, adam, training.History())
    update = precision.faster(update, model, choice, "cpu")
    if layout == "default":
        model.to(memory_format=torch.contiguous_format)
    return lambda: update(x, y)


def times(name: str, turns: int) -> dict[str, float]:
    """CPU milliseconds of a step in float32, and the ratios of the others to it."""
    choices = ("float32",) if name in FLOWS else ("float32", "bfloat16")
    ways = [(choice, layout) for choice in choices for layout in ("default", "channels_last")]
    steps, taken = [step(name, layout, choice) for choice, layout in ways], []
    for _ in range(turns + 1):
        taken.append([])
        for one in steps:
            started = time.process_time()
            one()
            taken[-1].append(time.process_time() - started)
    taken = taken[1:]  # the first allocates
    found = {"float32, ms": round(1000 * statistics.median(row[0] for row in taken), 1)}
    for i, (choice, layout) in enumerate(ways[1:], start=1):
        found[f"{choice}, {layout}"] = round(statistics.median(row[i] / row[0] for row in taken), 2)
    return found


def outcome(name: str, choice: str, seed: int) -> float:
    """What a short training comes to."""
    recipe = recipes.recipe(name)
    with tempfile.TemporaryDirectory() as folder:
        settings = {"steps": STEPS[name], "measure": 1000, "fid_every": 10**9, "tensorboard": False}
        job = Job(name, recipe.data[0], Path(folder) / "run", "solutions", seed=seed, precision=choice, **settings)
        test = full.train(job)["test"]
        score = "loss" if recipe.lr else next((name for name in test if name.startswith("FID, features of ")), "")
        return test[score] if score in test else of_pixels(job)


def of_pixels(job: Job) -> float:
    """Fréchet distance between samples of a run and test images, in pixels averaged to 8x8."""
    model = recipes.recipe(job.recipe).build(lab)
    model.load_state_dict(torch.load(job.out / "last.pt", weights_only=True)["model"])
    torch.manual_seed(0)
    real = keeper.measured_on(data.load(job.data, "test"), 1000).pixels()
    fake = model.sample(model.noise(len(real)))
    return features.frechet(*(F.adaptive_avg_pool2d(x, 8).flatten(1).numpy() for x in (fake, real)))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="RECIPE", help=f"default: {', '.join([*STEPS, *FLOWS])}")
    parser.add_argument("--turns", type=int, default=9)
    parser.add_argument("--seeds", type=int, default=3)
    given = parser.parse_args()
    torch.set_num_threads(1)
    print(f"torch {torch.__version__}, {record.processor()}, one thread, medians of {given.turns} turns")
    results = json.loads(RESULT.read_text(encoding="utf-8")) if RESULT.exists() else {}
    for name in given.names or [*STEPS, *FLOWS]:
        results[name] = times(name, given.turns)
        if name in STEPS:
            results[name] |= {"steps": STEPS[name]}
            for choice in ("float32", "bfloat16"):
                results[name][choice] = [float(f"{outcome(name, choice, s):.4g}") for s in range(given.seeds)]
        print(f"{name}: {json.dumps(results[name])}", flush=True)
        RESULT.write_bytes(record.dumped(results) + b"\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
