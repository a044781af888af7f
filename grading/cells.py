"""What is taken from a stranger's notebook: texts and pictures, nothing that a browser executes."""

import base64
import io
import json

from PIL import Image

from .plain import plain

NOTEBOOK, TEXT = 20 << 20, 10_000  # at most: bytes of a notebook, characters of an output
PICTURES, PIXELS, PICTURE = 40, 4_000_000, 2 << 20  # at most: pictures of a notebook, pixels and bytes of one
OUTPUTS = 12  # of one cell


def cells_of(notebook: bytes | None) -> list[dict]:
    """The cells as `id`, `grade_id`, `source` and `outputs`, each of these {"png": base64} or {"text": words}.

    Never fails: what is not JSON, of another version, nested too deep or of other types is no notebook, and has none.
    """
    try:
        cells = json.loads((notebook or b"")[: NOTEBOOK + 1])["cells"]
        pictures = iter(range(PICTURES))
        return [
            {
                "id": joined(cell.get("id")),
                "grade_id": grade_id(cell),
                "source": joined(cell.get("source")),
                "outputs": outputs(cell.get("outputs"), pictures),
            }
            for cell in cells
        ]
    except Exception:
        return []


def joined(text) -> str:
    """nbformat allows a text as a list of lines."""
    text = "".join(map(str, text)) if isinstance(text, list) else text
    return text.replace("\r\n", "\n") if isinstance(text, str) else ""


def grade_id(cell: dict) -> str:
    rules = cell.get("metadata", {}).get("nbgrader", {})
    return joined(rules.get("grade_id")) if isinstance(rules, dict) else ""


def outputs(found, pictures) -> list[dict[str, str]]:
    kept = [passive(output, pictures) for output in found[:OUTPUTS]] if isinstance(found, list) else []
    return [output for output in kept if output]


def passive(output, pictures) -> dict[str, str] | None:
    if not isinstance(output, dict) or output.get("name") == "stderr":  # progress bars
        return None
    data = output.get("data") if isinstance(output.get("data"), dict) else {}
    png = joined(data.get("image/png"))
    if png and len(png) < 2 * PICTURE and next(pictures, None) is not None and (drawn := picture(png)):
        return {"png": drawn}
    text = joined(output.get("text")) or joined(data.get("text/plain")) or joined(output.get("evalue"))
    return {"text": plain(text, TEXT)} if text and not png else None


def picture(encoded: str) -> str | None:
    """A PNG decoded and encoded afresh: what was hidden beside the pixels is gone. None when it is not one."""
    try:
        fresh = io.BytesIO()
        with Image.open(io.BytesIO(base64.b64decode(encoded)), formats=["PNG"]) as image:
            if image.width * image.height > PIXELS:  # before it is decoded, and after all headers: there may be two
                return None
            drawn = image.convert("RGBA")
        page = Image.new("RGB", drawn.size, "white")
        page.paste(drawn, mask=drawn)
        page.save(fresh, "PNG", compress_level=1)  # half the time, and not larger: there is no fourth channel
        return base64.b64encode(fresh.getvalue()).decode() if len(fresh.getvalue()) <= PICTURE else None
    except Exception:  # whatever a decoder raises: no picture
        return None
