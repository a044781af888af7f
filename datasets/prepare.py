"""Fetch a data set, verify it, and keep it in datasets/cache/<name>/ as uint8 arrays that load in milliseconds.

    python datasets/prepare.py mnist                  from the official mirrors
    python datasets/prepare.py mnist --source DIR     from files on this disk, or from a mirror of your own (http://...)
    python datasets/prepare.py cub-64                 birds at 64x64 instead of 32x32
    python datasets/prepare.py inception              not images: the network of published FIDs, kept as one file
    python datasets/prepare.py --list | --check | --remove mnist

registry.toml knows the checksum of every file and of what is made from it, so no mirror, proxy or disk has to be
trusted, and a call after any accident repairs what is wrong and nothing else.
"""

import argparse
import difflib
import errno
import hashlib
import json
import math
import os
import shutil
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path

from filelock import FileLock, Timeout

if __package__:  # python -m datasets.prepare
    from .convert import MADE, READERS, fault_of_content, faults_of, given, kept, write, write_text
    from .fetch import Limits, Problem, fetch, find
else:  # python datasets/prepare.py
    from convert import MADE, READERS, fault_of_content, faults_of, given, kept, write, write_text
    from fetch import Limits, Problem, fetch, find

HERE = Path(__file__).resolve().parent
LIMITS = Limits()


# ---- one prepare at a time


@contextmanager
def alone(path: Path, limits: Limits) -> Iterator[None]:
    """Hold the lock file `path`: a second prepare of the same data set waits, and then finds the work done.

    The system frees the lock when its holder ends, however it ends.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        held = FileLock(path, poll_interval=0.1).acquire(timeout=limits.patience)
    except Timeout:
        raise Problem(f"another prepare has held {path} for {limits.patience:g} s; end it and call again") from None
    except OSError as trouble:
        if trouble.errno not in (errno.ENOLCK, errno.EOPNOTSUPP):
            raise
        held = nullcontext()  # a file system without locks: checksums and atomic writes protect us there
    with held:
        yield


# ---- the commands


def prepare(name: str, spec: dict, cache: Path, source: str | None, limits: Limits) -> None:
    """Bring what is kept of the data set into `cache/name`, from those files alone whose part is missing or damaged."""
    folder = cache / name
    if faults_of(spec, folder):  # looking needs no lock: a cache that is ready may be read-only
        with alone(cache / f"{name}.lock", limits):
            for stale in folder.glob("*.tmp"):  # of a prepare that was killed
                stale.unlink()
            try:
                make(name, spec, folder, source, limits)
            finally:
                with suppress(OSError):
                    folder.rmdir()  # only if nothing came
    if spec["format"] == "birds":
        statistics(name, cache)
    print(f"{name}: ready in {folder}")


def statistics(name: str, cache: Path) -> None:
    """Mean and covariance of the set in Inception's features, beside its arrays, once its weights are there."""
    if not (cache / "inception").is_dir() or (cache / name / "inception.npz").exists():
        return
    os.environ["DATASETS_CACHE"] = str(cache)
    sys.path.append(str(HERE.parent))
    from starter.support import data, inception_features  # here: torch is not needed for anything else

    print(f"{name}: measuring the statistics of published FIDs (about a tenth of a second for an image) ...")
    inception_features.statistics(data.load(name))


def make(name: str, spec: dict, folder: Path, source: str | None, limits: Limits) -> None:
    faults = faults_of(spec, folder)
    files = [file for file in spec["files"] if faults.keys() & given(file)]
    folder.mkdir(exist_ok=True)
    arrays = sum(math.prod(kept(spec)[fault].get("shape", [0])) for fault in faults)  # bytes, beside the files
    need_room(folder, sum(file["size"] for file in files) + arrays)
    on_disk = source is not None and not source.startswith(("http://", "https://"))
    mirrors = [f"{source.rstrip('/')}/{name}", source] if source else list(spec["mirrors"])
    for file in files:
        part = folder / f"{file['name']}.part"
        if on_disk:
            path = find(file, Path(source).expanduser(), (name, spec["folder"]))
        else:
            path = fetch(file, mirrors, part, limits)
        try:
            keep(path, part, file, spec, folder)
        finally:
            part.unlink(missing_ok=True)
        print(f"{name}: {file['name']}, {file['size'] / 1e6:.1f} MB, verified")


def keep(path: Path, part: Path, file: dict, spec: dict, folder: Path) -> None:
    """Put what a verified file gives into `folder`, each file of it whole or not at all."""
    if spec["format"] == "as-is":
        if path != part:  # the source is left alone
            shutil.copyfile(path, part)
        os.replace(part, folder / file["name"])
        return
    made = {}
    for array_name, array in zip(file["gives"], READERS[spec["format"]](path, spec), strict=True):
        if fault := fault_of_content(array, spec["arrays"][array_name]):
            raise Problem(f"{path} {fault}")
        write(folder / f"{array_name}.npy", array)
        made[f"{array_name}.npy"] = {"sha256": hashlib.sha256(array).hexdigest()}
    if not all("sha256" in array for array in spec["arrays"].values()):
        write_text(folder / MADE, json.dumps(made))


