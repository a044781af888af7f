"""python -m starter check vae-1 | progress | answer vae-q1 | recipes | train | reproduce | figures | keep | lab"""

import argparse
import io
import sys


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m starter", description="Check your blanks from a shell.")
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("check", help="check tasks: one line each; exit code 1 if one is not right")
    command.add_argument("task", nargs="+", help="a task id, such as vae-1")
    commands.add_parser("progress", help="which tasks are right, wrong or blank, and the points")
    command = commands.add_parser("answer", help="a model answer, once yours stands in the notebook")
    command.add_argument("name", help="a written question, such as vae-q1; or a lab, such as 02_vae, for its exercises")
    command = commands.add_parser("recipes", help="list the named systems, or tell all about some")
    command.add_argument("name", nargs="*", help="a recipe, such as vae-mlp")
    commands.add_parser("lab", help="open JupyterLab; further options are its own", add_help=False)
    commands.add_parser("train", help="train a named system in full size; --help lists its options", add_help=False)
    commands.add_parser("reproduce", help="train many of them, and write RESULTS.md", add_help=False)
    commands.add_parser("figures", help="draw from runs what the reports draw", add_help=False)
    commands.add_parser("keep", help="keep the weights of finished runs in the repository", add_help=False)
    given, more = parser.parse_known_args(arguments)
    if given.command == "lab":
        from .support import lab

        return lab.main(more)
    if given.command in ("train", "reproduce", "figures", "keep"):
        from .support.full import cli

        return getattr(cli, given.command)(more)
    if more:
        parser.error(f"unknown: {' '.join(more)}")
    if given.command == "answer":
        return answer(given.name)
    if given.command == "recipes":
        from .support.full import describe

        try:
            print("\n\n".join(map(describe.description, given.name)) if given.name else describe.listing())
        except ValueError as unknown:
            print(f"recipes: {unknown}", file=sys.stderr)
            return 2
        return 0
    from .support import checks  # torch: not for whoever only reads

    if given.command == "progress":
        print(checks.progress())
        return 0
    failed = 0
    for task in given.task:
        try:
            checks.check(task)
        except checks.Wrong as wrong:
            print(wrong)
            failed = 1
        except checks.UnknownTask as unknown:
            print(unknown, file=sys.stderr)
            return 2
    return failed


def answer(name: str) -> int:
    from .support import questions

    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="namereplace")  # a pipe on Windows has no β
    try:
        print(questions.shown(name))
    except questions.Unwritten as first:
        print(first)
        return 1
    except questions.Refused as wrong:
        print(f"answer: {wrong}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
