"""The tables. Every column and constraint here has its twin in the migrations."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import (
    BigInteger,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from bokeh_server.storage.types import UTCDateTime

__all__ = [
    "OPEN",
    "Base",
    "Blob",
    "Change",
    "Document",
    "Event",
    "Grant",
    "Handover",
    "Invitation",
    "Link",
    "Login",
    "Part",
    "Snapshot",
    "Thumbnail",
    "Token",
    "User",
]

#: ``until`` of a part that the newest snapshot has.
OPEN = 2**63 - 1

#: without names a constraint cannot be dropped portably.
NAMING_CONVENTION = {
    "ix": "ix_%(column_0_N_label)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    """The base of all tables."""

    metadata = MetaData(naming_convention=NAMING_CONVENTION)
    type_annotation_map = {datetime: UTCDateTime(), bytes: LargeBinary()}


class User(Base):
    """Somebody who owns documents.

    Without a ``password``, and since they were ``disabled``, nobody can log in as them.
    ``rank`` is ``admin`` for who looks after the server.
    ``most_documents`` and ``most_bytes`` go before the limits of the settings.
    """

    __tablename__ = "user"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(255), unique=True)
    created: Mapped[datetime]
    password: Mapped[str | None] = mapped_column(String(255))
    disabled: Mapped[datetime | None]
    rank: Mapped[str | None] = mapped_column(String(16))
    most_documents: Mapped[int | None]
    most_bytes: Mapped[int | None] = mapped_column(BigInteger)


class Login(Base):
    """A browser that is logged in, by the SHA-256 of what its cookie holds."""

    __tablename__ = "login"

    digest: Mapped[bytes] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"), index=True)
    agent: Mapped[str] = mapped_column(String(255))
    created: Mapped[datetime]
    used: Mapped[datetime]
    expires: Mapped[datetime]


class Token(Base):
    """What a script is known by, by the SHA-256 of it; ``id`` is its public beginning."""

    __tablename__ = "token"

    id: Mapped[str] = mapped_column(String(16), primary_key=True)
    digest: Mapped[bytes] = mapped_column(unique=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"), index=True)
    title: Mapped[str] = mapped_column(String(255))
    scope: Mapped[str] = mapped_column(String(16))
    created: Mapped[datetime]
    used: Mapped[datetime | None]
    expires: Mapped[datetime | None]


class Invitation(Base):
    """Lets somebody register once, by the SHA-256 of the code they were given."""

    __tablename__ = "invitation"

    digest: Mapped[bytes] = mapped_column(primary_key=True)
    created: Mapped[datetime]
    expires: Mapped[datetime]


class Handover(Base):
    """One login in the making, between a script and a browser, by the SHA-256 of a secret.

    ``kind`` is ``browser`` where a script logs a browser in, ``script`` where it is the other way;
    then ``code`` is what both of them show, and ``user_id`` is there once somebody has agreed.
    """

    __tablename__ = "handover"

    digest: Mapped[bytes] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(16))
    code: Mapped[str | None] = mapped_column(String(16), unique=True)
    user_id: Mapped[int | None] = mapped_column(
        ForeignKey("user.id", ondelete="CASCADE"), index=True
    )
    title: Mapped[str] = mapped_column(String(255))
    created: Mapped[datetime]
    expires: Mapped[datetime]


class Event(Base):
    """What somebody did; it outlives the documents and people that it tells of.

    ``via`` is what they were known by. ``owner`` is who owned the document then, and may read it.
    """

    __tablename__ = "event"

    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True)
    at: Mapped[datetime] = mapped_column(index=True)
    actor: Mapped[str] = mapped_column(String(255), index=True)
    via: Mapped[str] = mapped_column(String(64))
    address: Mapped[str] = mapped_column(String(64))
    action: Mapped[str] = mapped_column(String(32))
    docid: Mapped[str | None] = mapped_column(String(64), index=True)
    owner: Mapped[str | None] = mapped_column(String(255), index=True)
    title: Mapped[str | None] = mapped_column(String(255))
    detail: Mapped[str | None] = mapped_column(String(1024))


class Document(Base):
    """A stored document; its content is in its snapshot and changes.

    ``seq`` is the number of its last change, ``snapshot_seq`` that of the newest snapshot.
    ``bytes`` counts what is stored of it, see storage/usage.py; without a number it is none.
    ``sites`` are the origins whose pages may embed it, with spaces between: none of them where it
    is empty, every page where it is null.
    """

    __tablename__ = "document"
    __table_args__ = (UniqueConstraint("owner_id", "title"),)

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    owner_id: Mapped[int] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"))
    title: Mapped[str] = mapped_column(String(255))
    seq: Mapped[int] = mapped_column(BigInteger)
    snapshot_seq: Mapped[int] = mapped_column(BigInteger)
    published: Mapped[bool]
    plots: Mapped[int]
    created: Mapped[datetime]
    changed: Mapped[datetime]
    sites: Mapped[str | None] = mapped_column(String(2048))
    bytes: Mapped[int | None] = mapped_column(BigInteger)


class Grant(Base):
    """The right that a document's owner gave to somebody."""

    __tablename__ = "grant"

    docid: Mapped[str] = mapped_column(
        String(64), ForeignKey("document.id", ondelete="CASCADE"), primary_key=True
    )
    user_id: Mapped[int] = mapped_column(
        ForeignKey("user.id", ondelete="CASCADE"), primary_key=True, index=True
    )
    role: Mapped[str] = mapped_column(String(16))
    created: Mapped[datetime]


