"""Train recipes as their reports did, keep what came out in git, and go on wherever it was stopped.

    python -m starter reproduce vae-mlp              one of them, at a screen
    python -m starter reproduce --seconds 60         every recipe, a minute of training each
    python -m starter reproduce --queue --home H     whatever is missing, behind everything else; --status shows it

A row is a recipe on a data set. Its run lives in HOME/RECIPE-DATA (see train.py); what came out is kept as one small
file, results/RECIPE-DATA.json, from which RESULTS.md is made. A run that did less never takes a stored one's place.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from .. import data, recipes
from ..data import DataError
from ..recipes import RECIPES
from ..runs import replace
from . import table
from .checkpoint import LAST, PREVIOUS
from .folder import busy, mine
from .record import PROGRESS, RESULTS, dumped, settings_of

LOG = "queue.log"
FAILED = "failed.txt"  # why the last try of a row failed
POLL = 2.0  # seconds
FINISHED = ("trained", "settled", "budget")


class Row(NamedTuple):
    """A recipe on a data set."""

    recipe: str
    data: str

    def __str__(self) -> str:
        return f"{self.recipe} on {self.data}"

    @property
    def name(self) -> str:
        return f"{self.recipe}-{self.data}"

    @property
    def hours(self) -> float:
        """Of one CPU thread, estimated; a data set that is learned for longer takes longer."""
        recipe = RECIPES[self.recipe]
        first, here = recipe.epochs_on(recipe.data[0]), recipe.epochs_on(self.data)
        return recipe.hours * (here / first if first else 1)

    def whole(self, result: dict | None) -> bool:
        """Whether a result is of this recipe as it is now, trained as its report says."""
        settings = json.loads(dumped(settings_of(RECIPES[self.recipe], self.data)))
        return bool(result and result["as_reported"] and result["recipe_settings"] == settings)


@dataclass(frozen=True)
class Place:
    """Where runs live, and where their results are kept."""

    home: Path
    results: Path

    def folder(self, row: Row) -> Path:
        return self.home / row.name

    def found(self, row: Row) -> dict | None:
        """What its run has to show so far."""
        return read(self.folder(row) / RESULTS)

    def stored(self, row: Row) -> dict | None:
        return read(self.results / f"{row.name}.json")

    def done(self, row: Row) -> bool:
        return row.whole(self.stored(row))

    def publish(self, row: Row, anyway: bool = False) -> str:
        """Keep what a run has to show, unless something better is kept (then only with `anyway`); a line says which."""
        new, old = self.found(row), self.stored(row)
        if new is None or new["ended"] == "stopped":
            return f"{row}: nothing to keep yet"
        if old and not anyway and rank(row, new) <= rank(row, old):
            return f"{row}: {self.results / row.name}.json stays: {trained(old)}; here {trained(new)}"
        new["settings"] = {name: value for name, value in new["settings"].items() if value is not None}
        replace(self.results / f"{row.name}.json", dumped(new) + b"\n")
        self.write_table()
        return f"{row}: {trained(new)}; kept in {self.results / row.name}.json"

    def write_table(self) -> None:
        replace(self.results.parent / "RESULTS.md", table.text(self.results).encode())


def read(path: Path) -> dict | None:
    """
    Raises:
        ValueError: the file is no result.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return found if {"as_reported", "recipe_settings", "steps", "ended", "test"} <= found.keys() else None
    except FileNotFoundError:
        return None
    except (ValueError, AttributeError, UnicodeDecodeError):
        raise ValueError(f"{path} is not the result of a run: delete it, or bring it back from git") from None


def rank(row: Row, result: dict) -> tuple:
    """The more a result tells about the recipe, the higher."""
    return row.whole(result), result["as_reported"], result["steps"]


def trained(result: dict) -> str:
    numbers = ", ".join(f"{name} {value:.4g}" for name, value in result["test"].items() if value is not None)
    return f"{result['epochs']:g} epochs" + (f" ({numbers})" if numbers else "")


def rows(names: list[str], sets: list[str]) -> list[Row]:
    """What is to be trained, the shortest first; all data sets of a recipe's report unless some are named.

    Raises:
        ValueError: no such recipe; names the nearest. Or no such data set as one that is named, or not prepared.
    """
    for own in sets:
        data.load(own, "test")
    chosen = {name: recipes.recipe(name) for name in names} or RECIPES
    found = [Row(name, own) for name, recipe in chosen.items() for own in sets or recipe.data]
    return found if names else sorted(found, key=lambda row: row.hours)


