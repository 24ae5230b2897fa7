"""Logging a browser in by a script, and a script by a browser: pages, and JSON for scripts."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, jsonify, request

from bokeh_server.accounts import Known, shown_code
from bokeh_server.blueprint.bodies import read_object
from bokeh_server.blueprint.foreign import refuse_unsigned
from bokeh_server.blueprint.people.access import (
    current_actor,
    demand_people,
    demand_person,
    demand_user,
)
from bokeh_server.blueprint.people.callers import current_caller, has_login_page, set_login
from bokeh_server.blueprint.people.link_pages import SECRET_PAGE
from bokeh_server.blueprint.rendering import json_in_html, render
from bokeh_server.blueprint.state import current_state
from bokeh_server.blueprint.static_files import links
from bokeh_server.errors import CallerError, NotFound
from bokeh_server.permissions import Action
from bokeh_server.storage import NewEvent

__all__ = ["add_routes"]


def add_routes(blueprint: Blueprint) -> None:
    """Add the routes of this module."""
    add = blueprint.add_url_rule
    add("/bokeh/login/handover", "offer_login", _offer, methods=["POST"])
    add("/bokeh/login/browser", "offered_page", _offered_page, methods=["GET"])
    add("/bokeh/login/browser", "accept_login", _accept, methods=["POST"])
    add("/bokeh/login/device", "ask_login", _ask, methods=["POST"])
    add("/bokeh/login/token", "collect_login", _collect, methods=["POST"])
    add("/bokeh/login/script", "script_page", _script_page, methods=["GET"])
    add("/bokeh/login/script", "answer_script", _answer_script, methods=["POST"])


def _address() -> str:
    return request.remote_addr or ""


def _text(given: dict[str, Any], name: str) -> str:
    value = given.get(name)
    return value if isinstance(value, str) else ""


# --- a browser, by a script --------------------------------------------------------------------


def _offer() -> Response:
    """Only what may do everything may make a login, which may do everything."""
    name = demand_user("log a browser in", Action.OWN)
    _demand_logins()
    user = current_state().accounts.user(name)
    title = _text(read_object()[0], "title")
    return jsonify(code=current_state().handovers.offer(user, title, address=_address()))


def _offered_page() -> Response:
    """The same for everybody: the code is behind the ``#`` of its address."""
    _demand_logins()
    page = render("browser_login.html", config=json_in_html({"root": links().root}))
    return Response(page, mimetype="text/html", headers=SECRET_PAGE)


def _accept() -> Response:
    """Say as whom a browser would be logged in, and after somebody agreed to that do so."""
    _demand_logins()
    refuse_unsigned()
    given, handovers = read_object()[0], current_state().handovers
    code = _text(given, "code")
    if given.get("confirm") is not True:
        name = handovers.offered(code, address=_address())
        return jsonify(username=name, present=current_actor().name)
    user = handovers.accept(code, address=_address())
    _end(current_caller().known)
    answer = jsonify(username=user.name, url=f"{links().root}/bokeh/")
    agent = request.headers.get("User-Agent", "")
    event = NewEvent("login", via="a script", address=_address(), detail=agent)
    set_login(answer, current_state().accounts.log_in(user, agent, event))
    return answer


def _end(known: Known | None) -> None:
    if known is not None and known.by == "login":
        current_state().accounts.log_out(known.digest)


def _demand_logins() -> None:
    if not has_login_page():
        why = "this server has no logins of its own"
        raise NotFound("log a browser in", why, "Log in as its pages tell")


# --- a script, by a browser --------------------------------------------------------------------


def _ask() -> Response:
    demand_people("log a script in")
    title = _text(read_object()[0], "title")
    asked = current_state().handovers.ask(title, address=_address())
    return jsonify(secret=asked.secret, code=asked.code)


def _collect() -> tuple[Response, int]:
    demand_people("log a script in")
    event = NewEvent("login", via="a browser", address=_address())
    found = current_state().handovers.collect(_text(read_object()[0], "secret"), event)
    if found is None:
        return jsonify(status="waiting"), 202
    name, token = found
    return jsonify(username=name, token=token), 200


def _script_page() -> Response:
    demand_people("log a script in")
    name = demand_person("log a script in")
    code = request.args.get("code", "")
    if not code:
        return _page(name)
    try:
        record = current_state().handovers.asking(code, name=name)
    except CallerError as error:
        return _page(name, problem=error)
    return _page(name, title=record.title, code=shown_code(record.code or ""))


def _answer_script() -> Response:
    demand_people("log a script in")
    name = demand_person("log a script in")
    code, agreed = request.form.get("code", ""), request.form.get("answer") == "agree"
    handovers = current_state().handovers
    try:
        record = handovers.asking(code, name=name)
        if agreed:
            handovers.agree(code, name=name)
        else:
            handovers.refuse(code)
    except CallerError as error:
        return _page(name, problem=error)
    return _page(name, title=record.title, done="agreed" if agreed else "refused")


def _page(name: str, problem: CallerError | None = None, **values: str) -> Response:
    why = f"{problem.why[:1].upper()}{problem.why[1:]}. {problem.remedy}." if problem else ""
    page = render(
        "script_login.html",
        name=name,
        problem=why,
        **{"title": "", "code": "", "done": ""} | values,
    )
    status = problem.status if problem else 200
    answer = Response(page, status, mimetype="text/html", headers=SECRET_PAGE)
    answer.headers["Referrer-Policy"] = "same-origin"  # else browsers would send no origin, either
    return answer
