"""python -m grading COMMAND: what instructors and maintainers run."""

import argparse
import contextlib
import difflib
import errno
import os
import shutil
import sys
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from .classroom.course_folder import Course
from .content.mistake import Mistake, lab_named
from .content.tasks import LABS, QUESTIONS, TASKS, tasks_of

if TYPE_CHECKING:
    from .judge.runner import SomeLimits

NAMES = """Whose a file is: all of a download is read as Moodle names files (with folders or without), Blackboard,
Brightspace, Gradescope or Canvas, or as you do yourself (`anna.zip`, a folder `anna`, `anna_vae.py` beside
`anna_02_vae.ipynb`). Of several submissions by one learner the last one that can be accepted counts, and those before
it give what it lacks; one that is refused is graded with 0 points and says why, where there is no other. An older
download replaces nothing that is newer. When it was handed in: from --times, else from the names (Blackboard,
Brightspace), from Gradescope's list, or from the files."""


ALL = ("release", "feedback", "report")  # commands that take all labs, too


class Parser(argparse.ArgumentParser):
    """Wrong use is one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}; {self.prog} --help lists what it takes\n")


def positive(text: str) -> int:
    """
    Raises:
        ArgumentTypeError: it is no whole number from 1 up.
    """
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"a whole number from 1 up is needed, not {text!r}")
    return int(text)


def parser() -> argparse.ArgumentParser:
    top = Parser(prog="python -m grading", description="Build the course, and grade it.")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    command = {}
    for run in COMMANDS:
        name = run.__name__.replace("_", "-")
        command[name] = commands.add_parser(name, help=run.__doc__, description=run.__doc__)
        command[name].set_defaults(run=run)
    command["collect"].epilog = NAMES
    labs = ("release", "pushed", "collect", "autograde", "marking", "regrade", "feedback", "report", "gradescope")
    for name in ("course", "roster", "export", *labs):
        command[name].add_argument(
            "--course", type=Path, default=Path("course"), help="course folder (default: course)"
        )
        command[name].add_argument(
            "--db", metavar="URL", help="keep grades there from now on: postgresql://user:password@host/database"
        )
    for name in labs:
        command[name].add_argument("lab", metavar="LAB", help="such as 02_vae" + ", or all" * (name in ALL))
    command["release"].add_argument(
        "--no-answers", action="store_true", help="no model answers of written questions: feedback will show them"
    )
    command["release"].add_argument(
        "--given", action="store_true", help="earlier labs' modules complete, marked as given: nobody is left behind"
    )
    command["course"].add_argument(
        "--apply", action="store_true", help="let course.toml count as it is now, whose points ever it changes"
    )
    command["roster"].add_argument("file", metavar="CSV", type=Path, help="as Canvas or Moodle export it, or id,name")
    command["feedback"].add_argument(
        "--zip",
        choices=("canvas", "moodle", "brightspace", "plain"),
        help="also a zip that this platform takes back for all learners at once; plain: a folder for each",
    )
    command["report"].add_argument(
        "--similar", action="store_true", help="instead: pairs that share what few share, side by side"
    )
    command["regrade"].add_argument("student", metavar="LEARNER", help="her id")
    command["regrade"].add_argument("--words", metavar="FILE", type=Path, help="what she wrote, a text")
    command["regrade"].add_argument("--answer", metavar="TEXT", help="what she reads on her feedback page")
    command["marking"].add_argument("--markers", metavar="A,B", default="", help="a sheet for each, learner by learner")
    command["marking"].add_argument("--all", action="store_true", help="also answers that have their points")
    command["marking"].add_argument("--read", metavar="CSV", type=Path, help="a sheet that was filled in")
    command["pushed"].add_argument("folder", metavar="CLONES", type=Path, help="clones, each named as its learner")
    command["pushed"].add_argument("--before", metavar="TIME", help="what was committed later does not count")
    command["student-repo"].add_argument("folder", metavar="DIR", type=Path, help="new, or empty")
    command["collect"].add_argument(
        "folder",
        metavar="DOWNLOAD",
        type=Path,
        help="the platform's zip, or a folder: one zip, folder or pair per learner",
    )
    command["collect"].add_argument(
        "--id-pattern", metavar="REGEX", help="from names to learners: groups id, and name, attempt, file if you like"
    )
    command["collect"].add_argument(
        "--dry-run", action="store_true", help="say who would get which files; write nothing"
    )
    command["collect"].add_argument(
        "--times",
        metavar="FILE",
        type=Path,
        help="CSV: learner,2026-11-21T20:05:00+01:00; or Moodle's grading worksheet",
    )
    command["collect"].add_argument(
        "--zone", metavar="ZONE", help="of times that say none, such as Europe/Berlin (default: this machine's)"
    )
    command["autograde"].add_argument("--student", help="only this one")
    command["autograde"].add_argument(
        "--regrade", action="store_true", help="also what is graded already, after a change of a probe, say"
    )
    where = command["autograde"].add_mutually_exclusive_group()
    where.add_argument("--workers", type=positive, default=2, help="submissions at a time on this machine (default: 2)")
    where.add_argument("--cluster", metavar="ADDRESS", help="by the workers of this dask.distributed scheduler")
    command["autograde"].add_argument(
        "--seconds",
        type=positive,
        default=20,
        metavar="N",
        help="computing time per task (default: 20); a submission has 240 by the clock, or 12 times N",
    )
    for name in ("autograde", "regrade", "demo", "audit"):
        command[name].add_argument("--no-jail", action="store_true", help="run strangers' code with all your rights")
    command["export"].add_argument(
        "--partial", action="store_true", help="unfinished labs, too, in what an LMS imports"
    )
    for name in ("bands", "equal-budgets"):
        command[name].add_argument("labs", metavar="LAB", nargs="*", help="only these (default: all)")
    command["bands"].add_argument("--fresh", type=positive, default=0, metavar="N", help="try N other seeds instead")
    command["check"].add_argument("names", metavar="TASK|LAB", nargs="*", help="only these tasks, and their answers")
    command["check"].add_argument(
        "--fast", action="store_true", help="only what can be read, in seconds, without torch"
    )
    command["new-task"].add_argument(
        "task", metavar="TASK", help="its id, such as vae-9; the lab follows from the letters"
    )
    command["new-task"].add_argument(
        "--symbol", metavar="NAME", required=True, help="the function that holds the blank"
    )
    command["new-task"].add_argument("--after", metavar="TASK", help="the task that it follows (default: the last one)")
    audit_options(command["audit"])
    command["demo"].add_argument("folder", metavar="DIR", nargs="?", type=Path, help="where to (default: thrown away)")
    return top


def audit_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("names", metavar="TASK|LAB", nargs="*", help="only these, with what tells each answer apart")
    command.add_argument(
        "--full", action="store_true", help="1,000 seeds for every answer, not 50; for changes 100, not 8"
    )
    command.add_argument("--corpus", action="store_true", help="only answers by people who saw no catalogue")
    command.add_argument("--add", metavar="TASK", help="judge a wrong answer met in class; prints its entry")
    command.add_argument("--file", type=Path, help="the answer, or the whole function (default: what you paste)")
    command.add_argument("--write", action="store_true", help="append the entry to the catalogue; needs the next four")
    for key, text in (("id", "a few words-with-dashes"), ("kind", "such as sign"), ("believes", "what she thought")):
        command.add_argument(f"--{key}", help=f"of the entry: {text}")
    command.add_argument("--says", help="of the entry: what a learner is told; what is wrong first, then what to do")


def build(given: Namespace) -> int:
    """Bring starter/ and the notebooks in line with solutions/, tasks.toml and the text notebooks."""
    from .maintain import consistency
    from .maintain.build import build as built

    if complaints := consistency.buildable():
        print("\n".join([*complaints, "build: nothing is written; what is above comes first."]), file=sys.stderr)
        return 1
    print("\n".join(str(path) for path in built()) or "nothing to do")
    return 0


def tasks_named(name: str) -> list[str]:
    """A task, or all of a lab.

    Raises:
        Mistake: there is neither; names the nearest.
    """
    if name not in TASKS and name not in LABS:
        near = difflib.get_close_matches(name, [*TASKS, *LABS], n=1, cutoff=0.0)[0]
        raise Mistake(f"there is no task or lab {name!r}; did you mean {near}?")
    return [name] if name in TASKS else tasks_of(name)


def check(given: Namespace) -> int:
    """Say what in the repository does not fit together: first what can be read, then how answers are judged."""
    tasks = [task for name in given.names for task in tasks_named(name)]
    if given.names and not tasks:
        raise Mistake(f"{' and '.join(given.names)} has no task; without a name all of the course is checked")
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # beside other work two threads wait for each other, for minutes
    from .maintain import consistency

    return consistency.main(tasks, given.fast)


def new_task(given: Namespace) -> int:
    """Begin a task: its row, region, probe, answers and cell; then `make check` says what is to be filled in."""
    from .maintain.new_task import new_task as begun

    for name in begun(given.task, given.symbol, given.after):
        print(name)
    print(f"What is to be written there, in order: make check ARGS={given.task}")
    print(f"Then: make build; make audit ARGS={given.task}")
    return 0


def audit(given: Namespace) -> int:
    """Prove that the checks are neither loose nor strict, with every known answer and machine-made ones."""
    tasks = [task for name in given.names or TASKS for task in tasks_named(name)]
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # two threads that wait for each other actively cost tenfold
    if given.add:
        return met_in_class(given, tasks_named(given.add)[0])
    can_fork("answers are judged")
    from starter.support.checks import facts

    if unbuilt := [task for task in tasks if task not in facts()]:
        raise Mistake(f"check() does not know {', '.join(unbuilt)} yet: run `make build` first")
    if given.corpus:
        from .maintain import corpus

        return corpus.main(tasks, bool(given.names))
    from .maintain import audit as audits

    return audits.main(tasks, given.full, bool(given.names))


def met_in_class(given: Namespace, task: str) -> int:
    from .content.reference_text import published
    from .judge.jail.outside import launch
    from .judge.runner import Runner, plain_launch
    from .maintain.met_in_class import met, region_of

    region = region_of(task, given.file.read_bytes() if given.file else sys.stdin.buffer.read())
    start = launch if allowed(given.no_jail) else plain_launch
    says = {key: getattr(given, key) for key in ("id", "kind", "believes", "says") if getattr(given, key)}
    with Runner(set(published(TASKS[task]["lab"])), launch=start) as runner:
        return met(runner, task, region, says, given.write)


def bands(given: Namespace) -> int:
    """Measure again within which bands the notebooks' results lie."""
    from .maintain import bands as measured

    return measured.main([lab_named(lab) for lab in given.labs], given.fresh)


