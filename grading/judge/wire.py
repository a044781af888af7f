"""A child's bytes as what became of its questions. Whatever is not just well-formed reports is no report at all."""

import struct
from math import prod

import numpy as np

from starter.support.compare import Arrays
from starter.support.verdict import Outcome, Stop

from . import server

NAMES, DIMENSIONS, WORDS = 64, 8, 1000  # at most: arrays in a report, dimensions of one, bytes of a text


class Unreadable(ValueError):
    """Bytes that are no report."""


def parse_reports(ended: str, raw: bytes, count: int = 1) -> list[Outcome]:
    """A child's bytes as outcomes, one for each report that is expected, in their order.

    A report that is missing is one of a process that ended before; one too many makes all of them unreadable.
    """
    if ended == "flood":
        return [Outcome(ended=ended)] * count
    try:
        found = [outcome(ended, *unpacked(report)) for report in apart(raw, count)]
    except Exception:  # whatever goes wrong here, of any type, was caused by the bytes
        return [Outcome(ended=ended if ended == "time" else "unreadable")] * count  # it was ended in a report's midst
    return found + [Outcome(ended=ended)] * (count - len(found))


def apart(raw: bytes, count: int) -> list[bytes]:
    """
    Raises:
        Unreadable: not just whole reports, so many at most.
    """
    found, at = [], 0
    while at < len(raw):
        size = server.HEADER.size + server.HEADER.unpack_from(raw, at)[1]
        found.append(raw[at : at + size])
        at += size
        if at > len(raw) or len(raw) > server.LIMIT or len(found) > count:
            raise Unreadable("a report that is cut off, or one too many")
    return found


def outcome(ended: str, kind: bytes, arrays: Arrays) -> Outcome:
    if kind == b"A":
        return Outcome(arrays=arrays, ended=ended)
    words = {name: str(arrays[name]) for name in ("kind", "words", "raises")}
    stop = Stop(words["kind"], words["words"], int(arrays["line"]))
    return Outcome(stop=stop, raises={"raises": np.array(words["raises"])}, ended=ended)


def unpacked(raw: bytes) -> tuple[bytes, Arrays]:
    """
    Raises:
        Unreadable: not one report of known types, sizes and names.
    """
    kind, _ = server.HEADER.unpack_from(raw)
    if kind not in (b"A", b"E"):
        raise Unreadable("not a report of a known kind")
    arrays: Arrays = {}
    at = server.HEADER.size
    while at < len(raw):
        name_size, type_index, ndim, size = server.ITEM.unpack_from(raw, at)
        at += server.ITEM.size
        if type_index >= len(server.KINDS) or ndim > DIMENSIONS or name_size > WORDS or size > len(raw):
            raise Unreadable("a header that no honest report has")
        shape = struct.unpack_from(f"<{ndim}I", raw, at)
        at += 4 * ndim
        name, data = raw[at : at + name_size].decode(), raw[at + name_size : at + name_size + size]
        at += name_size + size
        if at > len(raw) or name in arrays or len(arrays) >= NAMES:
            raise Unreadable("an array that is cut off, comes twice, or is one too many")
        arrays[name] = array(server.KINDS[type_index], shape, data)
    return kind, arrays


def array(kind: str, shape: tuple[int, ...], data: bytes) -> np.ndarray:
    if kind == "text":
        if shape or len(data) > WORDS:
            raise Unreadable("a text of unusual form")
        return np.array(data.decode())
    if prod(shape) * np.dtype(kind).itemsize != len(data):
        raise Unreadable("a shape that does not fit its bytes")
    if kind == "bool" and data.translate(None, b"\0\1"):
        raise Unreadable("a truth value that is neither")
    return np.frombuffer(data, dtype=kind).reshape(shape)
