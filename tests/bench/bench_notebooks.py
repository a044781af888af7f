"""How long each notebook runs on the reference, one at a time, with one thread: `make bench`.

Seconds of a core are those of the kernel, the start of Python and of torch included; machines differ, so each stands
beside STEPS steps of one network, timed just before it on the same core.

    python tests/bench/bench_notebooks.py [LAB ...]
"""

import resource
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))
import torch

from grading.maintain.notebooks import executed, texts
from solutions import vae
from starter.support import data, nets, training

STEPS = 300


def of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def yardstick(images: data.Images) -> float:
    """CPU seconds of STEPS steps of a VAE of linear layers, as lab 2 trains it."""
    torch.manual_seed(0)
    model = vae.VAE(nets.mlp_encoder(images.shape, (128,), 2 * 16), nets.mlp_decoder(16, (128,), images.shape))
    started = time.process_time()
    training.fit(model, images, steps=STEPS)
    return time.process_time() - started


def main(labs: list[str]) -> None:
    torch.set_num_threads(1)
    images = data.load()
    yardstick(images)  # warm
    print(f"{'':24} by the clock    of a core    of a core, in {STEPS} steps of a VAE")
    for text in texts():
        if not labs or text.stem in labs:
            unit, clock, used = yardstick(images), time.perf_counter(), of_children()
            executed(text)
            clock, used = time.perf_counter() - clock, of_children() - used
            print(f"{text.stem:24} {clock:10.0f} s {used:10.0f} s {used / unit:10.0f}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