def equal_budgets(given: Namespace) -> int:
    """Train every model for the same seconds, three seeds each, for the comparison in the last lab."""
    from .maintain import equal_budgets as trained

    return trained.main([lab_named(lab) for lab in given.labs])


def release(given: Namespace) -> int:
    """Make a lab ready: nbgrader's source/ and release/, and release/LAB.zip for learners."""
    from .classroom.changes import settle
    from .classroom.rules import begun, none_due, not_past, rules_of, used

    course = Course(given.course)
    labs = [*rules_of(course).use] if given.lab == "all" else [lab_named(given.lab)]
    for lab in labs:
        not_past(course, lab, used(course, lab))
        if given.given:
            none_due(course, lab, rules_of(course))
    begun(course)
    settle(course)
    from .classroom.release import release as released

    for lab in labs:
        print(released(course, lab, answers=not given.no_answers, given=given.given, say=print))
    return 0


def course(given: Namespace) -> int:
    """Begin a course folder with its rules, course.toml; or say what they are, and what a change changes for whom."""
    from datetime import UTC, datetime

    from .classroom.changes import course_rules
    from .classroom.rules import FILE, begun

    place = Course(given.course)
    if begun(place):
        print(f"{place.root / FILE}: written; nothing is set in it yet.")
        return 0
    course_rules(place, given.apply, datetime.now(UTC), print)
    return 0


