"""The pages of a document and of one plot."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from flask import Blueprint, Response, jsonify, redirect, request

from bokeh_server.blueprint.documents.bars import bar_config, bar_of
from bokeh_server.blueprint.documents.frames import (
    frame_ancestors,
    frame_headers,
    frame_url,
    is_embedded,
    is_framed,
    shell_headers,
    shell_url,
)
from bokeh_server.blueprint.documents.revisions import asked, asked_revision, is_revision
from bokeh_server.blueprint.foreign import own_names
from bokeh_server.blueprint.people.access import may_read_all, pinned_revision, readable
from bokeh_server.blueprint.people.events import note_open
from bokeh_server.blueprint.people.tickets import (
    asked_kind,
    asks_for,
    is_public,
    make_ticket,
    writes,
)
from bokeh_server.blueprint.rendering import json_in_html, render
from bokeh_server.blueprint.state import current_state
from bokeh_server.blueprint.static_files import links
from bokeh_server.blueprint.usercontent import asked_shell, content_host, is_usercontent
from bokeh_server.errors import Forbidden, NotFound, UnknownModel
from bokeh_server.sockets.origin import check_name

if TYPE_CHECKING:
    from werkzeug.wrappers import Response as AnyResponse

    from bokeh_server.documents import Identity, Revision, Still

__all__ = [
    "add_routes",
    "page_config",
    "shown_title",
    "target_of",
]

#: what the script of a page imports, and what that imports: browsers fetch all of it at once.
_DRAWING = (
    "bundles.js",
    "common.js",
    "crossing.js",
    "drawing.js",
    "line.js",
    "outbox.js",
    "pointers.js",
    "ranges.js",
    "revision.js",
    "session.js",
    "stage.js",
    "stateful.js",
    "thumbnail.js",
)
_BAR = (
    "bar.js",
    "history.js",
    "links.js",
    "manage.js",
    "menus.js",
    "requests.js",
    "share.js",
    "viewers.js",
)
_MODULES = {
    "page.js": (*_BAR, *_DRAWING),
    "shell.js": (*_BAR, "common.js", "messages.js", "thumbnail.js"),
    "frame.js": ("messages.js", *_DRAWING),
}
#: a document may carry JavaScript of its author, so scripts are not restricted here.
_PLOT_POLICY = "object-src 'none'; base-uri 'none'; frame-ancestors "

#: how Bokeh calls a document that nobody gave a title.
_NO_TITLE = "Bokeh Application"


def add_routes(blueprint: Blueprint) -> None:
    """Add the routes of this module."""
    add = blueprint.add_url_rule
    add("/bokeh/doc/<docid>/show", "show_document", _show_document)
    add("/bokeh/doc/<docid>/ticket", "ticket", _ticket)
    add("/bokeh/doc/<docid>/frame", "frame", _frame)
    add("/bokeh/doc/<docid>/<modelid>", "show_model", _show_model)


def target_of(document: Still, key: str | None) -> dict[str, Any]:
    """What a page shows: the whole document, or one model and where it stands.

    :param key: a model's id or name; the successor of a model that was replaced is found too.
        For a part of a plot, its plot is shown. In a revision that had another model
        in the place of this one, it is that.
    :raises UnknownModel: there is no such model and it has no successor.
    """
    if key is None:
        return {"kind": "document"}
    is_drawable = current_state().schema.is_drawable
    found = _once(document, key) if is_revision(document) else document.resolve(key)
    model_id = document.drawn_as(found, is_drawable)
    place = document.place(model_id)
    return {
        "kind": "model",
        "id": model_id,
        "name": place.name,
        "plot": -1 if place.plot is None else place.plot,
        "root": -1 if place.root is None else place.root,
    }


def _once(revision: Revision, key: str) -> str:
    """What stood once where a model stands now, if the model itself was not there."""
    try:
        return revision.resolve(key)
    except UnknownModel:
        identity = current_state().engine.identity(revision.docid)
        if identity is None or not may_read_all(identity):
            raise
    today = current_state().engine.open(revision.docid)
    found = revision.standing_at(today.place(today.resolve(key)))
    if found is None:
        raise UnknownModel(
            f"find {key[:80]!r} in revision {revision.seq}",
            "it was not there yet",
            "Look at the whole document",
        )
    return found


def _show_document(docid: str) -> AnyResponse:
    return _show(docid, None)


def _show_model(docid: str, modelid: str) -> AnyResponse:
    return _show(docid, modelid)


def _show(docid: str, key: str | None) -> AnyResponse:
    pinned = pinned_revision(docid)
    if pinned is not None:
        return redirect(f"?{urlencode([*request.args.items(multi=True), ('revision', pinned)])}")
    identity = readable(docid, asked_revision())
    document = asked(docid)
    note_open(docid)
    if current_state().settings.multi_user:
        holder = _Holder("shell.js", frame=frame_url(docid, key), embedded=is_embedded())
        page = _document_page(identity, document, key, holder)
        return _answer(page, shell_headers(docid, identity.sites))
    page = _document_page(identity, document, key, _Holder("page.js", bundles=links().bundles))
    return _page(page, _PLOT_POLICY + frame_ancestors(identity.sites))


@dataclass(frozen=True, slots=True)
class _Holder:
    """What is to hold the plot: the page itself, or a frame in it."""

    script: str
    frame: str | None = None
    embedded: bool = False
    bundles: tuple[str, ...] = ()


def _document_page(identity: Identity, document: Still, key: str | None, holder: _Holder) -> str:
    target, alone = target_of(document, key), not may_read_all(identity)
    return render(
        "plot.html",
        title=shown_title(document.page_title(), identity.title),
        docid=identity.docid,
        kind=_kind(key),
        whole=_query(asked_revision()).rstrip("?"),
        public=is_public(),
        alone=alone,
        writes=writes(identity),
        revision=_banner(document, alone) if is_revision(document) else None,
        holder=holder,
        modules=_MODULES[holder.script],
        bar=bar_of(identity),
        download=_download_url(identity.docid, target.get("id")),
        config=json_in_html(
            {**page_config(identity, target), **bar_config(identity, target.get("id"))}
        ),
    )


def _download_url(docid: str, model: str | None) -> str:
    """Where what is shown can be downloaded, but for the format."""
    revision = asked_revision()
    arguments = {
        **({} if model is None else {"modelid": model}),
        **({} if revision is None else {"revision": revision}),
    }
    query = "".join(f"{urlencode({name: value})}&" for name, value in arguments.items())
    return f"{links().root}/bokeh/doc/{quote(docid, safe='')}/download?{query}"


def _kind(key: str | None) -> str:
    return "document" if key is None else "plot"


def _frame(docid: str) -> AnyResponse:
    """What is the same for everybody: the page around it says what to show, and has the ticket."""
    if not current_state().settings.multi_user:
        return _show(docid, "frame")
    if not is_framed():
        return redirect(shell_url(docid))
    if content_host() is not None and not is_usercontent():
        raise NotFound(
            "show the inside of a document's page", "it is at another host", "Open the page"
        )
    page = render(
        "frame.html",
        kind=_kind(request.args.get("modelid") or None),
        embedded=is_embedded(),
        bundles=links().bundles,
        modules=_MODULES["frame.js"],
        config=json_in_html({**_server_config(docid), **_shell(), "embedded": is_embedded()}),
    )
    return _answer(page, frame_headers(docid))


def _shell() -> dict[str, str]:
    """The origin of the page around a frame, where it is not the frame's own address's."""
    return {"shell": asked_shell()} if is_usercontent() else {}


def _banner(revision: Revision, alone: bool) -> dict[str, Any]:
    """What the page of a revision says about it, and where its neighbours are.

    :param alone: whoever looks may see no other.
    """
    about = {
        "seq": revision.seq,
        "actor": revision.actor,
        "at": revision.at.isoformat(timespec="seconds") if revision.at else None,
    }
    if alone:
        return about
    span = current_state().engine.span(revision.docid)
    earlier, later = revision.seq - 1, revision.seq + 1
    return {
        **about,
        "head": span.head,
        "previous": _query(earlier) if earlier >= span.oldest else None,
        "next": _query(later) if later <= span.head else None,
        "live": _query(None),
    }


def _query(seq: int | None) -> str:
    """The address of the same page at another revision, or live."""
    kept = ("public", "strict") if current_state().settings.multi_user else ("public",)
    arguments = {name: "true" for name in kept if asks_for(name)}
    return "?" + urlencode(arguments if seq is None else {**arguments, "revision": seq})


def shown_title(own: str, stored: str) -> str:
    """The title that its author gave the document, else the one it is stored under."""
    return stored if own.strip() in ("", _NO_TITLE) else own


def page_config(identity: Identity, target: dict[str, Any]) -> dict[str, Any]:
    """What the page's script needs to know; ``title`` is the one it is stored under."""
    shared = current_state().settings.multi_user
    return {
        **_server_config(identity.docid),
        "title": identity.title,
        "ticket": make_ticket(identity, "frame" if shared else "page"),
        "writes": writes(identity),
        "draws": _draws(identity),
        "public": is_public(),
        "revision": asked_revision(),
        "target": target,
        **({"embedded": is_embedded()} if shared else {}),
    }


