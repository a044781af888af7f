"""The knife: cut the answers out of a solution, strictly. The only way starter/*.py comes to be."""

import re

BEGIN = re.compile(r"( *)# BEGIN SOLUTION (\S+)")
END = re.compile(r" *# END SOLUTION")
LOOSE = re.compile(r"(BEGIN|END)\W+SOLUTION", re.IGNORECASE)


def regions(source: str) -> dict[str, slice]:
    """Task id -> the lines between its markers. Raises ValueError with a line number."""
    found: dict[str, slice] = {}
    task, start = "", 0
    for number, line in enumerate(source.splitlines(), 1):
        begin, end = BEGIN.fullmatch(line), END.fullmatch(line)
        if LOOSE.search(line) and not begin and not end:
            raise ValueError(f"line {number}: not a marker: {line.strip()!r}")
        if begin and task:
            raise ValueError(f"line {number}: {begin[2]} begins inside {task}")
        if begin and begin[2] in found:
            raise ValueError(f"line {number}: {begin[2]} begins twice")
        if end and not task:
            raise ValueError(f"line {number}: END SOLUTION without BEGIN SOLUTION")
        if begin:
            task, start = begin[2], number
        elif end and start == number - 1:
            raise ValueError(f"line {number}: {task} is empty")
        elif end:
            found[task], task = slice(start, number - 1), ""
    if task:
        raise ValueError(f"line {start}: {task} is never closed")
    return found


def stub(task: str) -> str:
    return f'raise NotImplementedError("{task}")  # YOUR CODE HERE'


def cut(source: str) -> str:
    """The learner's text: every region, markers included, becomes one line that names its task."""
    lines = source.splitlines()
    for task, region in reversed(regions(source).items()):
        first = lines[region.start - 1]
        indent = first[: len(first) - len(first.lstrip())]
        lines[region.start - 1 : region.stop + 1] = [indent + stub(task)]
    return "\n".join(lines) + "\n"
