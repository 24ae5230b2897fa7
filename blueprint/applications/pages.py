"""Applications over HTTP: their pages, what other pages embed, and what is known of them."""

from __future__ import annotations

import re

from flask import Response, jsonify, request
from werkzeug.exceptions import MethodNotAllowed

from bokeh_server.apps import Embedding, PageFiles
from bokeh_server.blueprint.applications.developing import with_script
from bokeh_server.blueprint.applications.index import demand_application
from bokeh_server.blueprint.applications.requests import app_request, asked_session
from bokeh_server.blueprint.foreign import may_frame, own_names
from bokeh_server.blueprint.state import current_state
from bokeh_server.blueprint.static_files import links
from bokeh_server.errors import BadRequest
from bokeh_server.sockets.origin import check_origin

#: what may stand in a literal of JavaScript, and in HTML around it.
_WRITABLE = re.compile(r"[^\x00-\x1f\x7f\u2028\u2029\"'`\\\\<>]*")

__all__ = ["share", "show_autoload", "show_metadata", "show_page"]


def show_page(path: str) -> Response:
    """The page of an application: a session is made for it, if it asks for none."""
    _refuse_head()
    demand_application(path)
    host = current_state().applications
    html = host.page(path, app_request(), asked_session(), _files())
    answer = Response(with_script(html), mimetype="text/html")
    answer.headers["Content-Security-Policy"] = f"frame-ancestors {may_frame()}"
    return answer


def _files() -> PageFiles:
    known = links()
    return PageFiles(f"{known.root}/bokeh/", (known.own["app.js"],))


def _refuse_head() -> None:
    """Make no session for whoever does not want to see it."""
    if request.method == "HEAD":
        raise MethodNotAllowed(["GET"])


def show_metadata(path: str) -> Response:
    """What the application's author wants to be known of it."""
    demand_application(path)
    return jsonify(url=path, data=current_state().applications.metadata(path))


def show_autoload(path: str) -> Response:
    """A script that shows an application where it stands, in a page of any site."""
    if request.method == "OPTIONS":
        return Response(status=200)
    _refuse_head()
    demand_application(path)
    host, embedding = current_state().applications, _embedding()
    script = host.script(path, app_request(), asked_session(), _files(), embedding)
    answer = Response(script, content_type="application/javascript")
    answer.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    return answer


def _embedding() -> Embedding:
    element = request.args.get("bokeh-autoload-element")
    if not element:
        raise BadRequest("embed an application", "No bokeh-autoload-element query parameter")
    app_path, url = request.args.get("bokeh-app-path", "/"), request.args.get("bokeh-absolute-url")
    # Bokeh's template writes these into a script as they are.
    if not all(_WRITABLE.fullmatch(each or "") for each in (element, app_path, url)):
        why = "an element's id and an address have no quotes, backslashes, brackets and line breaks"
        raise BadRequest("embed an application", why)
    return Embedding(
        element,
        app_path=app_path,
        absolute_url=url,
        with_resources=request.args.get("resources", "default") != "none",
    )


def share(answer: Response) -> Response:
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
