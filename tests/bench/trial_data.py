"""Which small MNIST should come with the course? Crops, ways of scaling, budgets and rates, on one thread.

    python tests/bench/trial_data.py                     the trial; results are kept one by one, a second call goes on
    python tests/bench/trial_data.py --table             what is known, as a table

Each set is 8,000 training images, MNIST's middle `crop` x `crop` pixels (python datasets/prepare.py mnist); beside them
scikit-learn's digits16. On each, the DCGAN of lab 8 and the VAE of lab 2 are trained. A judge, a classifier of all
60,000 images made the same way, says of 500 samples: the share of which it is at least 90 % sure, and the Fréchet
distance to test images in its features. Judges differ from set to set, and that of digits16 knows 1,500 images only:
shares and distances of one set compare with each other, those of two sets hardly.
"""

import argparse
import copy
import json
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from itertools import product
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from datasets.make_mnist16 import shrunk
from solutions import dcgan, gan, vae
from starter.support import data, features, nets, training

KEPT = Path(__file__).with_suffix(".json")
TRAIN, SAMPLES, SURE, EMA = 8000, 500, 0.9, 0.99
SETS = ("20 area", "22 area", "24 area", "28 area", "22 bilinear", "digits16")
RUNS = {  # rate of the DCGAN -> steps after which it is looked at
    "22 area": {1e-3: (350, 700), 2e-3: (350, 700, 2100)},
    "digits16": {1e-3: (350, 700), 2e-3: (350, 700, 2100)},
}
OTHERS = {2e-3: (350, 700)}


def small_mnist(split: str, crop: int, scaling: str) -> data.Images:
    images = data.load("mnist", split)
    if scaling == "area":
        return data.Images(torch.from_numpy(shrunk(images.x[:, 0].numpy(), crop))[:, None], images.y, 256, "trial")
    margin = (28 - crop) // 2
    middle = images.x[:, :, margin : margin + crop, margin : margin + crop]
    return data.resized(data.Images(middle, images.y, 256, "trial"), 16)


def splits(name: str) -> tuple[data.Images, data.Images]:
    if name == "digits16":
        return data.load(name), data.load(name, "test")
    crop, scaling = name.split()
    return small_mnist("train", int(crop), scaling), small_mnist("test", int(crop), scaling)


