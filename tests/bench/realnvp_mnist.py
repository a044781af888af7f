"""The multi-scale RealNVP on real MNIST for a stated number of steps: does it train stably? Writes realnvp_mnist.json.

    python tests/bench/realnvp_mnist.py [--steps 120] [--batch 32] [--lr 1e-3]

On a CPU a step of 32 images takes seconds; on a GPU the same command with --steps 281400 --batch 64 is 300 epochs.
"""

import argparse
import json
import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))
import torch

from solutions import realnvp
from starter.support import data, recipes, training
from starter.support.nets import parameter_count

RESULT = Path(__file__).with_suffix(".json")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=120)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--test", type=int, default=128, help="test images that bits/dim is measured on")
    given = parser.parse_args()
    os.environ["MAX_STEPS"] = str(given.steps)
    torch.manual_seed(0)
    model = recipes.build("realnvp-multiscale", "solutions")
    train, test = data.load("mnist"), data.load("mnist", split="test")
    started = time.process_time()
    history = training.fit(model, train, epochs=10**6, batch_size=given.batch, lr=given.lr, seed=0)
    seconds = time.process_time() - started
    x = test.pixels(slice(given.test))
    with torch.no_grad():
        bits = torch.cat([model.bits(part, realnvp.uniform((1, *part.shape))) for part in x.split(64)]).mean().item()
    record = {
        "recipe": "realnvp-multiscale",
        "parameters": parameter_count(model),
        **vars(given),
        "seconds": round(seconds, 1),
        "test bits/dim, 1 sample of the noise": round(bits, 4),
        "terms": {name: [float(f"{v:.4g}") for v in values] for name, values in history.terms.items()},
    }
    RESULT.write_text(json.dumps(record) + "\n", encoding="utf-8")
    first, last = history.terms["loss"][0], history.last()
    print(f"{history.steps} steps of {given.batch} images: {first:.2f} to {last:.3f} bits/dim, test {bits:.3f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
