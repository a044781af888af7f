"""What is taken from a stranger's notebook: texts and pictures, nothing that a browser executes."""

import base64
import io
import json
import re
from collections.abc import Iterator
from itertools import islice
from typing import TypedDict

from PIL import Image, ImageOps

from ..content.harmless_text import plain

NOTEBOOK, TEXT = 20 << 20, 10_000  # at most: bytes of a notebook, characters of an output
PICTURES, PIXELS, PICTURE = 40, 4_000_000, 2 << 20  # at most: pictures of a notebook, pixels and bytes of one
PASTED, PHOTO, SIDE = 20, 16_000_000, 2_000  # at most: pictures in texts, pixels of one; a longer side is scaled down
KINDS = {"png": {"compress_level": 1}, "jpeg": {"quality": 85}}  # 1: half the time, and hardly larger
OUTPUTS = 12  # of one cell
CELLS, SOURCE = 2_000, 25_000  # at most: cells of a notebook, characters of one: an answer, or a cell that was released
TOKENS = 500_000  # at most: values, names and separators of a notebook's JSON; each may cost 60 bytes when it is read
TOKEN = re.compile(r'"[^"]*"?|[,:\[{]')
CONFLICT = re.compile(r"^(<{7}|={7}|>{7})( |$)", re.MULTILINE)


class Cell(TypedDict):
    """What is kept of a cell."""

    id: str
    grade_id: str
    source: str
    pictures: dict[str, str]  # pasted into it: name -> data URI
    outputs: list[dict[str, str]]  # each {"png": base64} or {"text": words}


class Unreadable(Exception):
    """Why the cells of a notebook cannot be read, in words for whoever handed it in."""


def cells_of(notebook: bytes | None) -> list[Cell]:
    """The cells of a notebook.

    Never fails: a notebook that cannot be read has none. `complaint` says why.
    """
    try:
        pictures, photos = iter(range(PICTURES)), iter(range(PASTED))
        return [
            {
                "id": joined(cell.get("id")),
                "grade_id": grade_id(cell),
                "source": joined(cell.get("source"))[:SOURCE],
                "pictures": pasted(cell.get("attachments"), photos),
                "outputs": outputs(cell.get("outputs"), pictures),
            }
            for cell in raw_cells(notebook or b"")
        ]
    except Unreadable:
        return []


def complaint(notebook: bytes) -> str:
    """Why nobody can see what is written in a notebook; nothing when its cells can be read."""
    try:
        raw_cells(notebook)
    except Unreadable as reason:
        return str(reason)
    return ""


def raw_cells(notebook: bytes) -> list[dict[str, object]]:
    """The cells as they are, when there are no more of them, and of all that is in them, than people make.

    Raises:
        Unreadable: says why.
    """
    if not notebook.strip():
        raise Unreadable("it is empty")
    if len(notebook) > NOTEBOOK:
        raise Unreadable(f"it has more than {NOTEBOOK >> 20} MB: clear its outputs")
    try:
        text = notebook.decode(json.detect_encoding(notebook), "surrogatepass")
        bare = text.replace("\\\\", "").replace('\\"', "")  # without these, a string ends at the next quotation mark
        if next(islice(TOKEN.finditer(bare), TOKENS, None), None):  # counted before any of it is built
            raise Unreadable(f"it has more than {TOKENS:,} values: clear its outputs")
        found = json.loads(text)
    except json.JSONDecodeError as wrong:
        if CONFLICT.search(text):
            raise Unreadable("it has marks of a merge conflict (<<<<<<<)") from None
        raise Unreadable(f"it is not JSON from line {wrong.lineno} on: cut off, or no notebook") from None
    except UnicodeDecodeError:
        raise Unreadable("it is no text") from None
    except RecursionError:
        raise Unreadable("it is nested too deep") from None
    except ValueError:  # Python's limit on the digits of an integer
        raise Unreadable("it has a number that is too long") from None
    cells = found.get("cells") if isinstance(found, dict) else None
    if not isinstance(cells, list) or not cells or not all(isinstance(cell, dict) for cell in cells):
        old = isinstance(found, dict) and "worksheets" in found
        raise Unreadable("it is of an old format: save it in JupyterLab" if old else "it is JSON without cells")
    if len(cells) > CELLS:
        raise Unreadable(f"it has more than {CELLS:,} cells")
    return cells


