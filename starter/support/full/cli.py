"""python -m starter train | reproduce | figures | keep"""

import argparse
import contextlib
import sys
from pathlib import Path

from .. import data, recipes
from ..data import DataError
from ..training import TrainingError
from .job import Job, JobError

ADVICE = "make room there, or name another place with --out"


class Parser(argparse.ArgumentParser):
    """Its complaints are one line, like all others."""

    def error(self, message: str) -> None:
        self.exit(2, f"{self.prog.split()[-1]}: {message}; see {self.prog} --help\n")


def options_of_train() -> Parser:
    parser = Parser(
        prog="python -m starter train", description="Train a named system in full size, on the data of its report."
    )
    parser.add_argument("--recipe", required=True, metavar="NAME", help="see python -m starter recipes")
    parser.add_argument("--data", metavar="NAME", help="a data set; default: the first one of the recipe")
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="default: runs/full/RECIPE-DATA")
    parser.add_argument("--impl", choices=("starter", "solutions"), default="starter", help="whose modules")
    parser.add_argument("--epochs", type=positive, metavar="N", help="default: those of the report")
    parser.add_argument("--steps", type=positive, metavar="N", help="updates, in place of epochs")
    parser.add_argument("--seconds", type=above_zero, default=Job.seconds, metavar="S", help="of training, at most")
    parser.add_argument("--batch-size", type=positive, metavar="N", help="of one process")
    parser.add_argument("--seed", type=int, default=Job.seed)
    parser.add_argument("--device", default=Job.device, help="auto, cpu, cuda")
    parser.add_argument("--amp", action="store_true", help="bfloat16 on a GPU: faster, and other numbers")
    parser.add_argument("--clip", type=above_zero, default=Job.clip, metavar="NORM", help="of the gradient, at most")
    parser.add_argument("--patience", type=positive, metavar="N", help="end after N epochs without a better loss")
    parser.add_argument("--pictures", type=positive, default=Job.pictures, metavar="N", help="epochs between pictures")
    parser.add_argument("--fid-every", type=positive, default=Job.fid_every, metavar="N", help="steps")
    parser.add_argument("--save-every", type=positive, default=Job.save_every, metavar="N", help="steps")
    parser.add_argument("--measure", type=positive, metavar="N", help="images of validation and of the test, at most")
    parser.add_argument("--resume", action="store_true", help="go on where the run in --out was stopped")
    parser.add_argument("--no-tensorboard", dest="tensorboard", action="store_false")
    return parser


def reproduce(arguments: list[str]) -> int:
    from .reproduce import reproduce

    parser = Parser(
        prog="python -m starter reproduce",
        description="Train recipes and write RESULTS.md. Further options are those of `train`, such as --seconds 60.",
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="recipes; all of them when none is named")
    parser.add_argument("--data", action="append", default=[], metavar="NAME", help="default: those of each report")
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="of the runs; default: runs/reproduce")
    parser.add_argument("--table", type=Path, metavar="FILE", help="default: RESULTS.md")
    given, options = parser.parse_known_args(arguments)
    options_of_train().parse_args(["--recipe", "any", *options])  # before anything runs
    try:
        out, table = given.out or data.course() / "runs/reproduce", given.table or data.course() / "RESULTS.md"
        failed = reproduce(given.names, given.data, out, table, options)
    except KeyboardInterrupt:
        print("reproduce: interrupted; the next call goes on from here", file=sys.stderr)
        return 130
    except ValueError as wrong:
        print(f"reproduce: {wrong}", file=sys.stderr)
        return 2
    print(f"{table} is written; {failed} runs failed.")
    return 1 if failed else 0


def positive(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"must be a whole number of at least 1, not {text!r}")
    return int(text)


def above_zero(text: str) -> float:
    with contextlib.suppress(ValueError):
        if (number := float(text)) > 0:
            return number
    raise argparse.ArgumentTypeError(f"must be a number above 0, not {text!r}")


def train(arguments: list[str]) -> int:
    given = options_of_train().parse_args(arguments)
    try:
        recipe = recipes.recipe(given.recipe)
        given.data = given.data or recipe.data[0]
        given.out = given.out or data.course() / "runs/full" / f"{given.recipe}-{given.data}"
        return reported(Job(**vars(given)))
    except ValueError as wrong:
        print(f"train: {wrong}", file=sys.stderr)
        return 2


def reported(job: Job) -> int:
    """Run a job and say how it ended; the exit code."""
    from .train import train

    try:
        found = train(job)
    except KeyboardInterrupt:
        found = None
    except (JobError, DataError) as wrong:
        print(f"train: {wrong}", file=sys.stderr)
        return 2
    except TrainingError as nonsense:
        print(f"train: {nonsense}", file=sys.stderr)
        return 1
    except OSError as trouble:
        kept = "; the checkpoint before it is kept: --resume" if (job.out / "last.pt").exists() else ""
        print(f"train: {trouble.filename or job.out}: {trouble.strerror or trouble}: {ADVICE}{kept}", file=sys.stderr)
        return 2
    if found is None:
        print(f"train: stopped; --resume goes on from the last checkpoint in {job.out}", file=sys.stderr)
        return 130
    if found:
        numbers = ", ".join(f"{name} {value:.4g}" for name, value in found["test"].items())
        print(
            f"{job.recipe} on {job.data}: {found['steps']} steps in {found['seconds']:g} s; test: {numbers}; {job.out}"
        )
    return 0


def figures(arguments: list[str]) -> int:
    from .figures import figures

    parser = Parser(
        prog="python -m starter figures",
        description="Draw from runs what the reports draw: curves, images side by side, a table of the models.",
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="recipes, or kinds of pictures; default: all")
    parser.add_argument("--home", type=Path, metavar="FOLDER", help="of the runs; default: runs/reproduce")
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="of the pictures; default: figures/ in --home")
    given = parser.parse_intermixed_args(arguments)
    home = given.home or data.course() / "runs/reproduce"
    try:
        drawn, left_out = figures(home, given.out or home / "figures", given.names)
    except ValueError as wrong:
        print(f"figures: {wrong}", file=sys.stderr)
        return 2
    except OSError as trouble:
        place = trouble.filename or given.out or home
        print(f"figures: {place}: {trouble.strerror or trouble}: name another place with --out", file=sys.stderr)
        return 2
    for line in left_out:
        print(f"left out: {line}")
    print(f"{len(drawn) - 1} pictures; {drawn[-1]} shows them all")
    return 0


def keep(arguments: list[str]) -> int:
    from .weights import keep

    parser = Parser(
        prog="python -m starter keep",
        description="Keep what samples of finished runs in results/weights, for starter.support.full.load.",
    )
    parser.add_argument("names", nargs="+", metavar="RECIPE-DATA", help="folders in --home")
    parser.add_argument("--home", type=Path, metavar="FOLDER", help="of the runs; default: runs/reproduce")
    parser.add_argument("--impl", choices=("starter", "solutions"), default="starter", help="whose modules")
    given = parser.parse_intermixed_args(arguments)
    home = given.home or data.course() / "runs/reproduce"
    try:
        for name in given.names:
            path = keep(home / name, given.impl)
            print(f"{path}: {path.stat().st_size / 1e6:.2f} MB")
    except ValueError as wrong:
        print(f"keep: {wrong}", file=sys.stderr)
        return 2
    return 0