def need_room(folder: Path, size: int) -> None:
    if (free := shutil.disk_usage(folder).free) < size:
        advice = "make room, or name another place with --cache DIR"
        raise Problem(f"{folder} has {free / 1e6:,.1f} MB free and {size / 1e6:,.1f} MB are needed; {advice}")


def check(names: list[str], sets: dict, cache: Path) -> None:
    """Verify the sets named, or all that are in the cache, without network."""
    bad, faults = [], []
    for name in names or [name for name in sets if (cache / name).is_dir()]:
        found = faults_of(sets[name], cache / name)
        bad += [name] if found else []
        faults += [f"{cache / name / file} {fault}" for file, fault in found.items()]
        print(f"{name}: {'not in order' if found else 'in order'}")
    if bad:
        raise Problem(f"{'; '.join(faults)}; repair with: python datasets/prepare.py {' '.join(bad)}")


def remove(name: str, spec: dict, cache: Path, limits: Limits) -> None:
    """Delete what prepare made, and nothing else that may lie beside it."""
    folder = cache / name
    if folder.is_dir():
        with alone(cache / f"{name}.lock", limits):
            made = [folder / file for file in (*kept(spec), MADE)]
            for path in [*made, *folder.glob("*.part"), *folder.glob("*.tmp")]:
                path.unlink(missing_ok=True)
            with suppress(OSError):
                folder.rmdir()
    print(f"{name}: {'kept, for there are other files in it' if folder.is_dir() else 'not in the cache any more'}")


def show(sets: dict, cache: Path) -> None:
    for name, spec in sets.items():
        there = all((cache / name / file).exists() for file in kept(spec))
        size = sum(file["size"] for file in spec["files"])
        print(f"{name:14} {'here' if there else f'{size / 1e6:.0f} MB':8} {spec['title']}; {spec['licence']}")


def of_another_size(name: str, sets: dict) -> dict | None:
    """The entry of `cub-64`, made from that of `cub`: a set that we shrink ourselves can have any size."""
    base, _, size = name.rpartition("-")
    if "size" not in sets.get(base, ()) or not size.isdecimal() or not 8 <= int(size) <= 256:
        return None
    arrays = {
        key: array | {"shape": array["shape"][:2] + [int(size)] * len(array["shape"][2:])}
        for key, array in sets[base]["arrays"].items()
    }
    return sets[base] | {"size": int(size), "arrays": arrays}


class Parser(argparse.ArgumentParser):
    def error(self, message: str) -> None:
        raise Problem(f"{message}; see --help")


def run(argv: list[str] | None, sets: dict, limits: Limits) -> None:
    parser = Parser(prog="prepare", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(sets))
    action = parser.add_mutually_exclusive_group()
    action.add_argument("--list", action="store_true", help="what there is, its size and licence")
    action.add_argument("--check", action="store_true", help="verify what is in the cache, without network")
    action.add_argument("--remove", action="store_true", help="delete it from the cache")
    parser.add_argument("--source", metavar="DIR|URL", help="a folder with the official files, or a mirror of your own")
    default = os.environ.get("DATASETS_CACHE") or HERE / "cache"
    parser.add_argument("--cache", metavar="DIR", default=default, help="default: $DATASETS_CACHE or datasets/cache")
    args = parser.parse_args(argv)
    cache = Path(args.cache).expanduser()
    for name in args.names:
        if name not in sets and (other := of_another_size(name, sets)):
            sets = sets | {name: other}
        if name not in sets:
            near = difflib.get_close_matches(name.lower(), sets, n=1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(sets)}"
            raise Problem(f"there is no data set {name!r}; {hint}")
    if args.list:
        show(sets, cache)
    elif args.check:
        check(args.names, sets, cache)
    elif not args.names:
        raise Problem(f"which data set? There are {', '.join(sets)}; see --help")
    elif args.remove:
        for name in args.names:
            remove(name, sets[name], cache, limits)
    else:
        for name in args.names:
            prepare(name, sets[name], cache, args.source, limits)


def main(argv: list[str] | None = None, registry: Path = HERE / "registry.toml", limits: Limits = LIMITS) -> int:
    """Exit code: 0 done, 2 something the user can put right (one line on stderr), 130 interrupted."""
    try:
        run(argv, tomllib.loads(registry.read_text(encoding="utf-8")), limits)
        return 0
    except KeyboardInterrupt:
        print("prepare: interrupted; the next call goes on from here", file=sys.stderr)
        return 130
    except Problem as problem:
        print(f"prepare: {' '.join(str(problem).split())}", file=sys.stderr)
    except OSError as error:
        full = error.errno in (None, errno.ENOSPC, errno.EDQUOT)  # None: numpy could not write all of an array
        advice = f"{'make room' if full else 'look at its permissions'}, or name another place with --cache DIR"
        print(f"prepare: {error.filename or 'the cache'}: {error.strerror or error}; {advice}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