def missing(rows: list[Row]) -> dict[str, str]:
    """Data set -> what to do for it, of those that are not prepared."""
    found = {}
    for own in dict.fromkeys(row.data for row in rows):
        try:
            data.load(own, "test")
        except DataError as absent:
            found[own] = str(absent)
    return found


def command(row: Row, place: Place, settings: dict) -> list[str]:
    """What trains a row, or goes on with it."""
    folder, options = place.folder(row), []
    for name, value in settings.items():
        flag = f"--{name.replace('_', '-')}"
        options += ["--no-tensorboard"] if name == "tensorboard" else [flag] if value is True else [flag, str(value)]
    if any((folder / name).exists() for name in (LAST, PREVIOUS)):
        options.append("--resume")
    start = [sys.executable, "-m", "starter", "train", "--recipe", row.recipe, "--data", row.data]
    return [*start, "--out", str(folder), *options]


def reproduce(rows: list[Row], place: Place, settings: dict, anyway: bool = False) -> int:
    """Train rows one after the other, and keep what came out; the exit code."""
    failed, absent = 0, missing(rows)
    for row in rows:
        if row.data in absent:
            print(f"{row}: not run: {absent[row.data]}", file=sys.stderr, flush=True)
            continue
        before = place.found(row)
        if not fresh(before, row, settings):
            print(f"{row}", flush=True)
            if why := one(command(row, place, settings)):
                print(f"{row}: {why}", file=sys.stderr, flush=True)
                failed += 1
                if place.found(row) == before:  # what stands there is another call's
                    continue
        print(place.publish(row, anyway), flush=True)
    return 1 if failed else 0


def fresh(result: dict | None, row: Row, settings: dict) -> bool:
    """Whether a run has already done what is asked for."""
    if result is None or not (result["ended"] in FINISHED or result["as_reported"]):
        return False
    asked = {name: value for name, value in settings.items() if name != "impl"}
    limits = ("seconds", "epochs", "steps")
    same = all(result["settings"].get(name) == value for name, value in asked.items())
    return same and all(result["settings"].get(name) == asked.get(name) for name in limits)


def one(command: list[str]) -> str:
    """Run a process to its end; why it failed, or nothing. Ctrl-C is the child's to answer, which takes its time."""
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        _, said = process.communicate()
    except KeyboardInterrupt:
        process.communicate()
        raise
    if process.returncode == 130:
        raise KeyboardInterrupt
    return last_line(said) if process.returncode else ""


def last_line(said: str) -> str:
    return (said.strip() or "no reason given").splitlines()[-1]


# ---- the queue


def queue(rows: list[Row], place: Place, settings: dict, workers: int, anyway: bool = False) -> int:
    """Train all that is missing, `workers` at a time, until nothing is left; the exit code.

    It may be killed at any moment, and goes on when it is started again. What fails is tried again at the next start.

    Raises:
        JobError: another queue is at work in this home.
    """
    with mine(place.home), as_interrupt(signal.SIGTERM):
        step_back()
        return Queue(rows, place, settings, workers, anyway).run()


def step_back(process: int | None = None) -> None:
    """Lowest priority for this process, or for one that it has started.

    Linux shares a processor between sessions first, by a priority of the session as a whole: there a process that is as
    nice as can be still takes as much as any other session, unless its session says the same.
    """
    if process is None and hasattr(os, "nice"):
        os.nice(19)  # those that it starts inherit it
    for _ in range(50):
        try:
            Path(f"/proc/{process or 'self'}/autogroup").write_text("19")
        except BlockingIOError:  # of ordinary users the kernel takes one change in a tenth of a second
            time.sleep(0.1)
        except OSError:
            return  # a kernel that does not share by sessions
        else:
            return


