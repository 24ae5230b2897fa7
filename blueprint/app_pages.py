"""Applications over HTTP: their pages, what other pages embed, and what is known of them."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlparse

from bokeh.core.templates import AUTOLOAD_JS
from bokeh.core.types import ID
from bokeh.embed.bundle import Script, bundle_for_objs_and_resources
from bokeh.embed.elements import script_for_render_items
from bokeh.embed.server import server_html_page_for_session
from bokeh.embed.util import RenderItem
from bokeh.resources import Resources
from flask import Response, jsonify, request

from bokeh_server.blueprint.app_requests import Opened, application_at, open_session
from bokeh_server.blueprint.app_static import versioned
from bokeh_server.blueprint.foreign import own_names
from bokeh_server.blueprint.frames import frame_ancestors
from bokeh_server.blueprint.static_files import links
from bokeh_server.errors import BadRequest
from bokeh_server.sockets.origin import check_origin

__all__ = ["show_autoload", "show_metadata", "show_page"]


def show_page(path: str) -> Response:
    """The page of an application: a session is made for it, if it asks for none."""
    application = application_at(path)
    opened = open_session(application)
    html = opened.session.with_document_locked(_page, opened)
    answer = Response(html, mimetype="text/html")
    answer.headers["Content-Security-Policy"] = f"frame-ancestors {frame_ancestors()}"
    return answer


def _page(opened: Opened) -> str:
    document = opened.document
    html: str = server_html_page_for_session(
        opened,  # type: ignore[arg-type]
        resources=_resources(None),
        title=document.title,
        template=document.template,
        template_variables=document.template_variables,
    )
    return html


def _resources(server: str | None) -> Resources:
    """Where a page finds BokehJS and the extensions.

    :param server: scheme and host, for pages of other sites.
    """
    root = f"{server or ''}{links().root}/bokeh/"
    return Resources(mode="server", root_url=root, path_versioner=versioned)


def show_metadata(path: str) -> Response:
    """What the application's author wants to be known of it; makes no session."""
    data: Any = application_at(path).application.metadata
    return jsonify(url=path, data=(data() if callable(data) else data) or {})


def show_autoload(path: str) -> Response:
    """A script that shows an application where it stands, in a page of any site."""
    if request.method == "OPTIONS":
        return _shared(Response(status=200))
    element = request.args.get("bokeh-autoload-element")
    if not element:
        raise BadRequest("embed an application", "No bokeh-autoload-element query parameter")
    opened = open_session(application_at(path))
    answer = Response(_script(opened, element), content_type="application/javascript")
    answer.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    return _shared(answer)


def _script(opened: Opened, element: str) -> str:
    absolute = request.args.get("bokeh-absolute-url")
    wants_resources = request.args.get("resources", "default") != "none"
    resources = _resources(_server_of(absolute)) if wants_resources else None
    bundle = bundle_for_objs_and_resources(None, resources)
    item = RenderItem(token=opened.token, elementid=ID(element), use_for_title=False)
    app_path = request.args.get("bokeh-app-path", "/")
    bundle.add(
        Script(script_for_render_items({}, [item], app_path=app_path, absolute_url=absolute))
    )
    script: str = AUTOLOAD_JS.render(bundle=bundle, elementid=element)
    return script


def _server_of(url: str | None) -> str | None:
    if not url:
        return None
    parsed = urlparse(url)
    if parsed.scheme not in ("http", "https") or not parsed.netloc:
        raise BadRequest("embed an application", "bokeh-absolute-url is no address of a server")
    return f"{parsed.scheme}://{parsed.netloc}"


def _shared(answer: Response) -> Response:
    """Let pages of other sites read an answer; with cookies only those that may connect."""
    origin = request.headers.get("Origin")
    headers = answer.headers
    headers["Access-Control-Allow-Methods"] = "GET, OPTIONS"
    headers["Access-Control-Allow-Headers"] = "*, Bokeh-Session-Id"
    headers["Access-Control-Allow-Origin"] = "*"
    headers["Vary"] = "Origin, Cookie"
    names = own_names()
    if origin and check_origin(origin, request.host, names.allowed, names=names.own):
        headers["Access-Control-Allow-Origin"] = origin
        headers["Access-Control-Allow-Credentials"] = "true"
        asked = request.headers.get("Access-Control-Request-Headers")
        if asked and asked.isprintable():
            headers["Access-Control-Allow-Headers"] = asked
    return answer