def roster(given: Namespace) -> int:
    """Take in who takes the course: who has not handed in is in every table then, and ids and sections are kept."""
    from .classroom.roster import take_in

    people, gone = take_in(Course(given.course), given.file)
    sections = {person.section for person in people} - {""}
    print(f"{len(people)} learners" + f" in {len(sections)} sections" * bool(sections) + ".")
    if gone:
        print(f"No more in the roster, with all that they have: {', '.join(person.name for person in gone)}.")
    return 0


def student_repo(given: Namespace) -> int:
    """Write the repository that students get into a new folder: all labs with blanks, no answers, no grading."""
    from .classroom.student_repo import student_repo as made

    print(f"{made(given.folder)}: look at it, then `git init` there.")
    return 0


def pushed(given: Namespace) -> int:
    """Pack what stood in clones of students' repositories at a time, as `collect` takes it."""
    from .classroom.pushed import pushed as packed

    packed(Course(given.course), lab_named(given.lab), given.folder, given.before, print)
    return 0


def collect(given: Namespace) -> int:
    """Take in a folder of submissions, as an LMS exports it."""
    lab = lab_named(given.lab)
    from .classroom.changes import settle
    from .classroom.collect import collect as collected

    settle(Course(given.course))
    options = {"times": given.times, "zone": given.zone, "dry_run": given.dry_run, "say": print}
    collected(Course(given.course), lab, given.folder, given.id_pattern, **options)
    return 0


