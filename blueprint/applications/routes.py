"""The routes of one application; each has a blueprint of its own, added when it is."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib import import_module
from typing import Any

from flask import Blueprint, Response, request

from bokeh_server.blueprint.sock import Sock
from bokeh_server.blueprint.state import current_state

#: adds what is around every request of ours.
Surround = Callable[[Blueprint], None]

__all__ = ["make_app_blueprint", "make_assets_blueprint"]


def make_assets_blueprint(name: str, roots: Iterable[str], surround: Surround) -> Blueprint:
    """The blueprint of what the pages of all applications load.

    :param roots: the folders under which BokehJS is found.
    """
    blueprint = Blueprint(name, __name__)
    add = blueprint.add_url_rule
    for root in roots:
        place = root.strip("/").replace("/", "_")
        for part in ("js", "css"):
            view = _view("static", "send_bokehjs", part)
            add(f"{root}/{part}/<path:file>", f"{place}_{part}", view)
        extension = _view("static", "send_extension")
        add(f"{root}/extensions/<name>/<path:file>", f"{place}_extension", extension)
    surround(blueprint)
    return blueprint


def _view(module: str, name: str, *first: str) -> Callable[..., Any]:
    """A view of another module, which is imported with the first request that needs it."""

    def view(*args: Any, **values: Any) -> Any:
        found = getattr(import_module(f"bokeh_server.blueprint.applications.{module}"), name)
        return found(*first, *args, **values)

    return view


def make_app_blueprint(name: str, path: str, surround: Surround) -> Blueprint:
    """The blueprint of an application.

    :param path: its address.
    :param surround: adds what is around every request of ours.
    """
    blueprint = Blueprint(name, __name__)
    root = "" if path == "/" else path
    add = blueprint.add_url_rule
    if root:  # what stands at / is decided there
        page = _view("pages", "show_page", path)
        # Templates of applications have relative addresses, so that none leads to the other.
        for end, endpoint in (("", "page"), ("/", "page_slash")):
            add(f"{root}{end}", endpoint, page, methods=["GET"])
    add(f"{root}/metadata", "metadata", _view("pages", "show_metadata", path), methods=["GET"])
    add(
        f"{root}/autoload.js",
        "autoload",
        _view("pages", "show_autoload", path),
        methods=["GET", "OPTIONS"],
        provide_automatic_options=False,
    )
    send = _view("static", "send_of_application", path)
    add(f"{root}/static/<path:file>", "static_file", send, methods=["GET"])
    sock = Sock(lambda: current_state().sockets)
    open_socket = _view("sockets", "open_socket", path)
    sock.route(f"{root}/ws", bp=blueprint, endpoint="socket")(open_socket)
    blueprint.after_request(_share)
    surround(blueprint)
    return blueprint


def _share(answer: Response) -> Response:
    """Let pages of other sites read what embeds an application, and why it cannot be."""
    if (request.endpoint or "").endswith(".autoload"):
        from bokeh_server.blueprint.applications.pages import share

        return share(answer)
    return answer
