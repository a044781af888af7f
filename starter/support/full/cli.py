"""python -m starter train | reproduce | figures | keep"""

import argparse
import contextlib
import errno
import os
import sys
import time
from pathlib import Path
from typing import NoReturn

from .. import data, recipes
from ..data import DataError
from ..training import TrainingError
from .checkpoint import LAST, PREVIOUS
from .job import Job, JobError
from .precision import PRECISIONS

MODELS = {"gan": ("gan-mlp",), "vae": ("vae-mlp",), "both": ("gan-mlp", "vae-mlp")}  # as report 004 calls them
PRINT_EVERY = 400  # batches, there
WAIT = 5  # seconds
FULL = (None, errno.ENOSPC, errno.EDQUOT)


class Parser(argparse.ArgumentParser):
    """Its complaints are one line, like all others."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog.split()[-1]}: {message}; see {self.prog} --help\n")


def options_of_train() -> Parser:
    parser = Parser(
        prog="python -m starter train", description="Train a named system in full size, on the data of its report."
    )
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--recipe", metavar="NAME", help="see python -m starter recipes")
    which.add_argument("--model", choices=MODELS, help="the command of report 004: recipe gan-mlp, vae-mlp, or both")
    parser.add_argument("--data", metavar="NAME", help="a data set; default: the first one of the recipe")
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="default: runs/full/RECIPE-DATA")
    parser.add_argument("--resume", action="store_true", help="go on where the run in --out was stopped")
    add_settings(parser)
    return parser


def add_settings(parser: Parser) -> None:
    """Options that `train` and `reproduce` share; a default of None means that nothing was asked for."""
    add = parser.add_argument_group("settings of a run").add_argument
    add("--impl", choices=("starter", "solutions"), help="whose modules; default: yours, or where blank the reference")
    add("--epochs", type=positive, metavar="N", help="default: those of the recipe")
    add("--steps", type=positive, metavar="N", help="updates, in place of epochs")
    add("--seconds", type=above_zero, metavar="S", help="of training, at most")
    add("--batch-size", type=positive, metavar="N", help="of one process")
    add("--lr", type=above_zero, metavar="RATE", help="of every network; default: those of the recipe")
    add("--seed", type=int, metavar="N", help=f"default: {Job.seed}")
    add("--device", help="auto (the default), cpu, cuda")
    add(
        "--precision", choices=PRECISIONS, help="of networks; auto (the default): bfloat16 where this CPU multiplies it"
    )
    add("--amp", dest="precision", action="store_const", const="bfloat16", help="--precision bfloat16")
    add("--clip", type=above_zero, metavar="NORM", help="of the gradient, at most")
    add("--patience", type=positive, metavar="N", help="end after N epochs in which the best loss fell by under 0.1 %%")
    add("--pictures", type=positive, metavar="N", help="epochs between pictures; default: those that the report shows")
    add("--fid-every", type=positive, metavar="N", help=f"steps; default: {Job.fid_every}")
    add("--save-every", type=positive, metavar="N", help=f"steps; default: {Job.save_every}, or five minutes")
    add("--print-every", type=positive, metavar="N", help="steps from one line with the losses to the next")
    add("--measure", type=positive, metavar="N", help="images of validation and of the test, at most")
    add("--no-tensorboard", dest="tensorboard", action="store_false", default=None)


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
    given = {name: value for name, value in vars(options_of_train().parse_args(arguments)).items() if value is not None}
    model = given.pop("model", None)
    names = MODELS[model] if model else (given.pop("recipe"),)
    if model:
        given.setdefault("print_every", PRINT_EVERY)
    codes = []
    for name in names:
        try:
            own = given.get("data") or recipes.recipe(name).data[0]
            out = given.get("out") or data.course() / "runs/full" / f"{name}-{own}"
            out = out / f"{name}-{own}" if len(names) > 1 and "out" in given else out
            codes.append(reported(Job(**given | {"recipe": name, "data": own, "out": out})))
        except ValueError as wrong:
            complain(wrong)
            return 2
        if codes[-1] == 130:
            break
    return max(codes)


def reported(job: Job) -> int:
    """Run a job and say how it ended; the exit code."""
    from .train import train

    try:
        found = train(job)
    except KeyboardInterrupt:
        found = {"ended": "stopped"}
    except (JobError, DataError) as wrong:
        complain(wrong)
        return 2
    except TrainingError as nonsense:
        unstable = recipes.recipe(job.recipe).unstable
        complain(f"{nonsense}: its report could not train it to the end either" if unstable else nonsense)
        return 0 if unstable else 1
    except OSError as trouble:
        kept = any((job.out / name).exists() for name in (LAST, PREVIOUS))
        advice = "make room there, or name" if trouble.errno in FULL else "name"
        behind = "; the checkpoint before it is kept: --resume" if kept else ""
        place = trouble.filename or job.out
        complain(f"{place}: {trouble.strerror or trouble}: {advice} another place with --out{behind}")
        return 2
    if found.get("ended") == "stopped":
        complain(f"stopped; --resume goes on from the last checkpoint in {job.out}")
        return 130
    if found:
        numbers = ", ".join(f"{name} {value:.4g}" for name, value in found["test"].items())
        test = f"; test: {numbers}" if numbers else ""
        print(f"{job.recipe} on {job.data}: {found['steps']} steps in {found['seconds']:g} s{test}; {job.out}")
    return 0


def complain(of: object) -> None:
    """One line. Of several processes the first one speaks for all: torchrun ends the others while they wait for it."""
    if os.environ.get("RANK", "0") != "0":
        time.sleep(WAIT)
    print(f"train: {of}", file=sys.stderr, flush=True)


def reproduce(arguments: list[str]) -> int:
    from . import reproduce as runs

    parser = Parser(
        prog="python -m starter reproduce",
        description="Train recipes as their reports did, keep what came out in results/, and write RESULTS.md from it. "
        "What was stopped goes on; what is in results/ is not trained again.",
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="recipes; all of them when none is named")
    parser.add_argument("--data", action="append", default=[], metavar="NAME", help="default: those of each report")
    parser.add_argument("--home", type=Path, metavar="FOLDER", help="of the runs; default: runs/reproduce")
    how = parser.add_mutually_exclusive_group()
    how.add_argument(
        "--queue", action="store_true", help="in the background's manner: one process per core, lowest priority"
    )
    how.add_argument("--status", action="store_true", help="what is done, runs, waits, and for how long")
    how.add_argument("--table", action="store_true", help="only write RESULTS.md again, from results/")
    parser.add_argument("--workers", type=positive, metavar="N", help="processes of --queue; default: one per core")
    parser.add_argument(
        "--replace", action="store_true", help="a stored result gives way to one that trained less, too"
    )
    parser.add_argument("--results", type=Path, metavar="FOLDER", help="default: results/, and RESULTS.md beside it")
    add_settings(parser)
    given = vars(parser.parse_intermixed_args(arguments))
    own = {
        name: given.pop(name)
        for name in ("names", "data", "home", "queue", "status", "table", "workers", "replace", "results")
    }
    try:
        place = runs.Place(own["home"] or data.course() / "runs/reproduce", own["results"] or data.course() / "results")
        rows = runs.rows(own["names"], own["data"])
        if own["status"]:
            print(runs.status(rows, place))
            return 0
        if own["table"]:
            place.write_table()
            return 0
        settings = {name: value for name, value in given.items() if value is not None}
        if own["queue"]:
            return runs.queue(rows, place, settings, own["workers"] or os.cpu_count() or 1, own["replace"])
        return runs.reproduce(rows, place, settings, own["replace"])
    except KeyboardInterrupt:
        print("reproduce: interrupted; the next call goes on from here", file=sys.stderr)
        return 130
    except ValueError as wrong:
        print(f"reproduce: {wrong}", file=sys.stderr)
        return 2
    except OSError as trouble:
        where = trouble.filename or own["home"] or "runs/reproduce"
        print(f"reproduce: {where}: {trouble.strerror or trouble}: name another place with --home", file=sys.stderr)
        return 2


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
    from . import previews
    from .weights import keep

    parser = Parser(
        prog="python -m starter keep",
        description="Keep what samples of finished runs in results/weights, for starter.support.full.load, and "
        "images of it in starter/support/previews and starter/support/drawn, which the labs show.",
    )
    parser.add_argument("names", nargs="+", metavar="RECIPE-DATA", help="folders in --home")
    parser.add_argument("--home", type=Path, metavar="FOLDER", help="of the runs; default: runs/reproduce")
    parser.add_argument("--impl", choices=("starter", "solutions"), help="default: yours, or where blank the reference")
    given = parser.parse_intermixed_args(arguments)
    home = given.home or data.course() / "runs/reproduce"
    try:
        for name in given.names:
            path = keep(home / name, given.impl)
            print(f"{path}: {path.stat().st_size / 1e6:.2f} MB")
            print(previews.write(path, given.impl))
            if drawn := previews.write_drawn(path, given.impl):
                print(drawn)
    except ValueError as wrong:
        print(f"keep: {wrong}", file=sys.stderr)
        return 2
    return 0