class Link(Base):
    """Lets whoever has its secret use one document, by the SHA-256 of it.

    ``kind`` is ``link`` for people, who follow it, and ``key`` for scripts, which send it.
    With a ``revision`` it shows that one alone.
    """

    __tablename__ = "link"

    id: Mapped[str] = mapped_column(String(16), primary_key=True)
    digest: Mapped[bytes] = mapped_column(unique=True)
    docid: Mapped[str] = mapped_column(
        String(64), ForeignKey("document.id", ondelete="CASCADE"), index=True
    )
    kind: Mapped[str] = mapped_column(String(16))
    title: Mapped[str] = mapped_column(String(255))
    role: Mapped[str] = mapped_column(String(16))
    revision: Mapped[int | None] = mapped_column(BigInteger)
    creator: Mapped[str] = mapped_column(String(255))
    created: Mapped[datetime]
    used: Mapped[datetime | None]
    expires: Mapped[datetime | None]


class Thumbnail(Base):
    """A picture of a document as it was after change ``seq``, drawn in its author's browser."""

    __tablename__ = "thumbnail"

    docid: Mapped[str] = mapped_column(
        String(64), ForeignKey("document.id", ondelete="CASCADE"), primary_key=True
    )
    seq: Mapped[int] = mapped_column(BigInteger)
    mimetype: Mapped[str] = mapped_column(String(32))
    body: Mapped[bytes]
    made: Mapped[datetime]


class Change(Base):
    """One entry of a document's log."""

    __tablename__ = "change"

    docid: Mapped[str] = mapped_column(
        String(64), ForeignKey("document.id", ondelete="CASCADE"), primary_key=True
    )
    seq: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    actor: Mapped[str] = mapped_column(String(255))
    at: Mapped[datetime]
    key: Mapped[str | None] = mapped_column(String(255))
    body: Mapped[bytes]


# Partial, so that the many changes without a key cost nothing.
Index(
    "uq_change_docid_key",
    Change.docid,
    Change.key,
    unique=True,
    sqlite_where=text("key IS NOT NULL"),
    postgresql_where=text("key IS NOT NULL"),
)


class Snapshot(Base):
    """A revision that is written out: the parts whose time spans it."""

    __tablename__ = "snapshot"

    docid: Mapped[str] = mapped_column(
        String(64), ForeignKey("document.id", ondelete="CASCADE"), primary_key=True
    )
    seq: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)


class Blob(Base):
    """Some bytes of a document, by the SHA-256 of them, so that they are kept once."""

    __tablename__ = "blob"

    docid: Mapped[str] = mapped_column(
        String(64), ForeignKey("document.id", ondelete="CASCADE"), primary_key=True
    )
    digest: Mapped[bytes] = mapped_column(primary_key=True)
    body: Mapped[bytes]


class Part(Base):
    """Which blob a part of a document was, from snapshot ``since`` until before ``until``.

    ``key`` is the SHA-256 of the part's name; that of a chunk of an array is one byte longer than
    its digest, so that no content can have the key of a part.
    """

    __tablename__ = "part"
    __table_args__ = (
        ForeignKeyConstraint(
            ["docid", "digest"], ["blob.docid", "blob.digest"], name="fk_part_docid_digest_blob"
        ),
        Index("ix_part_docid_until", "docid", "until"),
        Index("ix_part_docid_digest", "docid", "digest"),
    )

    docid: Mapped[str] = mapped_column(
        String(64), ForeignKey("document.id", ondelete="CASCADE"), primary_key=True
    )
    key: Mapped[bytes] = mapped_column(primary_key=True)
    since: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    until: Mapped[int] = mapped_column(BigInteger)
    digest: Mapped[bytes]
