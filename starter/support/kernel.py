"""In a notebook: a lab's module that does not parse is one line, wherever that shows. Quick: no torch."""

import os
import sys
from types import TracebackType
from typing import Any

from . import course

LEFT = "the last version that could be read stays in use"


def install() -> None:
    """Look at the labs' modules before every cell of this kernel; nothing where there is no kernel."""
    found = sys.modules.get("IPython")
    shell: Any = found.get_ipython() if found else None
    if shell is None or getattr(shell, "looks_at_modules", False):
        return
    shell.looks_at_modules = True
    shell.events.callbacks["pre_run_cell"].insert(0, Look(shell))  # before autoreload does
    shell.set_custom_exc((SyntaxError,), shown)


def is_watched() -> bool:
    """Does somebody read along? TQDM_DISABLE says no: as for progress bars, where notebooks are built and compared."""
    found = sys.modules.get("IPython")
    return getattr(found and found.get_ipython(), "kernel", None) is not None and not os.environ.get("TQDM_DISABLE")


class Look:
    """Before a cell: says which module cannot be read, and keeps autoreload from it as long as that is so."""

    def __init__(self, shell: Any) -> None:
        self.shell, self.skipped = shell, set[str]()

    def __call__(self, info: Any) -> None:
        reloader = getattr(self.shell.magics_manager.registry.get("AutoreloadMagics"), "_reloader", None)
        for name, lab in loaded().items():
            trouble = complaint(lab)
            if trouble and not (info.raw_cell or "").lstrip().startswith("check("):  # which says it itself
                print(f"{trouble}; {LEFT}.")
            if reloader is None or bool(trouble) == (name in self.skipped):
                continue
            if trouble:
                reloader.mark_module_skipped(name)
                self.skipped.add(name)
            else:
                reloader.skip_modules.pop(name, None)
                self.skipped.remove(name)


def loaded() -> dict[str, course.Lab]:
    """The labs' modules that this process has imported."""
    names = {f"{course.PACKAGE}.{lab.module}": lab for lab in course.labs().values()}
    return {name: lab for name, lab in names.items() if name in sys.modules}


def complaint(lab: course.Lab) -> str:
    """Why a module cannot be read, with its line; empty: it can."""
    try:
        path = course.module_of(lab)
        compile(path.read_bytes(), str(path), "exec")
    except SyntaxError as wrong:
        return words(str(lab.place), wrong)
    except (course.Missing, OSError, ValueError) as wrong:
        return str(wrong).rstrip(".")
    return ""


def words(place: str, wrong: SyntaxError) -> str:
    line = f", line {wrong.lineno}" if wrong.lineno else ""
    return f"{place}{line} cannot be read: {wrong.msg}"


def shown(shell: Any, kind: type, wrong: SyntaxError, trace: TracebackType, tb_offset: int | None = None) -> None:
    """A syntax error of a lab's module, when it is imported, without the way there; others as ever."""
    for lab in course.labs().values():
        try:
            own = lab.module and wrong.filename == str(course.module_of(lab))
        except course.Missing:
            continue
        if own:
            shell._showtraceback(kind, wrong, [words(str(lab.place), wrong)])
            return
    shell.showtraceback((kind, wrong, trace), tb_offset=tb_offset)
