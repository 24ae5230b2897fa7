"""Lists of documents for people: one's own, those shared with one, and published ones.

They are searched, sorted and cut here, so that a list of thousands costs what is looked at.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from sqlalchemy import ColumnElement, case, func, or_, select

from bokeh_server.storage.database import Database
from bokeh_server.storage.documents import records
from bokeh_server.storage.records import DocumentRecord
from bokeh_server.storage.tables import Document, Grant, Thumbnail, User

__all__ = ["Card", "GalleryStore", "Listed", "Section", "Sort", "Wish"]

Section = Literal["mine", "shared", "published"]
Sort = Literal["changed", "title", "viewers", "created"]

#: a query may have only so many parameters.
AT_ONCE = 500
#: so many documents are sorted by their viewers; a screen shows fewer.
MOST_WATCHED = 200


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody wants to see.

    :param name: whose list it is.
    :param words: each has to be in the title or in the owner's name, in whatever case.
    :param skip: so many are left out, and then ``most`` are given.
    :param watched: viewers by docid, of documents that have some.
    """

    section: Section
    name: str
    words: tuple[str, ...] = ()
    sort: Sort = "changed"
    skip: int = 0
    most: int = 48
    watched: Mapping[str, int] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class Listed:
    """A piece of a list.

    :param total: how many there are in the whole list.
    """

    total: int
    records: list[DocumentRecord]


@dataclass(frozen=True, slots=True)
class Card:
    """What is shown of a document where it is one of many.

    :param roles: of everybody who has one, by name.
    :param thumbnail: the change after which its picture was drawn; without one there is none.
    """

    record: DocumentRecord
    roles: Mapping[str, str]
    thumbnail: int | None


class GalleryStore:
    """Lists of documents."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def page(self, wish: Wish) -> Listed:
        """The documents that somebody wants to see, and how many there are of them."""
        where = [_section(wish), *(self._has(word) for word in wish.words)]
        count = select(func.count()).select_from(Document)
        count = count.join(User, User.id == Document.owner_id).where(*where)
        query = records().where(*where).order_by(*self._order(wish), Document.id)
        with self._database.read("list documents") as connection:
            total = connection.execute(count).scalar_one()
            rows = connection.execute(query.offset(wish.skip).limit(wish.most))
            return Listed(total, [DocumentRecord(*row) for row in rows])

    def cards(self, docids: Sequence[str]) -> dict[str, Card]:
        """What is known of each of these documents that is there."""
        found: dict[str, Card] = {}
        with self._database.read("look at documents") as connection:
            for start in range(0, len(docids), AT_ONCE):
                some = docids[start : start + AT_ONCE]
                roles: dict[str, dict[str, str]] = {}
                for docid, name, role in connection.execute(_roles(some)):
                    roles.setdefault(docid, {})[name] = role
                pictures = select(Thumbnail.docid, Thumbnail.seq).where(Thumbnail.docid.in_(some))
                drawn = {row[0]: row[1] for row in connection.execute(pictures)}
                for row in connection.execute(records().where(Document.id.in_(some))):
                    record = DocumentRecord(*row)
                    docid = record.docid
                    found[docid] = Card(record, roles.get(docid, {}), drawn.get(docid))
        return found

    def _has(self, word: str) -> ColumnElement[bool]:
        texts = (Document.title, User.name)
        if self._database.is_sqlite:
            folded = word.casefold()
            return or_(*(func.instr(self._folded(text), folded) > 0 for text in texts))
        # Its `lower` knows the case of the letters that its locale has, and may have few.
        forms = {word.lower(), word.upper(), word.capitalize(), word}
        found = [func.strpos(text, form) > 0 for text in texts for form in forms]
        return or_(*found, *(func.strpos(func.lower(text), word.lower()) > 0 for text in texts))

    def _folded(self, text: Any) -> Any:
        return (func.casefold if self._database.is_sqlite else func.lower)(text)

    def _order(self, wish: Wish) -> list[Any]:
        newest = Document.changed.desc()
        if wish.sort == "title":
            return [self._folded(Document.title), Document.title]
        if wish.sort == "created":
            return [Document.created.desc()]
        if wish.sort == "viewers" and wish.watched:
            most = sorted(wish.watched.items(), key=lambda each: -each[1])[:MOST_WATCHED]
            return [case(dict(most), value=Document.id, else_=0).desc(), newest]
        return [newest]


def _section(wish: Wish) -> ColumnElement[bool]:
    granted = select(Grant.docid).join(User, User.id == Grant.user_id).where(User.name == wish.name)
    if wish.section == "mine":
        return User.name == wish.name
    if wish.section == "shared":
        return Document.id.in_(granted)
    return Document.published & (User.name != wish.name) & Document.id.not_in(granted)


def _roles(docids: Sequence[str]) -> Any:  # the type of a Select differs between SQLAlchemys
    columns = select(Grant.docid, User.name, Grant.role).join(User, User.id == Grant.user_id)
    return columns.where(Grant.docid.in_(docids))
