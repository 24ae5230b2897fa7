"""Pictures that browsers send, drawn anew: nothing but a small picture of ours is ever kept."""

from __future__ import annotations

import struct
from io import BytesIO
from typing import TYPE_CHECKING, NamedTuple

from bokeh_server.blocking import run_blocking
from bokeh_server.errors import BadRequest

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["HEIGHT", "MIMETYPE", "MOST_SENT", "WIDTH", "redraw"]

#: pixels; a card shows half of them.
WIDTH, HEIGHT = 480, 300
#: a picture of that size cannot have more bytes than this, however it was packed.
MOST_SENT = 1024 * 1024
MOST_KEPT = 64 * 1024
MIMETYPE = "image/webp"
_QUALITIES = (82, 60, 40, 20, 1)
#: signature, length and name of the first chunk, width and height.
_HEAD = struct.Struct(">8s4s4sII")
_SIGNATURE, _FIRST = b"\x89PNG\r\n\x1a\n", b"IHDR"


class _Picture(NamedTuple):
    body: bytes
    problem: str = ""


def redraw(sent: bytes) -> bytes:
    """Make a WebP picture of at most 64 KB of the PNG that was sent.

    It is decoded off the main loop, and only if it says that it is no larger than 480 x 300.

    :raises BadRequest: it is no such picture.
    """
    if len(sent) < _HEAD.size:
        raise _refused("it is not a PNG")
    signature, _, first, width, height = _HEAD.unpack_from(sent)
    if signature != _SIGNATURE or first != _FIRST:
        raise _refused("it is not a PNG")
    if not (0 < width <= WIDTH and 0 < height <= HEIGHT):
        raise _refused(f"it has {width} x {height} pixels, and may have {WIDTH} x {HEIGHT}")
    from PIL import Image, PngImagePlugin, WebPImagePlugin  # noqa: F401  # not within the pool

    picture = run_blocking(_draw, sent)
    if picture.problem:
        raise _refused(picture.problem)
    return picture.body


def _draw(sent: bytes) -> _Picture:
    from PIL import Image

    try:
        with Image.open(BytesIO(sent), formats=["PNG"]) as opened:
            if opened.width > WIDTH or opened.height > HEIGHT:
                return _Picture(b"", "it has another size than it says")
            opened.load()
            return _Picture(_encoded(_on_white(opened)))
    except Exception as error:  # whatever a decoder finds wrong with what somebody made up
        return _Picture(b"", f"it cannot be decoded: {str(error)[:200]}")


def _on_white(opened: Image) -> Image:
    from PIL import Image

    drawn = opened.convert("RGBA")
    ground = Image.new("RGBA", drawn.size, "white")
    return Image.alpha_composite(ground, drawn).convert("RGB")


def _encoded(image: Image) -> bytes:
    for quality in _QUALITIES:
        out = BytesIO()
        image.save(out, "WEBP", quality=quality, method=4)
        if out.tell() <= MOST_KEPT:
            break
    return out.getvalue()


def _refused(why: str) -> BadRequest:
    return BadRequest("keep this picture", why, "Send a small PNG")
