"""python -m starter COMMAND: what learners run. --help lists the commands."""

import argparse
import difflib
import io
import os
import re
import sys
from typing import NoReturn

FULL = {
    "train": "train a named system in full size; --help lists its options",
    "reproduce": "train many of them, and write RESULTS.md",
    "figures": "draw from runs what the reports draw",
    "keep": "keep the weights of finished runs in the repository",
}


class Parser(argparse.ArgumentParser):
    """Wrong use is one line."""

    def error(self, message: str) -> NoReturn:
        if unknown := re.search(r"invalid choice: '(.*?)' \(choose from (.*)\)", message):
            names = re.findall(r"[a-z]+", unknown[2])
            near = difflib.get_close_matches(unknown[1].lower(), names, n=1)
            guess = f"did you mean {near[0]}?" if near else f"there are {', '.join(names)}"
            message = f"there is no command {unknown[1]!r}; {guess}"
        self.exit(2, f"{self.prog}: {message.partition(': ')[2] if message.startswith('argument ') else message}\n")


def parser() -> Parser:
    top = Parser(prog="python -m starter", description="Work on the labs from a shell. NAME: vae-1, vae, 2, 02_vae.")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name: str, words: str, argument: str = "", many: str | None = None) -> None:
        added = commands.add_parser(name, help=words, description=words)
        if argument:
            added.add_argument("name", metavar="NAME", nargs=many, help=argument)

    command("check", "check tasks: one line each; exit code 1 if one is not right", "a task, or a lab: all of it", "+")
    command("progress", "what is right, wrong, blank or written, and the points", "labs; all of them by default", "*")
    command("submit", "check a lab once more, and pack what is handed in", "a lab, such as 02_vae, vae or 2")
    command("hint", "the next hint of a task, and those before it", "a task, such as vae-1")
    command("reset", "make a task or a whole module blank again; your text is kept", "a task, or a lab")
    command("complete", "complete what a lab builds on, marked as given; your text is kept", "a lab, such as vae or 2")
    command("solution", "the reference's answer, once yours is right", "a task, such as vae-1")
    commands.choices["solution"].add_argument("--give-up", action="store_true", help="show it all the same; recorded")
    command("watch", "check whenever a module is saved, until Ctrl-C", "labs; all of them by default", "*")
    command(
        "answer", "a model answer, once yours stands in the notebook", "a written question; or a lab: its exercises"
    )
    command("recipes", "list the named systems, or tell all about some", "a recipe, such as vae-mlp", "*")
    words = "open JupyterLab on your own copy: lab, or lab 2; further options are its own"
    commands.add_parser("lab", help=words, add_help=False)
    for name, words in FULL.items():
        commands.add_parser(name, help=words, add_help=False)
    return top


def main(arguments: list[str] | None = None) -> int:
    given, more = parser().parse_known_args(arguments)
    if given.command in FULL:
        from .support.full import cli

        return getattr(cli, given.command)(more)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="namereplace")  # a pipe on Windows has no β
    try:
        if given.command == "lab":
            from .support import lab

            return lab.main(more)
        if more:
            raise ValueError(f"it has no option {more[0]}; --help lists what it takes")
        code = COMMANDS[given.command](given)
        sys.stdout.flush()
        return code
    except ValueError as wrong:  # what a learner can put right: one line
        print(f"{given.command}: {wrong}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # whoever reads has read enough, such as `head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def check(given: argparse.Namespace) -> int:
    from .support import course, progress

    tasks = dict.fromkeys(task for name in given.name for task in course.tasks_named(name))
    return int(len(progress.check_each(tasks)) < len(tasks))


def show_progress(given: argparse.Namespace) -> int:
    from .support import course, progress

    labs = [course.lab_named(name) for name in given.name]
    print(progress.table(labs or None, colour=progress.in_colour()))
    return 0


def submit(given: argparse.Namespace) -> int:
    from .support import course, submit

    print(submit.submit(course.lab_named(given.name)))
    return 0


def hint(given: argparse.Namespace) -> int:
    from .support import course, ladder

    print(ladder.hint(course.task_named(given.name)))
    return 0


def reset(given: argparse.Namespace) -> int:
    from .support import blanks, course

    found = course.named(given.name)
    if isinstance(found, course.Lab):
        print(blanks.reset_module(found))
    else:
        print(blanks.reset(course.task_named(found)))
    return 0


def complete(given: argparse.Namespace) -> int:
    from .support import blanks, course

    print(blanks.complete(course.lab_named(given.name)))
    return 0


def solution(given: argparse.Namespace) -> int:
    from .support import blanks, course

    print(blanks.solution(course.task_named(given.name), given.give_up))
    return 0


def watch(given: argparse.Namespace) -> int:
    from .support import course

    labs = [course.lab_named(name) for name in given.name] or [*course.labs().values()]
    if not (labs := [lab for lab in labs if lab.module]):
        raise ValueError("that lab has no module, only questions")
    from .support import watch  # torch: not for a name that stands for nothing

    watch.watch(labs)
    return 0


def answer(given: argparse.Namespace) -> int:
    from .support import questions

    try:
        print(questions.shown(given.name))
    except questions.Unwritten as first:
        print(first)
        return 1
    return 0


def recipes(given: argparse.Namespace) -> int:
    from .support.full import describe

    print("\n\n".join(map(describe.description, given.name)) if given.name else describe.listing())
    return 0


COMMANDS = {
    "check": check,
    "progress": show_progress,
    "submit": submit,
    "hint": hint,
    "reset": reset,
    "complete": complete,
    "solution": solution,
    "watch": watch,
    "answer": answer,
    "recipes": recipes,
}

if __name__ == "__main__":
    sys.exit(main())