def autograde(given: Namespace) -> int:
    """Grade what is not graded yet; can be interrupted and run again."""
    lab, course = lab_named(given.lab), Course(given.course)
    from .classroom.rules import used

    # A wrong command is told before a missing jail.
    used(course, lab), course.released(lab), course.submitted(lab, given.student)
    from .classroom.changes import settle
    from .classroom.submissions import all_graded

    settle(course)
    if not given.regrade and (done := all_graded(course, lab, given.student)):
        print("\n".join(done))
        return 0
    jail = allowed(given.no_jail, here=not given.cluster)
    from .judge.executors import Cluster, Local

    os.environ.setdefault("OMP_NUM_THREADS", "1")  # submissions are graded side by side; and what forks has one thread
    pool = Cluster(given.cluster) if given.cluster else Local(given.workers).prepared()
    from .classroom.autograde import autograde as graded

    limits = {"cpu": given.seconds, "wall": max(40.0, 2.0 * given.seconds)}  # a busy machine is no learner's fault
    words = Terminal() if sys.stdout.isatty() else None
    say, show = (words.say, words.show) if words else (print, print)
    what = {"student": given.student, "regrade": given.regrade, "limits": limits}
    return 1 if graded(course, lab, **what, pool=pool, jail=jail, say=say, show=show) else 0


def allowed(no_jail: bool, here: bool = True) -> bool:
    """Whether submissions run in a jail.

    Raises:
        Mistake: one is wanted, and this machine has none; or it cannot run submissions at all.
    """
    from .judge.jail import outside

    if here:
        can_fork("submissions are judged")
    if no_jail:
        print("--no-jail: submissions run with all your rights, and can read and delete what you can.", file=sys.stderr)
    elif here and (reason := outside.complaint()):  # the workers of a cluster look for themselves
        raise Mistake(f"no jail: {reason}; --no-jail grades without one, where strangers' code can do whatever you can")
    return not no_jail


def can_fork(what: str) -> None:
    if not hasattr(os, "fork"):
        raise Mistake(f"{what} in forked processes, which {sys.platform} does not have: use Linux, macOS, or WSL")


def doctor(given: Namespace) -> int:
    """Say what this machine can enforce when it runs strangers' code."""
    from .judge.jail import outside

    return outside.doctor()


class Terminal:
    """One line that is written over, and lines that stay above it."""

    def say(self, text: str) -> None:
        print(f"\r\x1b[K{text}", flush=True)

    def show(self, text: str) -> None:
        print(f"\r\x1b[K{text[: shutil.get_terminal_size().columns - 1]}", end="", flush=True)


def feedback(given: Namespace) -> int:
    """Write one HTML page for each graded submission; of all labs: one for each learner's term, too."""
    course = Course(given.course)
    if given.lab == "all":
        if given.zip:
            raise Mistake("--zip is of one lab: name it")
        from .classroom.feedback import term

        term(course)
        return 0
    lab = lab_named(given.lab)
    from .classroom.feedback import feedback as written
    from .classroom.returned import pages_zipped

    written(course, lab)
    if given.zip:
        path, others = pages_zipped(course, lab, given.zip)
        print(f"{path}: for {given.zip}" + f"; not in it: {', '.join(others)}" * bool(others))
    return 0


def report(given: Namespace) -> int:
    """What a class knows and which mistakes it makes: a table, report-LAB.csv and report-LAB.html; and of all labs."""
    course, lab = Course(given.course), given.lab if given.lab == "all" else lab_named(given.lab)
    if given.similar:
        if lab == "all":
            raise Mistake("--similar is of one lab: name it")
        from .classroom.similar_page import similar

        similar(course, lab)
        return 0
    from .classroom.class_report import report as written
    from .classroom.class_report import term_report

    term_report(course) if lab == "all" else written(course, lab)
    return 0


