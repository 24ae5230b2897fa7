"""Links, thumbnails, embedding sites, limits of users, logins handed over, and what was done."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)

#: what is stored of each document: bodies, and about 100 bytes for a row.
MEASURE = """
UPDATE document SET bytes =
    (SELECT coalesce(sum(length(body) + 100), 0) FROM change WHERE docid = document.id)
    + (SELECT coalesce(sum(length(body)), 0) FROM blob WHERE docid = document.id)
    + (SELECT 100 * count(*) FROM part WHERE docid = document.id)
"""


def upgrade() -> None:
    op.add_column("user", sa.Column("most_documents", sa.Integer(), nullable=True))
    op.add_column("user", sa.Column("most_bytes", sa.BigInteger(), nullable=True))
    op.add_column("document", sa.Column("sites", sa.String(2048), nullable=True))
    op.add_column("document", sa.Column("bytes", sa.BigInteger(), nullable=True))
    op.execute(sa.text(MEASURE))
    _create_handover()
    _create_event()
    _create_link()
    _create_thumbnail()


def _create_handover() -> None:
    op.create_table(
        "handover",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("code", sa.String(16), nullable=True),
        sa.Column("user_id", sa.Integer(), nullable=True),
        sa.Column("title", sa.String(255), nullable=False),
        sa.Column("created", MOMENT, nullable=False),
        sa.Column("expires", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_handover"),
        sa.UniqueConstraint("code", name="uq_handover_code"),
        sa.ForeignKeyConstraint(
            ["user_id"], ["user.id"], name="fk_handover_user_id_user", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_handover_user_id", "handover", ["user_id"])


def _create_event() -> None:
    op.create_table(
        "event",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("actor", sa.String(255), nullable=False),
        sa.Column("via", sa.String(64), nullable=False),
        sa.Column("address", sa.String(64), nullable=False),
        sa.Column("action", sa.String(32), nullable=False),
        sa.Column("docid", sa.String(64), nullable=True),
        sa.Column("owner", sa.String(255), nullable=True),
        sa.Column("title", sa.String(255), nullable=True),
        sa.Column("detail", sa.String(1024), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_event"),
    )
    for column in ("at", "actor", "docid", "owner"):
        op.create_index(f"ix_event_{column}", "event", [column])


def _of_document(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["docid"], ["document.id"], name=f"fk_{table}_docid_document", ondelete="CASCADE"
    )


def _create_link() -> None:
    op.create_table(
        "link",
        sa.Column("id", sa.String(16), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("docid", sa.String(64), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("title", sa.String(255), nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=True),
        sa.Column("creator", sa.String(255), nullable=False),
        sa.Column("created", MOMENT, nullable=False),
        sa.Column("used", MOMENT, nullable=True),
        sa.Column("expires", MOMENT, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_link"),
        sa.UniqueConstraint("digest", name="uq_link_digest"),
        _of_document("link"),
    )
    op.create_index("ix_link_docid", "link", ["docid"])


def _create_thumbnail() -> None:
    op.create_table(
        "thumbnail",
        sa.Column("docid", sa.String(64), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("mimetype", sa.String(32), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("made", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("docid", name="pk_thumbnail"),
        _of_document("thumbnail"),
    )


def downgrade() -> None:
    raise RuntimeError("Restore the backup that was made before the upgrade.")
