"""The pages with forms: registering, logging in, one's account."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, urlsplit

from flask import Blueprint, Response, request

from bokeh_server.accounts import LEAST_PASSWORD
from bokeh_server.blueprint.people.access import current_actor, demand_user, is_admin
from bokeh_server.blueprint.people.callers import current_caller, has_login_page
from bokeh_server.blueprint.people.usage import usage_of
from bokeh_server.blueprint.people.wording import browser_name
from bokeh_server.blueprint.rendering import render
from bokeh_server.blueprint.state import current_state
from bokeh_server.blueprint.static_files import links
from bokeh_server.errors import BokehServerError, NotFound, TooMany
from bokeh_server.permissions import Action
from bokeh_server.readable import readable_size

__all__ = ["add_routes", "local_address", "say_on_page", "to_page"]

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_MOST_NEXT = 2000


def add_routes(blueprint: Blueprint) -> None:
    """Add the routes of this module."""
    add = blueprint.add_url_rule
    add("/bokeh/register", "register_page", lambda: _form_page("register"))
    add("/bokeh/login", "login_page", lambda: _form_page("login"))
    add("/bokeh/account", "account_page", _account_page)


def _form_page(name: str) -> Response:
    _demand_pages()
    if current_actor().name is not None:
        return to_page(request.args.get("next"))
    return _page(name)


def _account_page() -> Response:
    _demand_pages()
    demand_user("open your account", Action.OWN)
    return _page("account")


def _demand_pages() -> None:
    if not has_login_page():
        raise NotFound(
            "open this page", "this server has no accounts of its own", "Go to the documents"
        )


def say_on_page(name: str, error: BokehServerError, given: dict[str, Any]) -> Response:
    """The page of a form again, with why it was refused; what was typed stays, but passwords."""
    answer = _page(name, problem=_sentence(error), given=given)
    answer.status_code = error.status
    if isinstance(error, TooMany):
        answer.headers["Retry-After"] = str(error.seconds)
    return answer


def _sentence(error: BokehServerError) -> str:
    """What is wrong, said to somebody who sees what they attempted."""
    why = error.why[:1].upper() + error.why[1:]
    return f"{why}. {error.remedy.rstrip('.')}." if error.remedy else f"{why}."


def _page(name: str, problem: str = "", given: dict[str, Any] | None = None) -> Response:
    values = given or request.args.to_dict()
    page = render(
        f"{name}.html",
        problem=problem,
        username=str(values.get("username") or "")[:255],
        invitation=str(values.get("invitation") or "")[:200],
        next=local_address(values.get("next")) or "",
        registration=current_state().settings.registration,
        least=LEAST_PASSWORD,
        **(_account() if name == "account" else {}),
    )
    answer = Response(page, mimetype="text/html")
    answer.headers["Content-Security-Policy"] = _POLICY
    answer.headers["Vary"] = "Cookie"
    return answer


def _account() -> dict[str, Any]:
    accounts, caller = current_state().accounts, current_caller()
    name = caller.actor.name or ""
    return {
        "name": name,
        "browser_name": browser_name,
        "logins": accounts.logins(name),
        "present": caller.known.digest if caller.known else None,
        "tokens": accounts.tokens(name),
        "changed": request.args.get("changed") == "1",
        "usage": _usage(name),
        "looks_after": is_admin(),
    }


def _usage(name: str) -> dict[str, Any]:
    usage = usage_of(name)
    most = usage["most_bytes"]
    return {
        **usage,
        "size": readable_size(usage["bytes"]),
        "most_size": readable_size(most) if most else None,
    }


def local_address(given: object) -> str | None:
    """An address of this server's to go on to; ``None`` for any that might lead elsewhere.

    Browsers read ``//host``, ``/\\host`` and addresses with control characters in them as
    those of other sites.
    """
    text = given if isinstance(given, str) else ""
    if not text.startswith("/") or len(text) > _MOST_NEXT or "\\" in text:
        return None
    if text.startswith("//") or not text.isprintable() or any(map(str.isspace, text)):
        return None
    parts = urlsplit(text)
    return text if not parts.scheme and not parts.netloc else None


def to_page(given: object) -> Response:
    """Go on to an address of ours, else to the list of documents.

    :param given: an address; one that begins with ``/bokeh/`` is under our prefix.
    """
    root = links().root
    found = local_address(given)
    if found is not None and root and found.startswith("/bokeh/"):
        found = root + found
    answer = Response(status=303)
    answer.headers["Location"] = quote(found or f"{root}/bokeh/", safe="/?&=#%:@!$'()*+,;~-._")
    return answer
