"""The documents that applications publish."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from bokeh_server.errors import BadRequest, Forbidden, TitleTaken
from bokeh_server.permissions import SINGLE_USER
from bokeh_server.storage.documents import TITLE_LENGTH

if TYPE_CHECKING:
    from bokeh_server.blueprint.state import State

__all__ = ["EnginePublisher"]


class EnginePublisher:
    """Stores them with the documents of this process."""

    def __init__(self, state: State) -> None:
        self._state = state

    def publish(self, user: str | None, title: str, doc: dict[str, Any]) -> str:
        """Store a document; see :class:`bokeh_server.apps.Publisher`."""
        owner, name = self._owner(user, title), _checked(title)
        docid = self._docid(owner, name)
        self._state.engine.open(docid).replace(doc, {}, actor=owner)
        return f"{self._state.settings.url_prefix}/bokeh/doc/{docid}/show"

    def _owner(self, user: str | None, title: str) -> str:
        if not self._state.settings.multi_user:
            return SINGLE_USER
        if user is None:
            why = "nobody is logged in whose document it could be"
            raise Forbidden(f"publish {title[:80]!r}", why, "Log in")
        return user

    def _docid(self, owner: str, title: str) -> str:
        engine = self._state.engine
        found = engine.find(owner, title)
        if found is None:
            with suppress(TitleTaken):  # another session was faster
                return engine.create(owner, title).docid
            found = engine.find(owner, title)
        if found is None:
            raise BadRequest(f"publish {title!r}", "it was deleted meanwhile", "Try again")
        return found.docid


def _checked(title: str) -> str:
    name = title.strip()
    if not name or len(name) > TITLE_LENGTH or not name.isprintable():
        why = f"a title has 1 to {TITLE_LENGTH} characters, and no line breaks"
        raise BadRequest("publish a document", why, "Choose another")
    return name
