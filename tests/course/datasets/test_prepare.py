"""datasets/prepare.py against a web server that misbehaves in every way we could think of.

Each mirror of the little registry made here is a folder name that tells the server how to behave: `/breaks/a.gz` breaks
off in the middle. The files are tiny idx archives; no test leaves this machine, and none waits longer than its limits.
"""

import errno
import gzip
import hashlib
import json
import os
import shutil
import signal
import struct
import subprocess
import sys
import threading
import tomllib
from collections import namedtuple
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from datasets import convert, fetch, prepare
from grading.content.overlay import ROOT

LIMITS = fetch.Limits(silence=0.4, window=0.2, floor=100_000, patience=0.3)
OFFICIAL = Path(os.environ.get("COURSE_DATA") or ROOT.parent / "shared" / "data")
needs_official = pytest.mark.skipif(
    not (OFFICIAL / "MNIST").is_dir(), reason=f"official files not found: set COURSE_DATA (looked in {OFFICIAL})"
)


# ---- a data set, and a server for it


def idx(array: np.ndarray) -> bytes:
    header = bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    return gzip.compress(header + array.tobytes(), compresslevel=0, mtime=0)


def tiny_arrays() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    sizes = {"train": 700, "test": 11}
    images = {f"{split}-x": rng.integers(0, 256, (n, 5, 6), dtype=np.uint8) for split, n in sizes.items()}
    return images | {f"{split}-y": rng.integers(0, 10, n, dtype=np.uint8) for split, n in sizes.items()}


ARRAYS = tiny_arrays()
FILES = {f"{name}.gz": idx(array) for name, array in ARRAYS.items()}
BIG = "train-x.gz"  # the first file of the registry, 21 kB


