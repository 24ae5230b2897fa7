"""Which session belongs to the current document; kept with Bokeh's own current state."""

from __future__ import annotations

import weakref
from dataclasses import dataclass, field

from bokeh.document import Document
from bokeh.io import curdoc
from bokeh.io.state import curstate

from bokeh_server.client.session import Session

__all__ = ["Published", "published"]

_ATTRIBUTE = "bokeh_server"


@dataclass
class Published:
    """What :func:`~bokeh_server.io.output_server` has set up.

    :ivar session: the session of the last call.
    :ivar sessions: the session of every document that still exists.
    """

    session: Session | None = None
    sessions: weakref.WeakKeyDictionary[Document, Session] = field(
        default_factory=weakref.WeakKeyDictionary
    )

    def use(self, document: Document, session: Session) -> None:
        """Let a document belong to a session, and make that one the current."""
        self.session = session
        self.sessions[document] = session

    def of(self, document: Document | None) -> Session | None:
        """The session of a document, or the current one."""
        if document is None:
            document = curdoc()
        return self.sessions.get(document, self.session)


def published() -> Published:
    """The one of this process, which lives as long as Bokeh's current state."""
    state = vars(curstate())
    value: Published = state.setdefault(_ATTRIBUTE, Published())
    return value
