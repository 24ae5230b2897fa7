"""The routes of one application; each has a blueprint of its own, added when it is."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

from flask import Blueprint

from bokeh_server.blueprint.sock import Sock
from bokeh_server.blueprint.state import current_state

#: adds what is around every request of ours.
Surround = Callable[[Blueprint], None]

__all__ = ["make_app_blueprint", "make_assets_blueprint"]


def make_assets_blueprint(name: str, roots: Iterable[str], surround: Surround) -> Blueprint:
    """The blueprint of what the pages of all applications load.

    :param roots: the folders under which BokehJS is found.
    """
    from bokeh_server.blueprint import app_static

    blueprint = Blueprint(name, __name__)
    for root in roots:
        app_static.add_routes(blueprint, root)
    surround(blueprint)
    return blueprint


def make_app_blueprint(name: str, path: str, surround: Surround) -> Blueprint:
    """The blueprint of an application.

    :param path: its address.
    :param surround: adds what is around every request of ours.
    """
    from bokeh_server.blueprint import app_pages, app_sockets, app_static

    blueprint = Blueprint(name, __name__)
    root = "" if path == "/" else path
    add = blueprint.add_url_rule
    if root:  # what stands at / is decided there
        # Templates of applications have relative addresses, so that none leads to the other.
        for end, endpoint in (("", "page"), ("/", "page_slash")):
            add(f"{root}{end}", endpoint, partial(app_pages.show_page, path), methods=["GET"])
    add(f"{root}/metadata", "metadata", partial(app_pages.show_metadata, path), methods=["GET"])
    autoload = partial(app_pages.show_autoload, path)
    add(
        f"{root}/autoload.js",
        "autoload",
        autoload,
        methods=["GET", "OPTIONS"],
        provide_automatic_options=False,
    )
    send = partial(app_static.send_of_application, path)
    add(f"{root}/static/<path:file>", "static_file", send, methods=["GET"])
    sock = Sock(lambda: current_state().sockets)
    sock.route(f"{root}/ws", bp=blueprint, endpoint="socket")(
        lambda upgrade: app_sockets.open_socket(upgrade, path)
    )
    surround(blueprint)
    return blueprint
