"""Our templates, rendered with what all of them use."""

from __future__ import annotations

from typing import Any

import orjson
from flask import Response, current_app
from markupsafe import Markup

from bokeh_server.blueprint.people.callers import shown_user
from bokeh_server.blueprint.static_files import links

__all__ = ["json_in_html", "own_page", "render"]

#: of pages without a plot, all of whose scripts are ours.
_OWN_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for "
    "'script'"
)


def render(template: str, **values: Any) -> str:
    """Render one of our templates, with what all of them use."""
    found = current_app.jinja_env.get_or_select_template(f"bokeh_server/{template}")
    found_links = links()
    return found.render(own=found_links.own, root=found_links.root, user=shown_user(), **values)


def own_page(template: str, **values: Any) -> Response:
    """A page without a plot, whose address gives data to programs."""
    answer = Response(render(template, **values), mimetype="text/html")
    answer.headers["Content-Security-Policy"] = _OWN_POLICY
    answer.headers["Vary"] = "Accept, Cookie"
    return answer


def json_in_html(value: object) -> Markup:
    """JSON that can stand in a script element: nothing in it can end the element."""
    text = orjson.dumps(value).decode()
    for char in "<>&\u2028\u2029":
        text = text.replace(char, f"\\u{ord(char):04x}")
    return Markup(text)  # noqa: S704
