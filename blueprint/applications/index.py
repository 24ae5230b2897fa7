"""What stands at ``/`` where there are applications, and who may use them."""

from __future__ import annotations

from urllib.parse import quote

from flask import Response, redirect, request
from jinja2 import Environment, FileSystemLoader, select_autoescape
from werkzeug.wrappers import Response as AnyResponse

from bokeh_server.blueprint.people.access import current_actor
from bokeh_server.blueprint.rendering import render
from bokeh_server.blueprint.state import current_state
from bokeh_server.blueprint.static_files import links
from bokeh_server.errors import Forbidden, NotAuthenticated

__all__ = ["applications_page", "demand_application", "is_for_everybody"]


def is_for_everybody(path: str) -> bool:
    """Whether an application, and what belongs to it, is shown to whoever asks."""
    state = current_state()
    public = state.settings.public_applications and state.audiences.get(path) is None
    return public or not state.settings.multi_user


def demand_application(path: str) -> None:
    """Make sure that who asks may use an application.

    :raises NotAuthenticated: they are to log in.
    :raises Forbidden: it is for others.
    """
    actor = current_actor()
    if is_for_everybody(path):
        return
    attempted, audience = f"use the application {path}", current_state().audiences.get(path)
    if actor.name is None:
        raise NotAuthenticated(attempted, "nobody is logged in", "Log in")
    if audience is not None and actor.name not in audience:
        raise Forbidden(attempted, "it is for others", "Ask whoever runs this server")


def applications_page(has_documents: bool) -> AnyResponse | None:
    """What is at ``/``; ``None``: the documents.

    :param has_documents: whether who asks has any.
    """
    state = current_state()
    paths = [path for path in state.added if _is_shown(path)]
    if not paths or state.settings.disable_index:
        return None
    one = len(paths) == 1 and not state.settings.disable_index_redirect
    if one and not has_documents:
        return redirect(_address(paths[0]) + _arguments())
    items = sorted(paths)
    if state.settings.index is not None:
        return Response(_own_index(items), mimetype="text/html")
    apps = [{"path": path, "url": _address(path), "title": _title(path)} for path in items]
    return Response(render("applications.html", applications=apps), mimetype="text/html")


def _is_shown(path: str) -> bool:
    try:
        demand_application(path)
    except Forbidden:
        return False
    return True


def _own_index(items: list[str]) -> str:
    path = current_state().settings.index
    assert path is not None, "it was asked for"
    environment = Environment(loader=FileSystemLoader(path.parent), autoescape=select_autoescape())
    return environment.get_template(path.name).render(prefix=links().root, items=items)


def _address(path: str) -> str:
    return links().root + quote(path)


def _arguments() -> str:
    query = request.query_string.decode("latin-1")
    return f"?{query}" if query else ""


def _title(path: str) -> str:
    return path.strip("/").replace("_", " ").replace("-", " ") or "Application"