def joined(text: object) -> str:
    """nbformat allows a text as a list of lines."""
    text = "".join(part for part in text if isinstance(part, str)) if isinstance(text, list) else text
    return text.replace("\r\n", "\n") if isinstance(text, str) else ""


def grade_id(cell: dict[str, object]) -> str:
    metadata = cell.get("metadata")
    rules = metadata.get("nbgrader") if isinstance(metadata, dict) else None
    return joined(rules.get("grade_id")) if isinstance(rules, dict) else ""


def outputs(found: object, pictures: Iterator[int]) -> list[dict[str, str]]:
    kept = [passive(output, pictures) for output in found[:OUTPUTS]] if isinstance(found, list) else []
    return [output for output in kept if output]


def passive(output: object, pictures: Iterator[int]) -> dict[str, str] | None:
    if not isinstance(output, dict) or output.get("name") == "stderr":  # progress bars
        return None
    data = output.get("data")
    data = data if isinstance(data, dict) else {}
    png = joined(data.get("image/png"))
    if png and len(png) < 2 * PICTURE and next(pictures, None) is not None and (drawn := picture(png)):
        return {"png": drawn}
    text = joined(output.get("text")) or joined(data.get("text/plain")) or joined(output.get("evalue"))
    return {"text": plain(text, TEXT)} if text and not png else None


def pasted(attachments: object, pictures: Iterator[int]) -> dict[str, str]:
    """The PNG and JPEG pictures that a text shows, each as a data URI, by its name."""
    found = {}
    for name, data in attachments.items() if isinstance(attachments, dict) else ():
        for kind in KINDS if isinstance(data, dict) else ():
            encoded = joined(data.get(f"image/{kind}"))
            if encoded and next(pictures, None) is not None and (uri := photo(encoded, kind)):
                found[name] = uri
    return found


def picture(encoded: str) -> str | None:
    """A PNG decoded and encoded afresh: what was hidden beside the pixels is gone. None when it is not one."""
    try:
        return packed(page(encoded, "png", PIXELS), "png")
    except Exception:  # whatever a decoder raises: no picture
        return None


def photo(encoded: str, kind: str) -> str | None:
    """The same for a picture that somebody pasted, at a size that a page can show, as a data URI."""
    try:
        shown = page(encoded, kind, PHOTO).convert("RGB")
        shown.thumbnail((SIDE, SIDE))
        kind, data = next((kind, data) for kind in (kind, "jpeg") if (data := packed(shown, kind)))
        return f"data:image/{kind};base64,{data}"
    except Exception:
        return None


def page(encoded: str, kind: str, pixels: int) -> Image.Image:
    """A picture upright on white. One with a palette, as the labs draw, keeps it: a sixth of the time to encode.

    Raises:
        Exception: of any type, when it is of another kind, damaged or too large.
    """
    with Image.open(io.BytesIO(base64.b64decode(encoded)), formats=[kind]) as image:
        image.draft("RGB", (SIDE // 2, SIDE // 2))  # a large JPEG is decoded at a fraction of its size
        if image.width * image.height > pixels:  # before it is decoded, and after all headers: there may be two
            raise ValueError("too many pixels")
        drawn = ImageOps.exif_transpose(image)
    if drawn.mode == "P" and "transparency" not in drawn.info:
        drawn.info.clear()  # what else it said of itself would be written, too
        return drawn
    drawn = drawn.convert("RGBA")
    white = Image.new("RGB", drawn.size, "white")
    white.paste(drawn, mask=drawn)
    return white


def packed(image: Image.Image, kind: str) -> str | None:
    """As base64, unless it is too large."""
    memory = io.BytesIO()
    image.save(memory, kind, **KINDS[kind])
    return base64.b64encode(memory.getvalue()).decode() if len(memory.getvalue()) <= PICTURE else None
