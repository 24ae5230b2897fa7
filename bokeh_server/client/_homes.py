"""Where a local document is stored: its links of all sessions, noted at the document itself.

A script has several sessions after several calls of ``output_server``.
Whichever of them is asked, an object goes to the stored document of the document it is in.
"""

from __future__ import annotations

import weakref
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from bokeh.document import Document

from bokeh_server.client.link import Link
from bokeh_server.errors import Conflict

if TYPE_CHECKING:
    from bokeh_server.client.session import Session

__all__ = ["Home", "Occupants", "home_of", "note_home"]

_ATTRIBUTE = "_bokeh_server_homes"


class Home(NamedTuple):
    """One link of a local document, and the session it goes through."""

    session: Session
    link: Link


def note_home(document: Document, home: Home) -> None:
    """Note a link at its document, which keeps link and session as long as it exists."""
    _homes(document).append(home)


def home_of(document: Document, session: Session) -> Session:
    """The session that stores a document's objects, when ``session`` is asked to.

    The one of ``output_server``; else ``session``, if the document was stored through it
    or through none; else the last one it was stored through.
    """
    homes = _homes(document)
    for home in homes:
        if home.link.pinned:
            return home.session
    if not homes or any(home.session is session for home in homes):
        return session
    return homes[-1].session


def _homes(document: Document) -> list[Home]:
    homes: list[Home] = vars(document).setdefault(_ATTRIBUTE, [])
    return homes


@dataclass
class Occupants:
    """Which local document a session has stored last in each stored one."""

    _links: dict[str, tuple[weakref.ref[Document], bool]] = field(default_factory=dict)

    def note(self, link: Link) -> None:
        """Note that a local document is stored, or loaded, through a link."""
        self._links[link.docid] = (weakref.ref(link.document), link.pinned)

    def of(self, docid: str) -> Document | None:
        """The local document that was stored, or loaded, last."""
        occupant = self._links.get(docid)
        return occupant[0]() if occupant is not None else None

    def is_other(self, docid: str, document: Document) -> bool:
        """Whether it is another local document that is stored there."""
        occupant = self._links.get(docid)
        return occupant is not None and occupant[0]() is not document

    def check_free(self, docid: str, document: Document, title: str) -> None:
        """Let no document take the place of one of ``output_server`` unasked.

        :raises Conflict: another local document is stored there.
        """
        if self.is_other(docid, document) and self._links[docid][1]:
            raise Conflict(
                f"use the stored document {title!r} for a local document that is stored nowhere",
                "another local document of this script is stored there since output_server",
                "Add its objects to curdoc(), or choose another title with session.use_doc(name)",
            )
