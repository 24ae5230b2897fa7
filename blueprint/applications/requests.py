"""The requests that are for applications."""

from __future__ import annotations

from flask import request

from bokeh_server.apps import AppRequest, Asked
from bokeh_server.blueprint.people.auth import module_user
from bokeh_server.blueprint.people.callers import current_caller
from bokeh_server.blueprint.state import current_state

__all__ = ["app_request", "asked_session"]

#: what arguments of addresses begin with that are not for the application.
_OWN = "bokeh-"


def app_request() -> AppRequest:
    """This request, as applications see it."""
    filters = current_state().applications.options.filters
    user, identity = _user()
    return AppRequest(
        method=request.method,
        uri=request.full_path.rstrip("?"),
        path=request.path,
        query=request.query_string.decode("latin-1"),
        version=request.environ.get("SERVER_PROTOCOL", ""),
        remote_ip=request.remote_addr or "",
        protocol=request.scheme,
        host=request.host,
        arguments=_arguments(),
        headers=filters.headers(dict(request.headers), request.cookies),
        cookies=filters.cookies(request.cookies),
        user=user,
        identity=identity,
    )


def _user() -> tuple[str | None, str | None]:
    """The name of who sent it, and what tells them from others of that name."""
    if current_state().settings.multi_user:
        name = current_caller().actor.name
        return name, name
    user = module_user()
    return (user.name, user.identity) if user is not None else (None, None)


def _arguments() -> dict[str, list[bytes]]:
    return {
        name: [value.encode("utf-8", "surrogateescape") for value in values]
        for name, values in request.args.lists()
        if not name.startswith(_OWN)
    }


def asked_session() -> Asked:
    """What this request says of the session that it is for."""
    return Asked(
        session_id=_last("bokeh-session-id"),
        header=request.headers.get("Bokeh-Session-Id"),
        token=_last("bokeh-token"),
    )


def _last(name: str) -> str | None:
    values = request.args.getlist(name)
    return values[-1].strip() if values else None
