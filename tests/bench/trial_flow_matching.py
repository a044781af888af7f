"""What does flow matching draw of mnist16 within a notebook's budget? Three seeds each, on one thread.

    python tests/bench/trial_flow_matching.py [--seeds 3] [--only NAME ...]   what is known is not run again
    python tests/bench/trial_flow_matching.py --table                         what is known, as a table

Scores as in trial_data.py, by the same judge, of the average of the weights; beside them the conditional GAN of
trial_gans.py is the one to beat, at equal CPU seconds.
"""

import argparse
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))
sys.path.insert(0, str(Path(__file__).parent))
import torch
from trial_data import SAMPLES, Verdict, of_every_run
from trial_gans import CLASSES, SHAPE

from solutions import flow_matching as fm
from starter.support import data, training, velocity_nets

KEPT = Path(__file__).with_suffix(".json")
USUAL = {"lr": 2e-3, "ema": 0.995, "times": fm.logit_normal_times}
RUNS = {  # name -> settings, steps after which it is looked at
    "logit-normal times": (USUAL, (1200, 1800)),
    "uniform times": (USUAL | {"times": fm.uniform_times}, (1200,)),
    "uniform times, weight t^2": (USUAL | {"times": fm.uniform_times, "weighting": torch.square}, (1200,)),
}
DRAWN = {  # name -> settings of `sample`
    "Euler 8, w 1": {"step": fm.euler_step, "steps": 8, "weight": 1.0},
    "Euler 8, w 1.75": {"step": fm.euler_step, "steps": 8, "weight": 1.75},
    "Euler 8, w 2": {"step": fm.euler_step, "steps": 8, "weight": 2.0},
    "Euler 2, w 2": {"step": fm.euler_step, "steps": 2, "weight": 2.0},
    "midpoint 8, w 2": {"steps": 8, "weight": 2.0},
}


def run(name: str, images: data.Images, verdict: Verdict, seed: int, _: argparse.Namespace) -> list[dict]:
    settings, looks = RUNS[name]
    torch.manual_seed(seed)
    model = fm.FlowMatching(velocity_nets.UNet(SHAPE, CLASSES), SHAPE, **settings)
    z = torch.randn(SAMPLES, model.latent_dim, generator=torch.Generator().manual_seed(1))
    started, watching, rows = time.process_time(), 0.0, []

    def watch(model: fm.FlowMatching) -> dict[str, float]:
        nonlocal watching
        began = time.process_time()
        seconds = began - started - watching
        for how, chosen in DRAWN.items():
            x = model.sample(z, torch.arange(SAMPLES) % CLASSES, **chosen)
            rows.append({"drawn": how, "seconds": seconds, **verdict(x)})
        watching += time.process_time() - began
        return {}

    every = looks[0] if len(looks) == 1 else looks[1] - looks[0]
    training.play(model, images, steps=looks[-1], batch_size=32, seed=seed, watch=watch, every=every)
    each = len(DRAWN)
    return [{"steps": n, **row} for n in looks for row in rows[n // every * each : (n // every + 1) * each]]


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    of_every_run("trained", RUNS, run, KEPT, ("steps", "drawn"), options)
