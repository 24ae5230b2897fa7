"""Notes who did what, to be read by owners and by who looks after the server.

What manages a document or an account is noted in the transaction that does it: pass
:func:`event_of` along. What is written into a document is noted by :func:`note` when that is
committed. What happens all the time (changes, looks) is noted once in a while.
"""

from __future__ import annotations

import logging
from dataclasses import replace

from flask import request

from bokeh_server.blocking import run_blocking
from bokeh_server.blueprint.people.callers import current_caller
from bokeh_server.blueprint.state import current_state
from bokeh_server.errors import BokehServerError
from bokeh_server.permissions import Actor
from bokeh_server.storage import LinkRecord, NewEvent

__all__ = [
    "event_of",
    "expect_changes",
    "keep",
    "note",
    "note_follow",
    "note_open",
    "note_refused",
]

_log = logging.getLogger(__name__)

#: looks of somebody at a document are one event in so many seconds.
LOOKS_SECONDS = 3600.0
#: tries to log in as somebody from one address.
REFUSED_SECONDS = 600.0


def event_of(
    action: str,
    docid: str | None = None,
    detail: str | None = None,
    owner: str | None = None,
) -> NewEvent | None:
    """What the sender of this request is about to do, for the transaction that does it.

    :param docid: the document's, for actions on one.
    :param owner: whose account it is about, where that is not the sender's.
    :param detail: what the action alone does not say, at most 1024 characters.
    :returns: ``None`` where nobody is told from anybody else, and where its sender did too much of
        late to have all of it noted.
    """
    if not _is_on() or not _may():
        return None
    made = _made(action, docid, detail)
    return made if owner is None else replace(made, owner=owner)


def note(action: str, docid: str | None = None, detail: str | None = None) -> None:
    """Keep an event of what is done already; where that fails the log has it, and nothing else."""
    keep(event_of(action, docid, detail))


def keep(event: NewEvent | None) -> None:
    """Keep an event that was made before, as of a title that is another one by now."""
    if event is None:
        return
    try:
        run_blocking(current_state().store.events.add, [event])
    except BokehServerError as error:
        _log.error("%s was not noted: %s", event, error)


def expect_changes(docid: str, actor: Actor | None = None) -> None:
    """Remember from where somebody changes a document, for when a change of theirs is stored."""
    if _is_on():
        name = (actor or current_caller().actor).signature(docid)
        current_state().noter.expect(name, docid, _via(), request.remote_addr or "")


def note_open(docid: str, actor: Actor | None = None) -> None:
    """Note that somebody looks at a document; those who are not known are one."""
    found = actor or current_caller().actor
    name, noter = found.signature(docid), current_state().noter
    if not _is_on() or not noter.is_due(("open", name, docid), LOOKS_SECONDS):
        return
    event = _made("open", docid, None, found)
    if name and name == event.owner:
        return
    # Those who are not known stay so.
    noter.soon(event if name else replace(event, address=""))


def note_follow(record: LinkRecord) -> None:
    """Note that somebody followed a link, once in a while."""
    found, bearer = current_caller().actor, f"{record.kind} {record.id}"
    name, noter = found.name or bearer, current_state().noter
    if not _is_on() or not noter.is_due(("follow", name, record.id), LOOKS_SECONDS):
        return
    if noter.allows(bearer):
        event = _made("follow", record.docid, f"{bearer} {record.title}".strip())
        noter.soon(replace(event, actor=name))


def note_refused(name: object) -> None:
    """Note that somebody tried to log in as ``name`` and was refused."""
    owner, address = str(name)[:255], request.remote_addr or ""
    noter = current_state().noter
    if noter.is_due(("refused", owner, address), REFUSED_SECONDS) and noter.allows(""):
        noter.soon(NewEvent("refused", address=address, owner=owner, detail=owner))


def _is_on() -> bool:
    return current_state().settings.multi_user


def _may() -> bool:
    name = current_caller().actor.name
    return current_state().noter.allows(name or request.remote_addr or "")


def _made(
    action: str, docid: str | None, detail: str | None, actor: Actor | None = None
) -> NewEvent:
    caller = current_caller()
    found = actor or caller.actor
    identity = current_state().engine.identity(docid) if docid is not None else None
    return NewEvent(
        action,
        actor=found.signature(docid),
        via=_via(),
        address=request.remote_addr or "",
        docid=docid,
        owner=identity.owner if identity else found.name,
        title=identity.title if identity else None,
        detail=detail,
    )


def _via() -> str:
    """What the sender of this request is known by."""
    caller, state = current_caller(), current_state()
    if caller.known is not None:
        token = state.accounts.token_of(caller.known)
        return f"token {token.id}" if token is not None else caller.known.by
    if caller.actor.single_user or caller.actor.name is None:
        return ""
    return "app" if state.find_user is not None else "proxy"
