"""One verified file, from the first mirror that delivers it or from a folder on this disk."""

import hashlib
import queue
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPException
from pathlib import Path
from typing import NamedTuple
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from tqdm import tqdm


class Problem(Exception):
    """What a user can put right: printed as one line, exit code 2."""


class NotDelivered(Exception):
    """What went wrong with one mirror; the next one is tried."""


class Limits(NamedTuple):
    """When a mirror counts as stalled, and how long to wait for another prepare."""

    silence: float = 20  # seconds without any answer
    window: float = 30  # seconds over which the speed is judged
    floor: int = 30_000  # bytes that must arrive in one window
    patience: float = 900  # seconds to wait while another prepare works on the same data set


def pump(url: str, start: int, silence: float, pipe: queue.Queue, gone: threading.Event) -> None:
    """Put into `pipe` the answer's (status, headers), then its blocks, then b"" or the exception that ended it.

    It runs in a thread of its own because a server can stall in the name look-up, the handshake, the headers or the
    body, and a socket's time-out starts anew with every byte: the reader of the pipe holds the one clock that sees all.
    """
    try:
        headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={start}-"} if start else {})
        with urlopen(Request(url, headers=headers), timeout=silence) as response:
            pipe.put((response.status, response.headers))
            while not gone.is_set() and (block := response.read1(1 << 16)):  # read1 returns what is there; read waits
                pipe.put(block)
        pipe.put(b"")
    except Exception as error:  # whatever it is, it belongs to this mirror
        pipe.put(error)


def stream(url: str, start: int, limits: Limits) -> Iterator:
    """What `pump` puts into its pipe, as an iterator that raises NotDelivered on any failure or stall."""
    pipe, gone = queue.Queue(maxsize=8), threading.Event()
    threading.Thread(target=pump, args=(url, start, limits.silence, pipe, gone), daemon=True).start()
    try:
        while (item := pipe.get(timeout=limits.silence)) != b"":
            if isinstance(item, Exception):
                raise item
            yield item
            if isinstance(item, tuple):  # the headers are here: from now on the speed counts
                since, arrived = time.monotonic(), 0
                continue
            arrived += len(item)
            if time.monotonic() - since > limits.window:
                if arrived < limits.floor:
                    raise NotDelivered(f"only {arrived:,} bytes in {limits.window:g} s")
                since, arrived = time.monotonic(), 0
    except (queue.Empty, TimeoutError):
        raise NotDelivered(f"no answer for {limits.silence:g} s") from None
    except HTTPError as error:
        raise NotDelivered(f"HTTP {error.code}") from None
    except (HTTPException, ValueError) as error:  # their text may be the server's own: do not print it
        raise NotDelivered(f"no HTTP answer, {type(error).__name__}") from None
    except OSError as error:
        reason = getattr(error, "reason", error)
        raise NotDelivered(str(getattr(reason, "strerror", None) or reason)) from None
    finally:
        gone.set()
        while not pipe.empty():  # room for what a waiting pump still wants to put
            pipe.get_nowait()


def download(url: str, part: Path, size: int, limits: Limits) -> None:
    """Bring `part` to `size` bytes: the missing ones if the server honours Range, otherwise all of them."""
    start = part.stat().st_size if part.exists() else 0
    if start == size:  # complete, but never checked
        return
    if start > size:
        part.unlink()
        start = 0
    with closing(stream(url, start, limits)) as answer:
        status, headers = next(answer)
        if status != 206:
            start = 0
        elif not headers.get("Content-Range", "").startswith(f"bytes {start}-"):
            raise NotDelivered("sends another range than the one asked for")
        length = headers.get("Content-Length", "")
        if length.isdecimal() and start + int(length) != size:
            raise NotDelivered(f"offers {start + int(length):,} bytes instead of {size:,}")
        look = {"unit": "B", "unit_scale": True, "file": sys.stdout, "disable": not sys.stdout.isatty()}
        with part.open("ab" if start else "wb") as file, tqdm(desc=part.stem, total=size, initial=start, **look) as bar:
            while file.tell() <= size and (block := next(answer, b"")):  # more than `size` is found out by the caller
                bar.update(file.write(block))
            if (got := file.tell()) < size:
                raise NotDelivered(f"broke off after {got:,} of {size:,} bytes")


def fetch(file: dict, mirrors: list[str], part: Path, limits: Limits) -> Path:
    """`part` once it holds the file whose name, size and sha256 are given.

    If anything arrived there is a second round: a connection that broke is worth another try, from where it broke. A
    part can come from two mirrors; once that has proved wrong, every later try starts afresh.

    Raises:
        Problem: no mirror delivered. An unfinished part stays, for the next call to resume; a wrong one does not.
    """
    if not mirrors:
        raise Problem(f"no address of {file['name']} is known: name the file, or its folder, with --source")
    failures, fresh = {}, False
    for number, base in enumerate([*mirrors, *mirrors]):
        if number == len(mirrors) and not (part.exists() or fresh):
            break
        try:
            if fresh:
                part.unlink(missing_ok=True)
            download(f"{base.rstrip('/')}/{file['name']}", part, file["size"], limits)
            if fault := fault_of_file(part, file):
                fresh = True
                part.unlink()
                raise NotDelivered(fault)
            mirrors.insert(0, mirrors.pop(mirrors.index(base)))  # ask it first for the next file
            return part
        except NotDelivered as error:
            failures[base] = str(error)
            print(f"{base}: {error}")
        except OSError:  # the disk is full or fails: give the room back
            part.unlink(missing_ok=True)
            raise
    if part.exists() and part.stat().st_size == 0:
        part.unlink()
    reasons = "; ".join(f"{base}: {reason}" for base, reason in failures.items())
    advice = "check the connection and call again, or use files that you have with --source DIR"
    raise Problem(f"cannot fetch {file['name']} ({reasons}); {advice}")


def find(file: dict, folder: Path, names: tuple[str, ...]) -> Path:
    """The verified file: `folder` itself, or in it, in one named like the data set below it, or in a `raw` below.

    Of an archive, the folder that it unpacks to will do: what is made of it has a checksum, too.
    """
    if folder.is_file():
        if fault := fault_of_file(folder, file):
            raise Problem(f"{folder} {fault}: it is not {file['name']}")
        return folder
    if not folder.is_dir():
        raise Problem(f"--source {folder} is not a folder; name the one that holds {file['name']}")
    below = [folder / name / raw for name in ("", *names) for raw in ("", "raw")]
    places = [place / file["name"] for place in below]
    for place in below if "unpacked" in file and not any(place.is_file() for place in places) else ():
        if (place / file["unpacked"]).is_dir():
            return place / file["unpacked"]
    faults = {place: fault_of_file(place, file) for place in places if place.is_file()}
    for place, fault in faults.items():
        if not fault:
            return place
    for place, fault in faults.items():
        raise Problem(f"{place} {fault}; replace it, or leave --source out to fetch the official file")
    tried = ", ".join((*names, "raw"))
    raise Problem(f"no {file['name']} in {folder} nor below it in {tried}; name the folder that has it")


def fault_of_file(path: Path, file: dict) -> str:
    """Why `path` is not the file that the registry knows; empty if it is."""
    if (size := path.stat().st_size) != file["size"]:
        return f"has {size:,} bytes instead of {file['size']:,}"
    with path.open("rb") as opened:
        seen = hashlib.file_digest(opened, "sha256").hexdigest()
    return "" if seen == file["sha256"] else f"has SHA-256 {seen[:12]}... instead of {file['sha256'][:12]}..."
