"""Where the work is done: in processes of this machine, or by a dask.distributed cluster. Both are executors."""

import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from itertools import islice
from multiprocessing import forkserver, util
from multiprocessing.connection import Connection
from multiprocessing.context import BaseContext
from typing import Any, ParamSpec, Protocol, TypeVar

from ..content.mistake import Mistake
from .job import cool
from .scratch import Scratch

Job = TypeVar("Job")
Result = TypeVar("Result")
Given = ParamSpec("Given")
LONGEST = 80  # bytes of a folder's path: with a socket's own name at most 104, what macOS allows
TRIES = 3  # of a job whose process ends under it
START = "start it in a checkout, with `PYTHONPATH=. dask worker ...`"
MISSING = "dask.distributed is not installed: run `pip install -r grading/requirements.txt` first"


class Pool(Protocol):
    """Where jobs are done."""

    def executor(self) -> contextlib.AbstractContextManager[tuple[Executor, int]]:
        """An executor, and how many jobs keep it busy."""


@dataclass(frozen=True)
class Local:
    """Processes of this machine: forks of one that has imported what judges, and never held a gradebook."""

    workers: int = 2

    def prepared(self) -> "Local":
        """Itself, with the process that is forked started: its imports go on while this one does something else."""
        with_judges()
        forkserver.ensure_running()
        return self

    @contextlib.contextmanager
    def executor(self) -> Iterator[tuple[Executor, int]]:
        """An executor, and how many jobs keep it busy."""
        context = with_judges()
        theirs, ours = context.Pipe(duplex=False)
        pool = ProcessPoolExecutor(self.workers, context, initializer=bound, initargs=(theirs,))
        try:
            yield pool, 2 * self.workers
        finally:
            ours.close()  # ends them, whatever they wait for
            pool.shutdown(cancel_futures=True)
            theirs.close()


def with_judges() -> BaseContext:
    """What it keeps by name, a socket and semaphores, goes with a folder that is swept, should this process be killed.

    multiprocessing has no public setting for these two.

    Raises:
        Mistake: the temporary folder's path is too long for a socket in it.
    """
    if (size := len(os.fsencode(scratch().path))) > LONGEST:
        over = f"with {scratch().path} a socket's path is {size - LONGEST} bytes too long"
        raise Mistake(f"set TMPDIR to a shorter folder: {over}")
    settings = multiprocessing.current_process()._config  # type: ignore[attr-defined]  # no public way, see above
    settings |= {"tempdir": str(scratch().path), "semprefix": f"/{scratch().name}"}
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([f"{__package__}.verdicts", f"{__package__}.submitted_cells"])
    return context


@cache
def scratch() -> Scratch:
    return Scratch()


def bound(lifeline: Connection) -> None:
    """Bind a worker process to its grader: it ends when the other end of the lifeline is gone, by whatever death."""

    def hold() -> None:
        with contextlib.suppress(EOFError, OSError):
            lifeline.recv()
        with contextlib.suppress(Exception):
            cool()
        os._exit(1)

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the grader's to answer
    util.Finalize(None, cool, exitpriority=0)  # such a process ends without `atexit`
    threading.Thread(target=hold, daemon=True).start()


@dataclass(frozen=True)
class Cluster:
    """Workers of a dask.distributed scheduler; each has a checkout of the course on its import path.

    Whoever reaches a scheduler can run code on its workers, and these have the solutions: keep both on a network of
    your own, or give dask its certificates (address tls://...).
    """

    address: str
    patience: int = 30  # seconds for the scheduler to answer, and for a first worker

    @contextlib.contextmanager
    def executor(self) -> Iterator[tuple[Executor, int]]:
        """
        Raises:
            Mistake: dask is not installed, nobody answers at the address, or no workers with the course are there.
        """
        try:
            from distributed import Client
        except ImportError:
            raise Mistake(MISSING) from None
        try:
            client = Client(self.address, timeout=self.patience, set_as_default=False)
        except (OSError, ValueError) as trouble:
            raise Mistake(f"no scheduler answers at {self.address} ({type(trouble).__name__})") from None
        with client:
            try:
                client.wait_for_workers(1, timeout=self.patience)
            except TimeoutError:
                raise Mistake(f"the scheduler at {self.address} has no workers: start some first") from None
            if lacking := [where for where, found in client.run(find_spec, "grading").items() if not found]:
                raise Mistake(f"the worker {lacking[0]} does not find the course: {START}")
            yield ByName(client.get_executor(pure=False)), max(16, 2 * sum(client.nthreads().values()))


@dataclass(frozen=True)
class ByName(Executor):
    """An executor that sends a function's name: the scheduler, which looks at what it passes on, has no course."""

    executor: Executor

    def submit(
        self, function: Callable[Given, Result], /, *arguments: Given.args, **given: Given.kwargs
    ) -> Future[Result]:
        def there(name: str, arguments: tuple[Any, ...], given: dict[str, Any]) -> Any:
            """Travels by value, as every function does that is made in another: it names nothing of ours."""
            from pkgutil import resolve_name

            return resolve_name(name)(*arguments, **given)

        return self.executor.submit(there, f"{function.__module__}:{function.__qualname__}", arguments, given)


def as_done(
    pool: Pool, give: Callable[[Executor, Job], Future[Result]], jobs: Iterable[Job]
) -> Iterator[tuple[Job, Future[Result]]]:
    """Each job with its result, as they come. Only so many are given out at a time: neither jobs nor results pile up.

    A pool breaks when one of its processes is killed. A new one gets what the old one lost, one job at a time: if it is
    a job that kills, it kills no others.
    """
    jobs, lost = iter(jobs), list[tuple[Job, int]]()
    while True:
        with pool.executor() as (executor, ahead):
            waiting, broken = dict[Future[Result], tuple[Job, int]](), False
            while not broken:
                careful = lost or any(before for _, before in waiting.values())  # times that a job was lost
                room = max(0, (1 if careful else ahead) - len(waiting))
                more = [lost.pop(0)] if lost and room else [(job, 0) for job in islice(jobs, room)]
                waiting |= {given(give, executor, job): (job, before) for job, before in more}
                if not waiting:
                    return
                for future in wait(waiting, return_when=FIRST_COMPLETED).done:
                    job, before = waiting.pop(future)
                    broken |= is_broken(future)
                    if is_broken(future) and before < TRIES - 1:
                        lost.append((job, before + 1))
                    else:
                        yield job, future
            lost += [(job, before + 1) for job, before in waiting.values()]


def given(give: Callable[[Executor, Job], Future[Result]], executor: Executor, job: Job) -> Future[Result]:
    """A job's future; one that has failed already when the executor takes nothing any more."""
    try:
        return give(executor, job)
    except Exception as trouble:
        return finished(trouble)


def finished(result: Result | Exception) -> Future[Result]:
    future: Future[Result] = Future()
    future.set_exception(result) if isinstance(result, Exception) else future.set_result(result)
    return future


def is_broken(future: Future[Result]) -> bool:
    return not future.cancelled() and isinstance(future.exception(), BrokenExecutor)