class Queue:
    def __init__(self, rows: list[Row], place: Place, settings: dict, workers: int, anyway: bool) -> None:
        self.place, self.settings, self.workers, self.anyway = place, settings, workers, anyway
        self.rows, self.done = rows, 0
        self.running: dict[Row, subprocess.Popen[bytes]] = {}
        self.failed: list[Row] = []

    def run(self) -> int:
        absent = missing(self.rows)
        for own, note in absent.items():
            self.log(f"skip {own}: {note}")
        waiting = [row for row in self.rows if row.data not in absent and not self.place.done(row)]
        self.log(f"begin: {len(waiting)} rows to train, {self.workers} at a time")
        try:
            while waiting or self.running:
                self.collect()
                self.fill(waiting)
                time.sleep(POLL if self.running or waiting else 0)
        finally:
            self.stop()
        self.log(f"end: {self.done} rows trained, {len(self.failed)} failed, {len(absent)} data sets are not prepared")
        return 1 if self.failed else 0

    def fill(self, waiting: list[Row]) -> None:
        """Give every idle worker a row that nobody else trains."""
        for row in list(waiting):
            if busy(self.place.folder(row)):
                continue  # of a queue that was killed, perhaps: its process goes on
            if row.whole(self.place.found(row)):
                waiting.remove(row)
                self.keep(row)
            elif len(self.running) < self.workers:
                waiting.remove(row)
                self.start(row)

    def start(self, row: Row) -> None:
        folder = self.place.folder(row)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / FAILED).unlink(missing_ok=True)
        one_thread = {"OMP_NUM_THREADS": "1", "TQDM_DISABLE": "1"}
        words = command(row, self.place, self.settings)
        with (folder / "log.txt").open("ab") as said:
            self.running[row] = subprocess.Popen(
                words,
                env=os.environ | one_thread,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                start_new_session=True,  # Ctrl-C is for the queue, which passes it on once
            )
        step_back(self.running[row].pid)
        self.log(f"start {row}{', which goes on' if '--resume' in words else ''}")

    def collect(self) -> None:
        for row, process in list(self.running.items()):
            if process.poll() is None:
                continue
            del self.running[row]
            if process.returncode:
                why = last_line((self.place.folder(row) / "log.txt").read_text(encoding="utf-8", errors="replace"))
                replace(self.place.folder(row) / FAILED, why.encode())
                self.failed.append(row)
                self.log(f"failed {row}: {why}")
            self.keep(row)

    def keep(self, row: Row) -> None:
        try:
            self.log(f"end {self.place.publish(row, self.anyway)}")
            self.done += row not in self.failed
        except (OSError, ValueError) as trouble:  # no row may stop the others
            self.log(f"{row}: not kept: {trouble}")

    def stop(self) -> None:
        """End what runs, each with a checkpoint."""
        for process in self.running.values():
            process.terminate()
        for row, process in self.running.items():
            process.wait()
            self.log(f"stop {row}")

    def log(self, line: str) -> None:
        line = f"{time.strftime('%Y-%m-%d %H:%M:%S')} {line}"
        print(line, flush=True)
        with (self.place.home / LOG).open("a", encoding="utf-8") as file:
            file.write(line + "\n")


@contextlib.contextmanager
def as_interrupt(number: int) -> Iterator[None]:
    """A signal is answered like Ctrl-C."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(number, interrupt)
    try:
        yield
    finally:
        signal.signal(number, before)


def progress(folder: Path) -> dict | None:
    """How far a run is: step, total, steps of an epoch, steps a second."""
    with contextlib.suppress(OSError, ValueError):
        return json.loads((folder / PROGRESS).read_text(encoding="utf-8"))
    return None


def status(rows: list[Row], place: Place) -> str:
    """A line for every row, and the hours that are left."""
    lines, left, absent = [], 0.0, missing(rows)
    for row in rows:
        state, hours = state_of(row, place, absent)
        lines.append(f"{row.recipe:24} {row.data:14} {state}")
        left += hours
    return "\n".join([*lines, f"{left:.1f} hours of one CPU thread are left."])


def state_of(row: Row, place: Place, absent: dict[str, str]) -> tuple[str, float]:
    """In words, and the hours of one thread that it still takes."""
    if (stored := place.stored(row)) and row.whole(stored):
        return f"done: {trained(stored)}", 0.0
    folder, told = place.folder(row), progress(place.folder(row))
    share = told["step"] / told["total"] if told else 0.0
    at = f"epoch {told['step'] / told['epoch']:.1f} of {told['total'] / told['epoch']:g}" if told else "not begun"
    hours = row.hours * (1 - share)
    if folder.exists() and busy(folder):
        if told and told["rate"]:
            hours = (told["total"] - told["step"]) / told["rate"] / 3600
            at += f", {told['rate']:.3g} steps a second"
        return f"runs: {at}, {hours:.2f} hours left", hours
    if row.data in absent:
        return f"skipped: {absent[row.data]}", 0.0
    if (folder / FAILED).exists():
        return f"failed: {(folder / FAILED).read_text(encoding='utf-8')}; {at}", hours
    return f"waits: {at}, {hours:.2f} hours", hours
