"""A document as a file to keep: HTML that stands alone, and Bokeh's own JSON.

Neither is ever shown at our own address: a document is a program of its author.
"""

from __future__ import annotations

import html
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

from flask import Blueprint, Response, request

from bokeh_server.blocking import run_sized
from bokeh_server.blueprint.assets import BUNDLES
from bokeh_server.blueprint.bodies import choice_argument
from bokeh_server.blueprint.documents.pages import shown_title, target_of
from bokeh_server.blueprint.documents.revisions import asked, asked_revision
from bokeh_server.blueprint.people.access import readable
from bokeh_server.blueprint.people.events import note_open
from bokeh_server.blueprint.state import current_state

if TYPE_CHECKING:
    from bokeh_server.documents import Still

__all__ = ["add_routes", "file_name"]

_TYPES = {"html": "text/html; charset=utf-8", "json": "application/json"}
_CHUNK = 256 * 1024
_LONGEST_NAME = 100
#: what is no part of a file's name on some system, or ends the header.
_NOT_IN_NAMES = frozenset('/\\:*?"<>|%;')
#: what a formula or the type of a model that has one looks like in JSON.
_FORMULAS = (b"$$", b"\\\\[", b"\\\\(", b'"TeX', b'"MathML', b'"Ascii')
#: keeps a file to itself that came from somebody else: it sends nothing and loads nothing.
_KEPT_IN = (
    "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval' blob:; "
    "style-src 'unsafe-inline'; img-src data: blob:; font-src data:; worker-src blob:; "
    "form-action 'none'; base-uri 'none'"
)
_POLICY = "sandbox; default-src 'none'; frame-ancestors 'none'"
_HEAD = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
{policy}<title>{title}</title>
<style>
html, body {{ margin: 0; min-height: 100%; background: #fff; }}
body {{ padding: 16px; box-sizing: border-box; font-family: system-ui, sans-serif; }}
#plots {{ display: flex; flex-direction: column; gap: 16px; }}
#frame {{ position: fixed; inset: 0; width: 100%; height: 100%; border: 0; }}
</style>
</head>
<body>
{place}
"""
_DOCUMENT = """<script type="application/json" id="document">"""
_DRAW = """
(async () => {
  const text = document.getElementById("document").textContent
  const where = document.getElementById("plots")
  try {
    const doc = Bokeh.require("document").Document.from_json(JSON.parse(text))
    await Bokeh.require("embed/standalone").add_document_standalone(doc, where, [])
  } catch (error) {
    where.textContent = `This document could not be drawn: ${error.message}`
    throw error
  }
})()
"""
#: puts everything into the frame, which the policy of this page then keeps where it is.
_FILL = """
const script = (open, text) => "<script" + open + ">" + text + "</" + "script>"
const texts = (kind) => Array.from(document.querySelectorAll(kind), (each) => each.textContent)
document.getElementById("frame").srcdoc = [
  "<!doctype html><html lang=en><meta charset=utf-8><style>" + texts("style")[0] + "</style>",
  '<div id="plots"></div>',
  ...texts(".bokehjs").map((each) => script("", each)),
  script(' type="application/json" id="document"', texts("#document")[0]),
  script("", texts("#draw")[0]),
].join("")
"""
_END = """</script>
</body>
</html>
"""


@dataclass(frozen=True, slots=True)
class _Form:
    """What is around BokehJS and the document.

    :param policy: of the page, for its head.
    :param place: where it is drawn.
    :param bundle: what each bundle of BokehJS begins with.
    :param tail: what follows the document.
    """

    policy: str
    place: str
    bundle: bytes
    tail: bytes


#: of a server for one person: the page is theirs, as their scripts are.
_OPEN = _Form(
    "", '<div id="plots"></div>', b"<script>", f"</script>\n<script>{_DRAW}{_END}".encode()
)
#: From others: a policy in a page stops no navigation; so it runs in a frame of that page, where it
#: can open nothing, and which can go nowhere.
_KEPT = _Form(
    f'<meta http-equiv="Content-Security-Policy" content="{_KEPT_IN}">\n',
    '<iframe id="frame" title="The plots" sandbox="allow-scripts allow-downloads"></iframe>',
    b'<script type="text/plain" class="bokehjs">',
    (
        f'</script>\n<script type="text/plain" id="draw">{_DRAW}</script>\n<script>{_FILL}{_END}'
    ).encode(),
)


def add_routes(blueprint: Blueprint) -> None:
    """Add the routes of this module."""
    blueprint.add_url_rule("/bokeh/doc/<docid>/download", "download", _download, methods=["GET"])


def _download(docid: str) -> Response:
    identity = readable(docid, asked_revision())
    kind = choice_argument("format", ("html", "json"))
    document = asked(docid)
    note_open(docid)
    seq, content = _content(document, request.args.get("modelid") or None)
    title = shown_title(document.page_title(), identity.title)
    if kind == "html":
        size, parts = _page(title, content)
    else:
        size, parts = len(content), _slices(content)
    answer = Response(parts, content_type=_TYPES[kind])
    answer.content_length = size
    stem = title if asked_revision() is None else f"{title} revision {seq}"
    answer.headers["Content-Disposition"] = f"attachment; {file_name(stem, kind)}"
    answer.headers["Content-Security-Policy"] = _POLICY
    answer.headers["Cross-Origin-Resource-Policy"] = "same-origin"
    return answer


def _content(document: Still, key: str | None) -> tuple[int, bytes]:
    """Bokeh's JSON of a document, or of one model of it alone, with arrays in it.

    :raises UnknownModel: it has no such model.
    """
    if key is None:
        seq, content, _ = document.content(inline=True)
        return seq, content
    return document.content_of(target_of(document, key)["id"])


def _page(title: str, content: bytes) -> tuple[int, Iterator[bytes]]:
    """How long the page is, and its parts; JSON and scripts are in it once and never copied."""
    state = current_state()
    form = _KEPT if state.settings.multi_user else _OPEN
    head = _HEAD.format(title=html.escape(title), policy=form.policy, place=form.place)
    before = [head.encode()]
    for name in run_sized(len(content), _bundles, content):
        script = state.assets.bokehjs(state.assets.bokeh_version, f"{name}.min.js", frozenset())
        before += [form.bundle, script.data, b"</script>\n"]
    before.append(_DOCUMENT.encode())
    size = sum(map(len, before)) + len(content) + len(form.tail)
    size += 5 * run_sized(len(content), content.count, b"<")
    return size, _parts(before, content, form.tail)


def _bundles(content: bytes) -> list[str]:
    """The parts of BokehJS that a document needs; one too many does no harm."""
    found = list(BUNDLES)
    if b'"webgl"' in content:
        found.append("bokeh-gl")
    if any(sign in content for sign in _FORMULAS):
        found.append("bokeh-mathjax")
    return found


def _parts(before: Iterable[bytes], content: bytes, tail: bytes) -> Iterator[bytes]:
    yield from before
    for piece in _slices(content):
        # in JSON it stands in texts alone, and would end the element that holds it
        yield piece.replace(b"<", b"\\u003c")
    yield tail


def _slices(content: bytes) -> Iterator[bytes]:
    for start in range(0, len(content), _CHUNK):
        yield content[start : start + _CHUNK]


def file_name(title: str, suffix: str) -> str:
    """The name of a file as parameters of ``Content-Disposition``, after RFC 6266.

    Nothing in a title leads to another folder, hides what kind of file it is or ends the header.
    """
    name = "".join(each if _may_stand(each) else " " for each in title)
    stem = " ".join(name.split())[:_LONGEST_NAME].strip(" .") or "document"
    plain = unicodedata.normalize("NFKD", stem).encode("ascii", "ignore").decode()
    plain = "".join(each for each in plain if _may_stand(each)).strip(" .") or "document"
    name = quote(f"{stem}.{suffix}", safe="")
    return f"filename=\"{plain}.{suffix}\"; filename*=UTF-8''{name}"


def _may_stand(char: str) -> bool:
    return char not in _NOT_IN_NAMES and (char == " " or unicodedata.category(char)[0] not in "CZ")