def _draws(identity: Identity) -> bool:
    """Whether the page draws the picture of the document that the gallery shows."""
    plain = asked_revision() is None and not asks_for("strict") and not asks_for("embedded")
    return plain and writes(identity)


def _server_config(docid: str) -> dict[str, Any]:
    version = current_state().assets.bokeh_version
    bokehjs = {"version": version, "base": links().bokehjs}
    return {"root": links().root, "docid": docid, "bokehjs": bokehjs}


def _ticket(docid: str) -> Response:
    """A fresh ticket, for a page that has been open for long."""
    identity = readable(docid, asked_revision())
    check_own_name()
    return jsonify(ticket=make_ticket(identity, asked_kind()))


def check_own_name() -> None:
    """Tell a page why its socket is refused, which browsers do not.

    :raises Forbidden: this server is reached by a name that may not open WebSockets.
    """
    names = own_names()
    decision = check_name(request.headers.get("Host", ""), names.allowed, names=names.own)
    if not decision:
        raise Forbidden("open a live connection", decision.reason)


def _page(html: str, policy: str) -> Response:
    return _answer(html, {"Content-Security-Policy": policy})


def _answer(html: str, headers: dict[str, str]) -> Response:
    return Response(html, mimetype="text/html", headers={"Vary": "Accept", **headers})
