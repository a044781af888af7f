"""Check what is being worked on whenever its module is saved. Torch is loaded once: a check takes no time then."""

import sys
import time
from collections.abc import Callable
from pathlib import Path

from . import blanks, checks, course, progress

PAUSE = 0.2  # seconds between two looks


def watch(labs: list[course.Lab], pause: Callable[[], None] = lambda: time.sleep(PAUSE)) -> None:
    """Until `pause` raises KeyboardInterrupt.

    Args:
        labs: those whose modules are looked at.
    """
    seen = {lab.name: text_of(lab) for lab in labs}
    first = next((lab for lab in labs if not progress.of_lab(lab).is_done), labs[0])
    print(f"Watching {', '.join(str(lab.place) for lab in labs)}: save to check, Ctrl-C to end.")
    print(progress.coming(progress.of_lab(first)), flush=True)
    marks = {lab.name: mark(lab) for lab in labs}
    while True:
        pause()
        for lab in labs:
            if (now := mark(lab)) != marks[lab.name]:
                marks[lab.name] = now
                text = text_of(lab)
                if text != seen[lab.name]:
                    saved(lab, seen[lab.name], text)
                    seen[lab.name] = text


def mark(lab: course.Lab) -> tuple[int, int]:
    """Of a file: it changes when the file does."""
    try:
        status = path_of(lab).stat()
    except (OSError, course.Missing):
        return 0, 0
    return status.st_mtime_ns, status.st_size


def path_of(lab: course.Lab) -> Path:
    return course.module_of(lab)


def text_of(lab: course.Lab) -> list[str]:
    try:
        return blanks.read(path_of(lab))[0]
    except (OSError, ValueError):
        return []


def saved(lab: course.Lab, before: list[str], now: list[str]) -> None:
    """Say what has become of the tasks whose functions have changed, or of the next one."""
    for name in [f"{course.PACKAGE}.{other.module}" for other in course.labs().values()]:
        sys.modules.pop(name, None)  # other modules import it anew
    if trouble := checks.broken(next(iter(lab.tasks))):
        print(f"\n{trouble}", flush=True)
        return
    changed = [task for task, row in lab.tasks.items() if lines(before, row.symbol) != lines(now, row.symbol)]
    current = progress.following(progress.of_lab(lab))
    print()
    progress.check_each(changed or [task for task in [current] if task])
    sys.stdout.flush()


def lines(text: list[str], symbol: str) -> list[str]:
    place = blanks.function(text, symbol)
    return text[place] if place else []
