"""The cookies of links that somebody has followed: one for each, with its secret."""

from __future__ import annotations

from datetime import timedelta

from flask import Response, request

from bokeh_server.accounts import pass_of
from bokeh_server.blueprint.state import current_state
from bokeh_server.permissions import Pass
from bokeh_server.storage import LinkRecord
from bokeh_server.storage.types import utc_now

__all__ = ["clear_links", "followed", "set_link"]

_NAME = "bokeh-server-link-"
#: links that one browser has at once; browsers and servers do not take any number of cookies.
MOST = 16
#: after so long a link has to be followed again.
LIFETIME = timedelta(days=90)


def followed() -> tuple[Pass, ...]:
    """The passes of the links that the browser of this request has followed."""
    found = [_record(link_id, secret) for link_id, secret in _cookies().items()]
    return tuple(pass_of(record) for record in found if record is not None)


def set_link(answer: Response, record: LinkRecord, secret: str) -> None:
    """Have the browser hold a link from now on, in place of those that are no good any more.

    Browsers send cookies in the order in which they got them: of too many the oldest goes.
    """
    others = {key: value for key, value in _cookies().items() if key != record.id}
    good = [link_id for link_id, value in others.items() if _record(link_id, value)]
    for link_id in (others.keys() - set(good)) | set(good[: max(0, len(good) - MOST + 1)]):
        _clear(answer, link_id)
    lasts = LIFETIME if record.expires is None else min(LIFETIME, record.expires - utc_now())
    answer.set_cookie(
        _prefix() + record.id,
        secret,
        max_age=max(1, int(lasts.total_seconds())),
        path="/",
        secure=request.is_secure,
        httponly=True,
        samesite="Lax",
    )


def clear_links(answer: Response) -> None:
    """Have the browser hold no links any more."""
    for link_id in _cookies():
        _clear(answer, link_id)


def _clear(answer: Response, link_id: str) -> None:
    answer.delete_cookie(
        _prefix() + link_id, path="/", secure=request.is_secure, httponly=True, samesite="Lax"
    )


def _record(link_id: str, secret: str) -> LinkRecord | None:
    return current_state().links.by_link(link_id, secret)


def _prefix() -> str:
    """How their names begin: over HTTPS so that no other host can set them."""
    return f"__Host-{_NAME}" if request.is_secure else _NAME


def _cookies() -> dict[str, str]:
    """Secrets by the ids of their links; of two of one name it is not known which was planted."""
    prefix = _prefix()
    names = [name for name in request.cookies if name.startswith(prefix)][: 2 * MOST]
    values = {name.removeprefix(prefix): request.cookies.getlist(name) for name in names}
    return {link_id: found[0] for link_id, found in values.items() if len(found) == 1}
