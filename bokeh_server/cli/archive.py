"""A document as one file: what ``docs export`` writes and ``docs import`` reads.

The file is a packed body (see :mod:`bokeh_server.protocol.packing`) whose JSON is

.. code-block:: json

    {"format": "bokeh-server document", "version": 1, "title": "line",
     "bokeh": "3.9.2", "seq": 42, "exported": "2026-01-31T12:00:00+00:00", "doc": {}}

with the document in Bokeh's wire form under ``doc``; its binary arrays are the buffers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import orjson

from bokeh_server.errors import BadRequest, BokehServerError
from bokeh_server.protocol.packing import Buffers, pack, unpack

__all__ = ["FORMAT", "VERSION", "Archive", "read_archive", "write_archive"]

FORMAT = "bokeh-server document"
VERSION = 1


@dataclass(frozen=True, slots=True)
class Archive:
    """A document that was exported.

    :param bokeh: the release of Bokeh of the server that exported it.
    :param seq: the number of its last change there.
    :param doc: the document in Bokeh's wire form, arrays as references into ``buffers``.
    """

    title: str
    bokeh: str
    seq: int
    doc: dict[str, Any]
    buffers: Buffers


def write_archive(title: str, seq: int, content: bytes, buffers: Mapping[str, bytes]) -> bytes:
    """Make the file of a document.

    :param content: DocJson, as bytes.
    """
    head = {
        "format": FORMAT,
        "version": VERSION,
        "title": title,
        "bokeh": version("bokeh"),
        "seq": seq,
        "exported": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    return pack(orjson.dumps(head)[:-1] + b',"doc":' + content + b"}", buffers)


def read_archive(data: bytes, name: str) -> Archive:
    """Take the file of a document apart.

    :param name: the name of the file, for messages.
    :raises BadRequest: it is not such a file, is damaged, or is of a later form.
    """
    try:
        content, buffers = unpack(data, f"the file {name}")
        head = orjson.loads(content)
    except (BokehServerError, orjson.JSONDecodeError) as error:
        why = error.why if isinstance(error, BokehServerError) else f"its JSON is damaged ({error})"
        raise _unreadable(name, why) from None
    if not isinstance(head, dict) or head.get("format") != FORMAT:
        raise _unreadable(name, "it is not an exported document")
    if head.get("version") != VERSION:
        raise _unreadable(name, f"its form {head.get('version')!r} is not {VERSION}, as known here")
    title, doc = head.get("title"), head.get("doc")
    if not isinstance(title, str) or not isinstance(doc, dict) or "roots" not in doc:
        raise _unreadable(name, "it has no title or no document in it")
    return Archive(title, str(head.get("bokeh")), int(head.get("seq") or 0), doc, buffers)


def _unreadable(name: str, why: str) -> BadRequest:
    return BadRequest(f"read {name}", why, "Give a file that bokeh-server docs export wrote")
