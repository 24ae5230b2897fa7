"""The tables. Every column and constraint here has its twin in the migrations."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import (
    BigInteger,
    ForeignKey,
    Index,
    LargeBinary,
    MetaData,
    String,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from bokeh_server.storage.types import UTCDateTime

__all__ = ["Base", "Change", "Document", "Snapshot", "User"]

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
    """Somebody who owns documents."""

    __tablename__ = "user"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(255), unique=True)
    created: Mapped[datetime]


class Document(Base):
    """A stored document; its content is in its snapshot and changes.

    ``seq`` is the number of its last change, ``snapshot_seq`` that of the newest snapshot.
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
    """A revision written out whole."""

    __tablename__ = "snapshot"

    docid: Mapped[str] = mapped_column(
        String(64), ForeignKey("document.id", ondelete="CASCADE"), primary_key=True
    )
    seq: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    body: Mapped[bytes]