class Handler(BaseHTTPRequestHandler):
    """The first folder of the path says how to behave; the manners concern BIG, every other file is served well."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.close_connection = True
        *folders, name = self.path.strip("/").split("/")
        manner = folders[0] if name == BIG else "good"
        body = self.server.files.get(name, b"")
        asked = self.headers.get("Range", "")
        self.server.log.append((folders[0], name, asked))
        start = int(asked[6:-1]) if asked else 0
        if name not in self.server.files or manner == "404":
            return self.send_error(404, "\x1b[31mnot here")
        if start >= len(body):
            return self.send_error(416)
        getattr(self, manner.replace("-", "_"), self.good)(body, start)

    def head(self, body: bytes, start: int, **replaced: str) -> None:
        headers = {"Content-Length": str(len(body) - start)}
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(body) - 1}/{len(body)}"
        self.send_response(206 if start else 200)
        for key, value in (headers | {k.replace("_", "-"): v for k, v in replaced.items()}).items():
            self.send_header(key, value)
        self.end_headers()

    def good(self, body: bytes, start: int) -> None:
        self.head(body, start)
        self.wfile.write(body[start:])

    def breaks(self, body: bytes, start: int) -> None:
        """Half of what remains, then the connection ends."""
        self.head(body, start)
        self.wfile.write(body[start : (start + len(body)) // 2])

    def once(self, body: bytes, start: int) -> None:
        """Breaks off the first time, delivers the second time."""
        (self.good if start else self.breaks)(body, start)

    def restarts(self, body: bytes, start: int) -> None:
        """Like `once`, from a server that does not know Range."""
        first = [manner for manner, *_ in self.server.log].count("restarts") == 1
        (self.breaks if first else self.good)(body, 0)

    def stalls(self, body: bytes, start: int) -> None:
        self.breaks(body, start)
        self.server.stalled.set()
        self.server.over.wait(10)

    def mute(self, body: bytes, start: int) -> None:
        self.server.over.wait(10)

    def slow_headers(self, body: bytes, start: int) -> None:
        self.trickle(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 60_000)

    def trickles(self, body: bytes, start: int) -> None:
        self.head(body, start)
        self.trickle(body)

    def trickle(self, data: bytes) -> None:
        """One byte at a time, each well within any time-out of a socket; for 4 seconds, which is for ever here."""
        for i in range(200):
            if self.server.over.wait(0.02):
                return
            self.wfile.write(data[i : i + 1])

    def wrong(self, body: bytes, start: int) -> None:
        self.good(bytes(len(body)), start)

    def portal(self, body: bytes, start: int) -> None:
        """A log-in page instead of the file, without a length."""
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"<html>please log in</html>")

    def longer(self, body: bytes, start: int) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(body + bytes(100_000))

    def lies(self, body: bytes, start: int) -> None:
        self.head(body, start, Content_Length=str(len(body) + 7))
        self.wfile.write(body)

    def shifted(self, body: bytes, start: int) -> None:
        self.head(body, start, Content_Range=f"bytes 0-{len(body) - 1}/{len(body)}")
        self.wfile.write(body[start:])

    def gibberish(self, body: bytes, start: int) -> None:
        self.wfile.write(b"\x1b[2J not http at all\r\n\r\n")

    def handle(self) -> None:
        try:
            super().handle()
        except ConnectionError:
            pass  # the client had heard enough

    def log_message(self, *_) -> None:
        pass


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("no_proxy", "*")
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.files, server.log, server.over, server.stalled = dict(FILES), [], threading.Event(), threading.Event()
    server.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield server
    server.over.set()
    server.shutdown()
    server.server_close()


@pytest.fixture
def course(server, tmp_path, capsys):
    """Call prepare on the tiny data set; `course.mirrors` names the manners to meet, in this order."""

    class Course:
        cache, folder = tmp_path / "cache", tmp_path / "cache" / "tiny"
        part = folder / f"{BIG}.part"
        mirrors = ["good"]
        files = FILES
        text = staticmethod(registry_text)  # of a registry, from mirrors and files

        def registry(self) -> Path:
            path = tmp_path / "registry.toml"
            path.write_text(self.text([f"{server.url}/{manner}/" for manner in self.mirrors], self.files))
            return path

        def __call__(self, *argv: str, code: int = 0) -> str:
            """What was printed; the exit code and the shape of the error are checked here for every call."""
            seen = prepare.main([*argv, "--cache", str(self.cache)], self.registry(), LIMITS)
            out, err = capsys.readouterr()
            assert seen == code, err
            assert err.count("\n") == (code != 0) and err.removesuffix("\n").isprintable(), "one plain line, or none"
            assert out.replace("\n", "").isprintable(), "a server's text must not reach the terminal"
            return out + err

        def process(self) -> subprocess.Popen:
            """The same call in a process of its own, with the limits that users have."""
            argv = ["tiny", "--cache", str(self.cache)]
            lines = [
                "import signal, sys",
                "from pathlib import Path",
                "signal.signal(signal.SIGINT, signal.default_int_handler)",  # ignored where tests run in the background
                f"sys.path.insert(0, {str(ROOT)!r})",
                "from datasets.prepare import main",
                f"sys.exit(main({argv!r}, Path({str(self.registry())!r})))",
            ]
            return subprocess.Popen([sys.executable, "-c", "\n".join(lines)], stderr=subprocess.PIPE, text=True)

        def ready(self) -> bool:
            kept = {path.name for path in self.folder.iterdir()}
            assert kept == {f"{name}.npy" for name in ARRAYS}, "nothing but the arrays may be there"
            loaded = {name: np.load(self.folder / f"{name}.npy") for name in ARRAYS}
            return all(np.array_equal(loaded[name].squeeze(), array) for name, array in ARRAYS.items())

        def left(self) -> list[str]:
            return sorted(path.name for path in self.cache.rglob("*") if path.suffix != ".lock")

    return Course()


def registry_text(mirrors: list[str], files: dict[str, bytes]) -> str:
    lines = ["[tiny]", f"mirrors = {json.dumps(mirrors)}", 'folder = "Tiny"', 'format = "idx"', 'title = "Tiny"']
    lines.append('licence = "none"')
    for name, data in files.items():
        lines += ["[[tiny.files]]", f'name = "{name}"', f"size = {len(data)}", f'gives = ["{name[:-3]}"]']
        lines.append(f'sha256 = "{hashlib.sha256(data).hexdigest()}"')
    for name, array in ARRAYS.items():
        shape = [len(array), 1, *array.shape[1:]] if array.ndim == 3 else [len(array)]
        lines += [f"[tiny.arrays.{name}]", f"shape = {shape}", f'sha256 = "{hashlib.sha256(array).hexdigest()}"']
    return "\n".join(lines)


def as_is_text(mirrors: list[str], files: dict[str, bytes]) -> str:
    """The same set with one file, which is kept as it is: weights of a network, say."""
    size, digest = len(files[BIG]), hashlib.sha256(files[BIG]).hexdigest()
    lines = ["[tiny]", f"mirrors = {json.dumps(mirrors)}", 'folder = "Tiny"', 'format = "as-is"', 'title = "Tiny"']
    lines += ['licence = "none"', "[[tiny.files]]", f'name = "{BIG}"', f"size = {size}", f'sha256 = "{digest}"']
    return "\n".join(lines)


def save_files(folder: Path, files: dict[str, bytes] = FILES) -> Path:
    folder.mkdir(parents=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return folder


# ---- mirrors


def test_a_good_mirror_gives_arrays_that_equal_the_official_ones(course, server):
    assert "ready" in course("tiny")
    assert course.ready()
    assert np.load(course.folder / "train-x.npy").shape == (700, 1, 5, 6)
    assert server.log == [("good", name, "") for name in FILES]


def test_a_set_that_is_ready_is_not_fetched_again(course, server):
    course("tiny")
    server.log.clear()
    course("tiny")
    assert course.ready() and not server.log


def test_a_broken_download_goes_on_where_it_stopped(course, server):
    course.mirrors = ["once"]
    assert "broke off" in course("tiny")
    assert course.ready()
    big = [asked for _, name, asked in server.log if name == BIG]
    assert big == ["", f"bytes={len(FILES[BIG]) // 2}-"]


def test_a_server_that_ignores_range_restarts_cleanly(course, server):
    course.mirrors = ["restarts"]
    course("tiny")
    assert course.ready()
    assert [bool(asked) for _, name, asked in server.log if name == BIG] == [False, True]


def test_the_next_call_resumes_what_the_last_one_left(course, server):
    course.mirrors = ["breaks"]
    assert "broke off" in course("tiny", code=2)
    kept = course.part.stat().st_size
    assert 0 < kept < len(FILES[BIG]) and course.left() == ["tiny", BIG + ".part"]
    course.mirrors = ["good"]
    course("tiny")
    assert course.ready() and ("good", BIG, f"bytes={kept}-") in server.log


def test_the_next_mirror_carries_on_where_the_last_broke_off(course, server):
    course.mirrors = ["breaks", "good"]
    course("tiny")
    assert course.ready() and ("good", BIG, f"bytes={len(FILES[BIG]) // 2}-") in server.log


@pytest.mark.parametrize("manner", ["stalls", "mute", "slow-headers", "trickles"])
def test_a_server_that_stalls_is_left_for_the_next_mirror(course, manner):
    course.mirrors = [manner, "good"]
    says = "bytes in 0.2 s" if manner == "trickles" else "no answer for 0.4 s"
    assert says in course("tiny") and course.ready()


@pytest.mark.parametrize("manner", ["404", "wrong", "portal", "longer", "lies", "gibberish"])
def test_a_mirror_that_does_not_deliver_is_left_for_the_next(course, manner):
    course.mirrors = [manner, "good"]
    course("tiny")
    assert course.ready()


@pytest.mark.parametrize(
    ("manner", "says"),
    [("wrong", "SHA-256"), ("longer", "bytes instead"), ("lies", "offers"), ("404", "HTTP 404"), ("gibberish", "HTTP")],
)
def test_a_mirror_that_does_not_deliver_leaves_nothing_and_the_next_call_repairs(course, manner, says):
    course.mirrors = [manner]
    message = course("tiny", code=2)
    assert says in message and "--source" in message and course.left() == []
    course.mirrors = ["good"]
    course("tiny")
    assert course.ready()


def test_no_server_at_all_is_one_line(course, server, tmp_path):
    server.shutdown()
    server.server_close()
    assert "refused" in course("tiny", code=2) and course.left() == []


def test_a_part_that_mixes_two_mirrors_does_not_hide_the_good_one(course):
    course.mirrors = ["portal", "good"]  # the good one resumes the portal's page, and is asked again from the start
    assert "SHA-256" in course("tiny") and course.ready()


def test_a_range_that_was_not_asked_for_is_refused(course):
    course.folder.mkdir(parents=True)
    course.part.write_bytes(FILES[BIG][:1000])
    course.mirrors = ["shifted"]
    assert "another range" in course("tiny", code=2)
    assert course.part.read_bytes() == FILES[BIG][:1000]


@pytest.mark.parametrize("size", [0, 1, len(FILES[BIG]) - 1, len(FILES[BIG]), len(FILES[BIG]) + 1])
@pytest.mark.parametrize("right", [True, False])
def test_any_part_left_behind_is_used_or_replaced(course, size, right):
    course.folder.mkdir(parents=True)
    course.part.write_bytes(((FILES[BIG] if right else b"?" * len(FILES[BIG])) + b"x")[:size])
    course("tiny")
    assert course.ready()


def test_a_complete_part_is_not_fetched_again(course, server):
    course.folder.mkdir(parents=True)
    course.part.write_bytes(FILES[BIG])
    course("tiny")
    assert course.ready() and BIG not in [name for _, name, _ in server.log]


def test_the_mirror_that_worked_is_asked_first_for_the_next_file(course, server):
    course.mirrors = ["404", "good"]
    course("tiny")
    assert [manner for manner, *_ in server.log] == ["404"] + ["good"] * len(FILES) and course.ready()


# ---- disk and keyboard


def test_a_full_disk_is_seen_before_anything_is_fetched(course, server, monkeypatch):
    usage = namedtuple("usage", "total used free")(10, 9, 1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    assert "needed; make room" in course("tiny", code=2)
    assert not server.log and course.left() == []


def test_a_disk_that_fills_up_during_the_download_leaves_nothing(course, monkeypatch):
    real = Path.open

    class Full:
        def __init__(self, file):
            self.file = file

        def __getattr__(self, name):
            return getattr(self.file, name)

        def __enter__(self):
            return self

        def __exit__(self, *_):
            self.file.close()

        def write(self, block):
            self.file.write(block[:100])
            raise OSError(errno.ENOSPC, "No space left on device", str(course.part))

    def full(path, mode="r", *args, **kwargs):
        return Full(real(path, mode)) if path == course.part and "b" in mode and "r" not in mode else real(path, mode)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", full)
        message = course("tiny", code=2)
    assert "No space left" in message and "make room" in message and course.left() == []
    course("tiny")
    assert course.ready()


def test_a_disk_that_fills_up_while_an_array_is_written_leaves_nothing(course, monkeypatch):
    def full(file, array, **_):
        file.write(b"half")
        raise OSError(f"{array.size} requested and 4 written")  # as numpy says it: without errno

    with monkeypatch.context() as patch:
        patch.setattr(np, "save", full)
        assert "make room" in course("tiny", code=2) and course.left() == []
    course("tiny")
    assert course.ready()


def test_ctrl_c_in_a_download_keeps_only_what_can_be_resumed(course, server, monkeypatch):
    real = fetch.stream

    def interrupted(*args):
        answer = real(*args)
        yield next(answer)
        yield next(answer)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(fetch, "stream", interrupted)
        course.mirrors = ["stalls"]
        assert "interrupted" in course("tiny", code=130)
    kept = course.part.stat().st_size
    assert course.left() == ["tiny", BIG + ".part"] and kept > 0
    course.mirrors = ["good"]
    course("tiny")
    assert course.ready() and ("good", BIG, f"bytes={kept}-") in server.log


def test_ctrl_c_while_an_array_is_written_leaves_no_half_array(course, monkeypatch):
    def interrupted(file, array, **_):
        file.write(b"half")
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(np, "save", interrupted)
        course("tiny", code=130)
    assert course.left() == []


def test_what_a_killed_prepare_left_is_cleared_away(course):
    course.folder.mkdir(parents=True)
    (course.folder / "train-x.99999.tmp").write_bytes(b"half")
    course("tiny")
    assert course.ready()


def test_a_cache_that_cannot_be_made_is_one_line(course, tmp_path):
    course.cache = tmp_path / "file"
    course.cache.write_text("not a folder")
    assert "--cache" in course("tiny", code=2)


def test_a_second_prepare_waits_for_the_first_and_gives_up_with_one_line(course):
    with prepare.alone(course.cache / "tiny.lock", LIMITS):
        assert "another prepare" in course("tiny", code=2)
    course("tiny")
    assert course.ready()


def test_two_prepares_at_once_both_end_well(course):
    runs = [course.process() for _ in range(3)]
    assert [(run.communicate()[1], run.returncode) for run in runs] == [("", 0)] * 3
    assert course.ready()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows cannot send Ctrl-C to one process")
def test_a_real_ctrl_c_ends_a_waiting_process_with_one_line(course, server):
    course.mirrors = ["stalls"]
    run = course.process()
    assert server.stalled.wait(30)
    run.send_signal(signal.SIGINT)
    assert run.communicate()[1].count("\n") == 1 and run.returncode == 130
    assert set(course.left()) <= {"tiny", BIG + ".part"}


# ---- from file to array


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(FILES[BIG][:-100], id="truncated-gzip"),
        pytest.param(b"not gzip", id="not-gzip"),
        pytest.param(b"", id="empty"),
        pytest.param(gzip.compress(b"\0\0\x08"), id="three-bytes"),
        pytest.param(gzip.compress(b"\0\0\x08\3\0\0"), id="cut-header"),
        pytest.param(gzip.compress(b"\0\0\x0d\1" + struct.pack(">I", 4) + bytes(16)), id="floats"),
        pytest.param(gzip.compress(b"\0\0\x08\x04" + struct.pack(">4I", 1, 1, 1, 1) + b"x"), id="four-axes"),
        pytest.param(gzip.compress(b"\0\0\x08\1" + struct.pack(">I", 4) + bytes(5)), id="too-long"),
        pytest.param(gzip.compress(b"\0\0\x08\1" + struct.pack(">I", 4) + bytes(3)), id="too-short"),
        pytest.param(gzip.compress(b"\0\0\x08\3" + struct.pack(">3I", *[2**32 - 1] * 3) + bytes(3)), id="huge"),
    ],
)
def test_a_file_that_is_not_strictly_idx_is_one_line(tmp_path, data):
    (tmp_path / "file.gz").write_bytes(data)
    with pytest.raises(fetch.Problem, match="file.gz"):
        convert.read_idx(tmp_path / "file.gz", {})


def test_a_truncated_archive_that_the_registry_takes_for_right_leaves_nothing(course, server):
    course.files = FILES | {BIG: FILES[BIG][:-100]}
    server.files = course.files
    assert "broken gzip" in course("tiny", code=2) and course.left() == []


def test_arrays_other_than_the_registered_ones_are_not_kept(course, server):
    course.files = FILES | {BIG: idx(ARRAYS["train-x"][:-1])}
    server.files = course.files
    assert "(699, 1, 5, 6)" in course("tiny", code=2) and course.left() == []


# ---- one file of arrays, of which no address is known


@pytest.fixture
def birds(tmp_path, capsys):
    """`birds(*arguments, code=0)` calls prepare on a set made of one file, two images of which are the test split."""
    file, x = tmp_path / "some.npz", np.arange(7 * 4 * 5 * 3, dtype=np.uint8).reshape(7, 4, 5, 3)
    np.savez(file, x=x, y=np.arange(7, dtype=np.uint8), names=np.zeros(3, dtype=np.uint8))

    def call(*arguments: str, code: int = 0) -> str:
        sizes = {"train-x": [5, 3, 4, 5], "train-y": [5], "test-x": [2, 3, 4, 5], "test-y": [2]}
        spec = {"sha256": hashlib.sha256(file.read_bytes()).hexdigest(), "size": file.stat().st_size}
        table = [
            '[birds]\ntitle = "birds"\nlicence = "none"\nmirrors = []\nfolder = "birds"\nformat = "npz"',
            f'[[birds.files]]\nname = "birds.npz"\nsize = {spec["size"]}\nsha256 = "{spec["sha256"]}"',
            f"gives = {list(sizes)}\n[birds.arrays]",
            *(f"{name} = {{ shape = {shape} }}" for name, shape in sizes.items()),
        ]
        (tmp_path / "registry.toml").write_text("\n".join(table))
        given = ["birds", "--cache", str(tmp_path / "cache"), *arguments]
        assert prepare.main(given, tmp_path / "registry.toml", LIMITS) == code
        return capsys.readouterr().err

    call.file, call.x, call.folder = file, x, tmp_path / "cache/birds"
    return call


def test_a_set_is_made_of_one_file_of_arrays_whatever_it_is_called(birds):
    birds("--source", str(birds.file))
    x, y = (
        np.concatenate([np.load(birds.folder / f"{split}-{what}.npy") for split in ("train", "test")]) for what in "xy"
    )
    assert sorted(y) == list(range(7)) and list(y) != list(range(7)), "every image once, not in the file's order"
    for image, label in zip(x, y):
        np.testing.assert_array_equal(image, birds.x[label].transpose(2, 0, 1))


def test_where_no_address_is_known_the_file_must_be_named(birds):
    assert "no address of birds.npz is known: name the file, or its folder, with --source" in birds(code=2)


def test_another_file_is_not_taken_for_it(birds, tmp_path):
    (tmp_path / "other.npz").write_bytes(b"PK")
    assert "other.npz has 2 bytes instead of" in birds("--source", str(tmp_path / "other.npz"), code=2)


@pytest.mark.parametrize(
    "content", [{"x": np.zeros((3, 2), dtype=np.uint8)}, {"images": np.zeros(3)}, {"x": np.array([{}])}]
)
def test_a_file_without_such_arrays_is_one_line(birds, content):
    np.savez(birds.file, **content)
    assert "does not hold arrays x (N, H, W, C) and y (N,)" in birds("--source", str(birds.file), code=2)
    assert not birds.folder.exists() or not list(birds.folder.iterdir())


# ---- files that are kept as they are

DAMAGE = {
    "a flipped bit": lambda data: data[:-5] + bytes([data[-5] ^ 1]) + data[-4:],
    "a cut end": lambda data: data[:-5],
    "an empty file": lambda data: b"",
    "a zip": lambda data: b"PK\3\4" + data,
    "a broken header": lambda data: data[:20] + b"(((" + data[23:],
    "another dtype": lambda data: data.replace(b"|u1", b"|i1"),
    "zeros": lambda data: bytes(len(data)),
}


@pytest.fixture
def weights(course):
    """`course` with a set of one file that is kept as it is; `weights.kept` is where."""
    course.text, course.kept = as_is_text, course.folder / BIG
    course.ready = lambda: course.left() == ["tiny", BIG] and course.kept.read_bytes() == FILES[BIG]
    return course


@pytest.mark.parametrize(
    "manner", ["once", "restarts", "stalls", "404", "wrong", "portal", "longer", "lies", "gibberish"]
)
def test_weights_come_whole_past_every_bad_mirror(weights, manner):
    weights.mirrors = [manner, "good"]
    weights("tiny")
    assert weights.ready()


@pytest.mark.parametrize("manner", ["wrong", "longer", "lies", "404", "gibberish", "mute"])
def test_weights_that_do_not_come_leave_nothing(weights, manner):
    weights.mirrors = [manner]
    weights("tiny", code=2)
    assert weights.left() == []


def test_half_of_the_weights_is_never_called_the_weights(weights, server):
    weights.mirrors = ["breaks"]
    weights("tiny", code=2)
    assert weights.left() == ["tiny", BIG + ".part"]
    weights.mirrors = ["good"]
    weights("tiny")
    assert weights.ready() and server.log[-1][2].startswith("bytes=")


def test_weights_that_are_here_are_not_fetched_again_and_damaged_ones_are_replaced(weights, server):
    weights("tiny")
    server.log.clear()
    weights("tiny")
    assert "in order" in weights("--check") and "here" in weights("--list") and not server.log
    for damage in DAMAGE.values():
        weights.kept.write_bytes(damage(FILES[BIG]) if damage(FILES[BIG]) != FILES[BIG] else b"")
        assert f"{BIG} has" in weights("--check", code=2)
        weights("tiny")
        assert weights.ready()


def test_weights_are_taken_from_a_folder_which_is_left_alone(weights, server, tmp_path):
    save_files(tmp_path / "usb" / "Tiny")
    weights("tiny", "--source", str(tmp_path / "usb"))
    assert weights.ready() and not server.log and (tmp_path / "usb" / "Tiny" / BIG).read_bytes() == FILES[BIG]
    (tmp_path / "usb" / "Tiny" / BIG).write_bytes(FILES[BIG][:-1] + b"x")
    weights("--remove", "tiny")
    assert weights.left() == [] and "SHA-256" in weights("tiny", "--source", str(tmp_path / "usb"), code=2)


@pytest.mark.parametrize("fault", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
def test_weights_that_cannot_be_copied_to_the_end_leave_nothing(weights, tmp_path, monkeypatch, fault):
    def broken(source, target):
        Path(target).write_bytes(b"half")
        raise fault

    save_files(tmp_path / "usb")
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "copyfile", broken)
        weights("tiny", "--source", str(tmp_path / "usb"), code=130 if isinstance(fault, KeyboardInterrupt) else 2)
    assert weights.left() == []
    weights("tiny")
    assert weights.ready()


# ---- --check, --remove, --source, --list


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE.keys())
def test_check_finds_a_damaged_array_and_the_next_call_repairs_only_that(course, server, damage):
    course("tiny")
    server.log.clear()
    assert "in order" in course("--check")
    path = course.folder / "test-x.npy"
    path.write_bytes(damage(path.read_bytes()))
    message = course("--check", code=2)
    assert "test-x.npy" in message and "prepare.py tiny" in message and "train-x" not in message
    assert not server.log, "--check needs no network"
    course("tiny")
    assert course.ready() and [name for _, name, _ in server.log] == ["test-x.gz"]


def test_check_of_a_set_that_is_not_here_says_how_to_get_it(course):
    assert "prepare.py tiny" in course("--check", "tiny", code=2)
    course("--check")  # nothing here, nothing wrong


def test_remove_deletes_what_prepare_made_and_nothing_else(course):
    course("tiny")
    (course.folder / "notes.txt").write_text("mine")
    course("--remove", "tiny")
    assert course.left() == ["notes.txt", "tiny"]
    (course.folder / "notes.txt").unlink()
    course("--remove", "tiny")
    course("--remove", "tiny")
    assert course.left() == []


@pytest.mark.parametrize("below", ["", "tiny", "Tiny", "raw", "tiny/raw", "Tiny/raw"])
def test_source_is_a_folder_with_the_files_in_any_usual_place(course, server, tmp_path, below):
    save_files(tmp_path / "usb" / below)
    course("tiny", "--source", str(tmp_path / "usb"))
    assert course.ready() and not server.log
    kept = {path.name: path.read_bytes() for path in (tmp_path / "usb" / below).iterdir()}
    assert kept == FILES, "the source is left alone"


def test_a_wrong_source_folder_is_one_line_that_says_where_it_looked(course, tmp_path):
    assert "Tiny" in course("tiny", "--source", str(tmp_path), code=2)
    assert "not a folder" in course("tiny", "--source", str(tmp_path / "nowhere"), code=2)
    save_files(tmp_path / "usb", FILES | {BIG: FILES[BIG][:-1] + b"x"})
    assert "SHA-256" in course("tiny", "--source", str(tmp_path / "usb"), code=2)
    assert course.left() == []


def test_a_good_file_in_the_source_is_found_beside_a_bad_one(course, tmp_path):
    save_files(tmp_path / "usb", FILES | {BIG: b"half a download"})
    save_files(tmp_path / "usb" / "tiny")
    course("tiny", "--source", str(tmp_path / "usb"))
    assert course.ready()


def test_source_can_be_a_mirror_of_ones_own(course, server):
    course.mirrors = ["404"]
    course("tiny", "--source", f"{server.url}/own")
    assert course.ready() and "404" not in [manner for manner, *_ in server.log]


@pytest.mark.parametrize("url", ["http://", "http://[", "http://a b/", "http://127.0.0.1:99999", "https://127.0.0.1:1"])
def test_an_impossible_mirror_is_one_line(course, url):
    course("tiny", "--source", url, code=2)
    assert course.left() == []


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (["tinny"], "did you mean tiny?"),
        (["TINY"], "did you mean tiny?"),
        (["imagenet-22k"], "there are tiny"),
        ([], "which data set?"),
        (["tiny", "--frobnicate"], "--frobnicate"),
        (["--check", "--remove", "tiny"], "not allowed"),
    ],
)
def test_wrong_use_is_one_line(course, argv, says):
    assert says in course(*argv, code=2) and course.left() == []


def test_list_says_what_is_here(course):
    assert "here" not in course("--list")
    course("tiny")
    assert "here" in course("--list")


# ---- the real thing


def test_every_entry_of_the_registry_is_complete():
    sets = tomllib.loads((ROOT / "datasets" / "registry.toml").read_text(encoding="utf-8"))
    assert set(sets) >= {"mnist", "fashion-mnist"}
    for spec in sets.values():
        assert all(spec[key] for key in ("title", "licence", "citation", "home", "folder"))
        assert spec["mirrors"] or "(--source)" in spec["title"]
        arrays = {} if spec["format"] == "birds" else spec.get("arrays", {})  # birds: checksums of their making
        for entry in [*spec["files"], *arrays.values()]:
            assert len(bytes.fromhex(entry["sha256"])) == 32
        assert set.union(*map(convert.given, spec["files"])) == convert.kept(spec).keys()
        if spec["format"] != "as-is":
            assert spec["format"] in convert.READERS
            assert set(spec["arrays"]) == {"train-x", "train-y", "test-x", "test-y"}


@pytest.mark.parametrize("how", [["datasets/prepare.py"], ["-m", "datasets.prepare"]])
def test_the_command_runs_both_ways_and_answers_a_slip_with_one_line(how, tmp_path):
    def run(*argv):
        command = [sys.executable, *how, *argv, "--cache", str(tmp_path)]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)

    assert "fashion-mnist" in run("--list").stdout
    slip = run("fashon-mnist")
    assert slip.returncode == 2 and slip.stderr.splitlines() == [
        "prepare: there is no data set 'fashon-mnist'; did you mean fashion-mnist?"
    ]


@needs_official
@pytest.mark.parametrize("name", ["mnist", "fashion-mnist"])
def test_the_official_files_are_what_the_registry_says(name, tmp_path, capsys):
    assert prepare.main([name, "--source", str(OFFICIAL), "--cache", str(tmp_path)]) == 0
    assert prepare.main(["--check", name, "--cache", str(tmp_path)]) == 0
    assert np.bincount(np.load(tmp_path / name / "test-y.npy"))[1] == {"mnist": 1135, "fashion-mnist": 1000}[name]
