"""Pictures of documents over HTTP: whatever is sent, what is kept is small and ours."""

from __future__ import annotations

import random
import struct
import zlib
from io import BytesIO

import pytest
from flask.testing import FlaskClient
from PIL import Image

from bokeh_server.blueprint.documents import thumbnails
from bokeh_server.blueprint.documents.pictures import MOST_KEPT, MOST_SENT
from support.documents import picture


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures may follow each other at once."""
    monkeypatch.setattr(thumbnails, "PAUSE", 0)


def put(client: FlaskClient, docid: str, body: bytes, query: str = "", kind: str = "image/png"):  # type: ignore[no-untyped-def]
    """Send a picture."""
    return client.put(f"/bokeh/doc/{docid}/thumbnail{query}", data=body, content_type=kind)


def chunk(name: bytes, data: bytes) -> bytes:
    """A chunk of a PNG."""
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(width: int, height: int, *more: bytes, data: bytes = b"") -> bytes:
    """A PNG that says it has so many pixels, whatever it has."""
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    body = chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(more) + body


def test_what_is_sent_is_drawn_anew(client: FlaskClient, docid: str) -> None:
    """A picture is answered as a WebP of the same size and colours, in a policy of its own."""
    path = f"/bokeh/doc/{docid}/thumbnail"
    assert client.get(path).status_code == 204
    secret = b"what somebody hid in it"
    sent = picture(48, 30, "teal").replace(b"IEND", b"IEND", 1) + secret
    assert put(client, docid, sent).get_json() == {"kept": True, "seq": seq_of(client, docid)}
    answer = client.get(path)
    assert answer.mimetype == "image/webp"
    assert secret not in answer.data
    shown = Image.open(BytesIO(answer.data))
    assert shown.size == (48, 30)
    assert all(abs(a - b) < 8 for a, b in zip(shown.getpixel((9, 9)), (0, 128, 128), strict=True))
    assert answer.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert answer.headers["Cache-Control"] == "private, no-cache"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    again = client.get(path, headers={"If-None-Match": answer.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    put(client, docid, picture(48, 30, "red"))
    assert client.get(path, headers={"If-None-Match": answer.headers["ETag"]}).status_code == 200


def seq_of(client: FlaskClient, docid: str) -> int:
    """The number of a document's last change."""
    found: int = client.get(f"/bokeh/doc/{docid}/").get_json()["seq"]
    return found


def test_what_is_no_small_picture_is_refused(client: FlaskClient, docid: str) -> None:
    """Bombs, cut and false pictures and other formats get a 4xx, and the old picture stays."""
    path = f"/bokeh/doc/{docid}/thumbnail"
    put(client, docid, picture())
    before = client.get(path).data
    good = picture(480, 300)
    jpeg = BytesIO()
    Image.new("RGB", (20, 20)).save(jpeg, "JPEG")
    text = chunk(b"zTXt", b"k\0\0" + zlib.compress(bytes(80_000_000), 9))
    for bad in (
        b"",
        b"\x89PNG\r\n\x1a\n",
        good[:60],
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        jpeg.getvalue(),
        picture(481, 300),
        picture(480, 301),
        png(30_000, 30_000),
        png(2**31, 2**31),
        png(0, 0),
        png(480, 300),
        png(480, 300, text),
        # a second header, of another size
        png(48, 30, chunk(b"IHDR", struct.pack(">IIBBBBB", 20_000, 20_000, 8, 2, 0, 0, 0))),
    ):
        answer = put(client, docid, bad)
        assert 400 <= answer.status_code < 500, bad[:40]
        assert "Could not keep this picture" in answer.get_json()["detail"]
    assert put(client, docid, bytes(MOST_SENT + 1)).status_code == 413
    assert put(client, docid, good, kind="image/svg+xml").status_code == 415
    assert put(client, docid, good, "?seq=99999").status_code == 400
    assert put(client, docid, good, "?seq=-1").status_code == 400
    assert client.get(path).data == before


def test_noise_is_kept_small(client: FlaskClient, docid: str) -> None:
    """Not even a picture that cannot be packed takes more than 64 KB."""
    noise = random.Random(1).randbytes(480 * 300 * 3)
    out = BytesIO()
    Image.frombytes("RGB", (480, 300), noise).save(out, "PNG")
    assert put(client, docid, out.getvalue()).status_code == 200
    assert len(client.get(f"/bokeh/doc/{docid}/thumbnail").data) <= MOST_KEPT


def test_pictures_come_now_and_then(
    client: FlaskClient, docid: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second picture within seconds is refused, and told when to come again."""
    monkeypatch.setattr(thumbnails, "PAUSE", 10)
    assert put(client, docid, picture()).status_code == 200
    answer = put(client, docid, picture())
    assert answer.status_code == 429
    assert 0 < int(answer.headers["Retry-After"]) <= 10
