"""Users, documents, their changes and snapshots."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "user",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("created", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_user"),
        sa.UniqueConstraint("name", name="uq_user_name"),
    )
    op.create_table(
        "document",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("owner_id", sa.Integer(), nullable=False),
        sa.Column("title", sa.String(255), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("snapshot_seq", sa.BigInteger(), nullable=False),
        sa.Column("published", sa.Boolean(), nullable=False),
        sa.Column("plots", sa.Integer(), nullable=False),
        sa.Column("created", MOMENT, nullable=False),
        sa.Column("changed", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_document"),
        sa.ForeignKeyConstraint(
            ["owner_id"], ["user.id"], name="fk_document_owner_id_user", ondelete="CASCADE"
        ),
        sa.UniqueConstraint("owner_id", "title", name="uq_document_owner_id_title"),
    )
    op.create_table(
        "change",
        sa.Column("docid", sa.String(64), nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("actor", sa.String(255), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("key", sa.String(255), nullable=True),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("docid", "seq", name="pk_change"),
        sa.ForeignKeyConstraint(
            ["docid"], ["document.id"], name="fk_change_docid_document", ondelete="CASCADE"
        ),
    )
    op.create_index(
        "uq_change_docid_key",
        "change",
        ["docid", "key"],
        unique=True,
        sqlite_where=sa.text("key IS NOT NULL"),
        postgresql_where=sa.text("key IS NOT NULL"),
    )
    op.create_table(
        "snapshot",
        sa.Column("docid", sa.String(64), nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("docid", "seq", name="pk_snapshot"),
        sa.ForeignKeyConstraint(
            ["docid"], ["document.id"], name="fk_snapshot_docid_document", ondelete="CASCADE"
        ),
    )


def downgrade() -> None:
    raise RuntimeError("Restore the backup that was made before the upgrade.")
