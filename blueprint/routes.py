"""The blueprint: every route, what surrounds each request, and how errors are answered."""

from __future__ import annotations

from flask import Blueprint, Flask, Response, current_app, request
from werkzeug.exceptions import (
    HTTPException,
    MethodNotAllowed,
    NotFound,
    default_exceptions,
)
from werkzeug.routing import MapAdapter, PathConverter, RequestRedirect
from werkzeug.wrappers import Response as AnyResponse

from bokeh_server.blueprint import failures, gallery, health, static_files
from bokeh_server.blueprint.documents import (
    api_changes,
    api_documents,
    api_models,
    download,
    embed,
    live_sockets,
    pages,
    thumbnails,
    userinfo,
)
from bokeh_server.blueprint.foreign import refuse_foreign
from bokeh_server.blueprint.people import (
    api_accounts,
    api_admin,
    api_events,
    api_links,
    api_sharing,
    form_pages,
    handover_pages,
    link_pages,
)
from bokeh_server.blueprint.people.auth import demand_login
from bokeh_server.blueprint.state import current_state
from bokeh_server.errors import BokehServerError

__all__ = ["NAME", "make_blueprint", "surround"]

#: the name of the blueprint, for ``url_for("bokeh_server.<endpoint>")``.
NAME = "bokeh_server"

#: bytes of a body that holds no content of a document: JSON takes fifty times its size in memory.
SMALL_BODY = 64 * 1024
_TAKE_CONTENT = frozenset(
    {
        "append_change",
        "keep_thumbnail",
        "replace_content",
        "set_attributes",
        "upsert_models",
    }
)
_METHODS = ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"]
#: what no other route takes; without these rules the app's own error pages, not JSON, would answer.
_NOTHING = {"/bokeh/": "nothing_there", f"/bokeh/<{NAME}_rest:rest>": "nothing_under"}
_MODULES = (
    health,
    userinfo,
    api_accounts,
    api_sharing,
    api_admin,
    api_events,
    api_links,
    form_pages,
    gallery,
    thumbnails,
    link_pages,
    handover_pages,
    api_documents,
    api_changes,
    api_models,
    download,
    embed,
    static_files,
    live_sockets,
    pages,
)


def make_blueprint(app: Flask) -> Blueprint:
    """Make the blueprint for one app."""
    app.url_map.converters[f"{NAME}_rest"] = _Rest
    blueprint = Blueprint(NAME, "bokeh_server.blueprint", template_folder="templates")
    for module in _MODULES:
        module.add_routes(blueprint)
    for path, endpoint in _NOTHING.items():
        blueprint.add_url_rule(path, endpoint, _nothing_here, methods=_METHODS)
    surround(app, blueprint)
    return blueprint


def surround(app: Flask, blueprint: Blueprint) -> None:
    """Add what is around every request of ours: limits, headers, and answers to errors."""
    blueprint.before_request(_limit_body)
    blueprint.before_request(refuse_foreign)
    blueprint.before_request(demand_login)
    blueprint.after_request(_add_headers)
    blueprint.register_error_handler(BokehServerError, failures.answer_error)
    # By code as well: an app's own handler of a code would go before one for all of them.
    errors: list[type[Exception]] = [HTTPException, *default_exceptions.values()]
    for error in errors:
        blueprint.register_error_handler(error, failures.answer_http_error)
    if not app.config.get("PROPAGATE_EXCEPTIONS"):
        blueprint.register_error_handler(Exception, failures.answer_unexpected)


class _Rest(PathConverter):
    """The rest of a path, line breaks and all."""

    regex = r"[\s\S]+?"
    part_isolating = False


def _limit_body() -> None:
    most = current_state().settings.max_body_size
    takes_content = (request.endpoint or "").rpartition(".")[2] in _TAKE_CONTENT
    request.max_content_length = most if takes_content else min(most, SMALL_BODY)


def _add_headers(response: Response) -> Response:
    response.headers.setdefault("Cache-Control", "private, no-store")
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    response.headers.setdefault("Referrer-Policy", "same-origin")
    response.headers.setdefault("Content-Security-Policy", "frame-ancestors 'none'")
    if current_state().settings.multi_user:
        if not response.cache_control.public:
            # a cache between that keeps it after all shall not give it to somebody else
            response.vary.update(("Cookie", "Authorization"))
        # a browser keeps an origin apart from its neighbours only when every page of it says so
        response.headers["Origin-Agent-Cluster"] = "?1"
    return response


def _nothing_here(rest: str = "") -> AnyResponse:
    """Answer an address under ``/bokeh/`` that no other route takes."""
    methods = _methods_of(request.path)
    if methods:
        raise MethodNotAllowed(methods)
    raise NotFound


def _methods_of(path: str) -> list[str]:
    """The methods that some route of ours takes at ``path``."""
    adapter = current_app.url_map.bind_to_environ(request.environ)
    return [method for method in _METHODS if _takes(adapter, path, method)]


def _takes(adapter: MapAdapter, path: str, method: str) -> bool:
    try:
        endpoint, _ = adapter.match(path, method=method)
    except (HTTPException, RequestRedirect):
        return False
    return endpoint.removeprefix(f"{NAME}.") not in _NOTHING.values()
