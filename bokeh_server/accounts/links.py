"""Share links and document keys: making, checking and revoking them."""

from __future__ import annotations

import hmac
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Literal

from bokeh_server.accounts.secrets import (
    KEY_PREFIX,
    LINK_PREFIX,
    digest_of,
    make_id,
    make_secret,
    token_id,
)
from bokeh_server.accounts.throttle import Throttle, place_of
from bokeh_server.blocking import run_blocking
from bokeh_server.errors import BadRequest, NotFound, ServerFault
from bokeh_server.permissions import Pass, Role
from bokeh_server.remembered import Remembered
from bokeh_server.storage import LinkRecord, NewEvent, NewLink, Store
from bokeh_server.storage.credentials import is_due
from bokeh_server.storage.types import utc_now

__all__ = ["Kind", "Links", "Wish", "pass_of"]

Kind = Literal["link", "key"]

_TITLE_LENGTH = 255
#: wrong secrets from one address in so many seconds; nobody who follows good ones is held up.
_TRIES, _SECONDS = 100, 300.0


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody wants a link or a key to be.

    :param revision: the only one that it shall show.
    :param lifetime: ``None``: it is good until it is revoked.
    """

    kind: Kind
    title: str = ""
    role: Role = Role.VIEWER
    revision: int | None = None
    lifetime: timedelta | None = None


class Links:
    """The links and keys of one server."""

    def __init__(self, store: Store) -> None:
        self._links = store.links
        self._guesses = Throttle(_TRIES, _SECONDS)
        self._known: Remembered[str, LinkRecord | Literal[False]] = Remembered(
            # What there is not is remembered too: a browser shows an old link at every request.
            lambda link_id: run_blocking(self._links.get, link_id) or False
        )

    def make(
        self, docid: str, creator: str, wish: Wish, event: NewEvent | None = None
    ) -> tuple[LinkRecord, str]:
        """Make a link or key.

        :param event: what is noted of it in the same transaction, here and below.
        :returns: it, and its secret, which is shown this once.
        :raises BadRequest: there can be none like this.
        :raises UnknownDocument: there is no such document.
        :raises UnknownRevision: it has no such revision yet.
        :raises NoLongerKept: the revision is not kept any more.
        """
        _check(wish)
        link_id = make_id()
        secret = f"{LINK_PREFIX}{make_secret()}" if wish.kind == "link" else _make_key(link_id)
        digest = digest_of(secret)
        assert digest is not None, "secrets are short"
        new = NewLink(
            link_id,
            digest,
            docid,
            wish.kind,
            wish.title,
            wish.role.value,
            creator,
            wish.revision,
            None if wish.lifetime is None else utc_now() + wish.lifetime,
        )
        record = run_blocking(self._links.add, new, _about(event, new))
        self._known.forget(link_id)
        return record, secret

    def by_link(self, link_id: str, secret: str) -> LinkRecord | None:
        """The link of an id, for who has its secret."""
        return self._checked("link", link_id, secret)

    def by_key(self, key: str) -> LinkRecord | None:
        """What a document key is good for."""
        if not key.startswith(KEY_PREFIX):
            return None
        return self._checked("key", token_id(key, KEY_PREFIX), key)

    def follow(self, link_id: str, secret: str, *, address: str) -> LinkRecord:
        """The link that somebody follows.

        :param address: where the request came from.
        :raises NotFound: there is none, or it has ended.
        :raises TooMany: too many wrong ones were tried from there.
        """
        record = self.by_link(link_id, secret)
        if record is None:
            self.note_guess(address)
            why = "it was revoked, has ended, or was not copied whole"
            raise NotFound("follow this link", why, "Ask whoever sent it for a new one")
        return record

    def note_guess(self, address: str) -> None:
        """Count a secret that was none.

        :raises TooMany: there were too many of them.
        """
        self._guesses.attempt(place_of(address), "follow a link")

    def _checked(self, kind: Kind, link_id: str, secret: str) -> LinkRecord | None:
        digest = digest_of(secret)
        record = self.get(link_id) if digest is not None else None
        if record is None or digest is None or record.kind != kind:
            return None
        if not hmac.compare_digest(record.digest, digest):
            return None
        if is_due(record.used):
            with suppress(ServerFault):  # while the database is away it is good still
                run_blocking(self._links.note, link_id)
                self._known.forget(link_id)
        return record

    def get(self, link_id: str) -> LinkRecord | None:
        """The link of an id, while it is good."""
        if not 0 < len(link_id) <= _LONGEST_ID or not link_id.isalnum():
            return None
        record = self._known.get(link_id)
        return record if record and record.is_good else None

    def of(self, docid: str) -> list[LinkRecord]:
        """All links and keys of a document, the newest first."""
        return run_blocking(self._links.of, docid)

    def revoke(
        self, link_id: str, docid: str | None = None, event: NewEvent | None = None
    ) -> LinkRecord:
        """Let a link or key be good no more.

        :param docid: only if it is one of this document.
        :raises NotFound: there is no such one.
        """
        record = run_blocking(self._links.revoke, link_id, docid, event)
        self._known.forget(link_id)
        return record


#: nothing longer is looked up.
_LONGEST_ID = 16


def _about(event: NewEvent | None, link: NewLink) -> NewEvent | None:
    if event is None:
        return None
    pinned = "" if link.revision is None else f" of revision {link.revision}"
    titled = f": {link.title}" if link.title else ""
    holder = "an editor" if link.role == Role.EDITOR.value else "a viewer"
    detail = f"{link.kind} {link.id} for {holder}{pinned}{titled}"
    return replace(event, detail=detail)


def pass_of(record: LinkRecord) -> Pass:
    """What a link lets its holder do."""
    return Pass(record.id, record.docid, Role(record.role), record.kind, record.revision)


def _make_key(link_id: str) -> str:
    return f"{KEY_PREFIX}{link_id}_{make_secret()}"


def _check(wish: Wish) -> None:
    attempted = f"make a {wish.kind}"
    if len(wish.title) > _TITLE_LENGTH or not wish.title.isprintable():
        raise BadRequest(attempted, f"its title is not text of up to {_TITLE_LENGTH} characters")
    if wish.revision is None:
        return
    if wish.role is not Role.VIEWER:
        why = "nobody can change a revision"
        raise BadRequest(attempted, why, "Make it for a viewer, or leave the revision out")
    if wish.kind == "key":
        raise BadRequest(attempted, "a key is for the document as it is", "Make a link")