def judge(images: data.Images, steps: int = 900, batch_size: int = 200) -> features.FeatureNet:
    """A classifier of all training images, as confident as plain cross-entropy makes it."""
    torch.manual_seed(0)
    net = features.digits_net()
    optimizer = torch.optim.AdamW(net.parameters(), lr=5e-3, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 5e-3, steps)
    stream = iter(training.Stream(images, batch_size, 0, "cpu"))
    for _ in range(steps):
        x, y = next(stream)
        loss = F.cross_entropy(net(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return net.eval().requires_grad_(False)


class Verdict:
    """What a judge says of a set's images and of samples."""

    def __init__(self, images: data.Images, test: data.Images) -> None:
        self.net, self.test = judge(images), test
        self.real = self.net.body(test.pixels(slice(2000))).numpy()

    def of_test(self) -> dict[str, float]:
        probs = self.net(self.test.pixels(slice(2000))).softmax(dim=1)
        right = (probs.argmax(dim=1) == self.test.y[:2000]).float().mean().item()
        return {"share": self.sure(probs), "accuracy": right}

    def __call__(self, x: Tensor) -> dict[str, float]:
        f = self.net.body(x)
        share = self.sure(self.net.head(f).softmax(dim=1))
        return {"share": share, "fid": features.frechet(f.numpy(), self.real)}

    @staticmethod
    def sure(probs: Tensor) -> float:
        return (probs.max(dim=1).values >= SURE).float().mean().item()


@torch.no_grad()
def samples(generator: nn.Module, z: Tensor) -> Tensor:
    """Images in [0, 1]; z is what the generator takes."""
    return data.unit(copy.deepcopy(generator).eval()(z))


def looked_at(
    model: gan.GAN, images: data.Images, verdict: Verdict, z: Tensor, seed: int, looks: tuple[int, ...]
) -> list[dict]:
    """Scores after each number of steps, of the generator's weights and of their moving average."""
    started, rows = time.process_time(), []

    def watch(model: gan.GAN) -> dict[str, float]:
        nonlocal started
        seconds = time.process_time() - started
        plain, ema = (verdict(samples(network, z)) for network in (model.generator, model.average.module))
        rows.append({"seconds": seconds, **plain, **{f"{key} of EMA": value for key, value in ema.items()}})
        started = time.process_time() - seconds
        return plain

    training.play(model, images, steps=looks[-1], seed=seed, watch=watch, every=looks[0])
    return [{"steps": steps, **rows[steps // looks[0]]} for steps in looks]


def noise(latent_dim: int) -> Tensor:
    return torch.randn(SAMPLES, latent_dim, generator=torch.Generator().manual_seed(1))


def try_dcgan(images: data.Images, verdict: Verdict, seed: int, lr: float, looks: tuple[int, ...]) -> list[dict]:
    config, rng = dcgan.DCGANConfig(images.shape, 10, (48, 24)), torch.Generator().manual_seed(seed)
    model = gan.GAN(dcgan.generator(config, rng), dcgan.discriminator(config, rng), 10, lr=lr, ema=EMA)
    return looked_at(model, images, verdict, noise(10), seed, looks)


def try_vae(images: data.Images, verdict: Verdict, seed: int) -> list[dict]:
    torch.manual_seed(seed)
    encoder = nets.mlp_encoder(images.shape, (256,), 20)
    model = vae.VAE(encoder, nets.mlp_decoder(10, (256,), images.shape))
    started = time.process_time()
    training.fit(model, images, steps=1200, lr=4e-3, seed=seed)
    seconds = time.process_time() - started
    return [{"steps": 1200, "seconds": seconds, **verdict(vae.sample_prior(model.decoder, noise(10)))}]


class Record:
    """Results in a JSON file, each written down when it is there: what is known is not run again."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []

    def add(self, key: dict, run: Callable[[], list[dict]]) -> None:
        if any(key.items() <= row.items() for row in self.rows):
            return
        for row in run():
            row = {name: round(value, 4) if isinstance(value, float) else value for name, value in row.items()}
            self.rows.append(key | row)
            print(self.rows[-1], flush=True)
        self.path.write_text(json.dumps(self.rows, indent=1) + "\n", encoding="utf-8")


def trial(name: str, seeds: int, record: Record) -> None:
    train, test = splits(name)
    few = data.Images(train.x[:TRAIN], train.y[:TRAIN], train.levels, train.name)
    verdict = Verdict(train, test)
    first = {"set": name, "model": "real", "seed": 0, "rate": 0.0}
    record.add(first, lambda: [{"steps": 0, **verdict.of_test()}])
    for seed in range(seeds):
        record.add(first | {"model": "vae", "seed": seed, "rate": 4e-3}, partial(try_vae, few, verdict, seed))
        for lr, looks in RUNS.get(name, OTHERS).items():
            key = first | {"model": "dcgan", "seed": seed, "rate": lr}
            record.add(key, partial(try_dcgan, few, verdict, seed, lr, looks))


COLUMNS = {
    "seconds": "CPU s",
    "share": "share",
    "share of EMA": "share of EMA",
    "fid": "FID",
    "fid of EMA": "FID of EMA",
}


def table(rows: list[dict], kinds: tuple[str, ...]) -> str:
    """Mean over the seeds, from lowest to highest, for all rows that agree in `kinds`."""
    lines = [
        f"| {' | '.join((*kinds, 'seeds', *COLUMNS.values()))} |",
        "| --- " * (len(kinds) + 1 + len(COLUMNS)) + "|",
    ]
    groups = {}
    for row in rows:
        groups.setdefault(tuple(row[kind] for kind in kinds), []).append(row)
    for kind, same in sorted(groups.items()):
        cells = [*kind, len(same), *(summary([row[key] for row in same if key in row]) for key in COLUMNS)]
        lines.append(f"| {' | '.join(str(cell) for cell in cells)} |")
    return "\n".join(lines)


def of_every_run(
    what: str,
    runs: dict[str, tuple],
    run: Callable[..., list[dict]],
    kept: Path,
    kinds: tuple[str, ...],
    options: argparse.ArgumentParser,
) -> None:
    """The command of a trial of mnist16: what is not known yet is run, and the table printed.

    Args:
        what: the column that names a run.
        run: run(name, images, verdict, seed, given) -> rows, of what the command line gave.
        kinds: further columns that tell rows apart.
        options: its parser; options that all trials have are added.
    """
    options.add_argument("--seeds", type=int, default=3)
    options.add_argument("--only", nargs="+", default=tuple(runs), choices=tuple(runs))
    options.add_argument("--table", action="store_true")
    given = options.parse_args()
    torch.set_num_threads(1)
    record = Record(kept)
    if not given.table:
        verdict, images = Verdict(*splits("22 area")), data.load("mnist16")
        for seed, name in product(range(given.seeds), given.only):
            record.add({what: name, "seed": seed}, partial(run, name, images, verdict, seed, given))
    print(table(record.rows, (what, *kinds)))


def summary(values: list[float]) -> str:
    if len(values) < 2:
        return f"{values[0]:.2f}" if values else ""
    return f"{statistics.mean(values):.2f} ({min(values):.2f} to {max(values):.2f})"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--sets", nargs="+", default=SETS)
    parser.add_argument("--table", action="store_true")
    given = parser.parse_args()
    torch.set_num_threads(1)
    record = Record(KEPT)
    for name in () if given.table else given.sets:
        trial(name, given.seeds, record)
    print(table(record.rows, ("set", "model", "rate", "steps")))
    return 0


if __name__ == "__main__":
    sys.exit(main())