def regrade(given: Namespace) -> int:
    """A learner asks: judge her work again, show both verdicts and the diff; --answer is on her feedback page then."""
    from .classroom.rules import used

    course, lab = Course(given.course), lab_named(given.lab)
    used(course, lab), course.released(lab)
    (student,) = course.submitted(lab, given.student)
    if given.answer:
        from .classroom.regrade import answered

        answered(course, lab, student, given.answer)
        print(f"`python -m grading feedback {lab}` shows it to {student}.")
        return 0
    jail = allowed(given.no_jail)
    from .judge.executors import Local

    os.environ.setdefault("OMP_NUM_THREADS", "1")
    pool = Local(1).prepared()
    from .classroom.autograde import autograde as graded
    from .classroom.regrade import asked

    def again() -> int:
        limits: SomeLimits = {"cpu": 20, "wall": 40.0}
        return graded(course, lab, student=student, regrade=True, limits=limits, pool=pool, jail=jail)

    print(asked(course, lab, student, given.words, again, print))
    return 0


def marking(given: Namespace) -> int:
    """Write marking sheets of written answers, a page and a table; or enter the points of one that was filled in."""
    course, lab = Course(given.course), lab_named(given.lab)
    if not any(row["lab"] == lab for row in QUESTIONS.values()):
        raise Mistake(f"{lab} asks no written question")
    from .classroom.marking import read_back, sheets

    if given.read:
        read_back(course, lab, given.read, print)
    else:
        sheets(course, lab, [name for name in given.markers.split(",") if name], given.all, print)
    return 0


def gradescope(given: Namespace) -> int:
    """Write the zip that Gradescope takes for an autograder."""
    lab = lab_named(given.lab)
    from .classroom.gradescope import package

    print(package(Course(given.course), lab))
    return 0


def export(given: Namespace) -> int:
    """Write grades.csv, canvas.csv and moodle-LAB.csv."""
    from .classroom.export import export as written

    written(Course(given.course), partial=given.partial)
    return 0


def demo(given: Namespace) -> int:
    """Run a class of eight from release to grades, and print the table."""
    from .classroom.demo import demo as shown
    from .classroom.demo import empty

    if given.folder:
        empty(given.folder)
    jail = allowed(given.no_jail)
    if given.folder:
        return shown(given.folder, jail=jail)
    from .judge.scratch import Scratch

    with Scratch() as folder:
        return shown(folder, jail=jail)


COMMANDS = (
    build,
    check,
    new_task,
    audit,
    bands,
    equal_budgets,
    course,
    roster,
    release,
    student_repo,
    pushed,
    collect,
    autograde,
    marking,
    regrade,
    feedback,
    report,
    export,
    doctor,
    gradescope,
    demo,
)


@contextlib.contextmanager
def moved(given: Namespace) -> Iterator[None]:
    """With grades where --db says, if it says so; as before when the command cannot be done."""
    if not getattr(given, "db", None):
        yield
        return
    if getattr(given, "lab", "all") != "all":
        lab_named(given.lab)
    with Course(given.course).kept_in(given.db) as count:
        if count:
            print(f"--db: the grades of {count} submissions are copied; those in the gradebook before it stay there.")
        yield


def main(arguments: list[str] | None = None) -> int:
    given = parser().parse_args(arguments)
    try:
        with moved(given):
            return given.run(given)
    except Mistake as mistake:
        print(f"{given.command}: {mistake}", file=sys.stderr)
        return 2
    except OSError as trouble:  # no space, no permission, no such file
        full = "; make room there, and run it again" * (trouble.errno == errno.ENOSPC)
        where = f"{trouble.filename}: " * bool(trouble.filename)
        print(f"{given.command}: {where}{trouble.strerror or trouble}{full}", file=sys.stderr)
        return 2
    except ModuleNotFoundError as missing:
        if (missing.name or "").partition(".")[0] in ("grading", "starter", "solutions", ""):
            raise
        print(
            f"{given.command}: {missing.name} is not installed: run `pip install -r requirements.txt`", file=sys.stderr
        )
        return 2
    except KeyboardInterrupt:
        print(f"{given.command}: interrupted; run it again to go on", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
