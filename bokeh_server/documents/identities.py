"""What every request asks about a document before it does anything: whose it is, and its title."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bokeh_server.remembered import Remembered
from bokeh_server.sites import Sites, read_sites

if TYPE_CHECKING:
    from bokeh_server.storage import DocumentRecord

__all__ = ["Identities", "Identity"]


@dataclass(frozen=True, slots=True)
class Identity:
    """What permissions and pages need to know of a document, and what seldom changes.

    :param roles: of everybody who has one, by name: ``editor`` or ``viewer``.
    :param sites: the origins whose pages may embed it; ``None``: every one.
    """

    docid: str
    title: str
    owner: str
    published: bool
    roles: Mapping[str, str] = field(default_factory=dict, hash=False)
    sites: Sites = None


class Identities(Remembered[str, Identity]):
    """Remembers identities for a moment, so that not every request asks the database.

    :param read: asks the database for a document.
    :param roles: asks it who has a role in one; without it nobody has.
    """

    def __init__(
        self,
        read: Callable[[str], DocumentRecord | None],
        roles: Callable[[str], Mapping[str, str]] = lambda _docid: {},
    ) -> None:
        super().__init__(self._identity)
        self._record = read
        self._roles = roles

    def _identity(self, docid: str) -> Identity | None:
        record = self._record(docid)
        if record is None:
            return None
        roles, sites = self._roles(docid), read_sites(record.sites)
        return Identity(docid, record.title, record.owner, record.published, roles, sites)
