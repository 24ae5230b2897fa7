"""Snapshots in parts, of which only what changed is written."""

from __future__ import annotations

from hashlib import sha256

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

#: the key of a part that is a whole document, as revision 0001 kept it.
WHOLE = sha256(b"whole").digest()
OPEN = 2**63 - 1

_snapshot = sa.table(
    "snapshot", sa.column("docid", sa.String), sa.column("seq", sa.BigInteger), sa.column("body")
)
_blob = sa.table("blob", sa.column("docid"), sa.column("digest"), sa.column("body"))
_part = sa.table(
    "part",
    sa.column("docid"),
    sa.column("key"),
    sa.column("since"),
    sa.column("until"),
    sa.column("digest"),
)


def upgrade() -> None:
    _create_blob()
    _create_part()
    _carry_over()
    with op.batch_alter_table("snapshot") as snapshot:
        snapshot.drop_column("body")


def _create_blob() -> None:
    op.create_table(
        "blob",
        sa.Column("docid", sa.String(64), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("docid", "digest", name="pk_blob"),
        sa.ForeignKeyConstraint(
            ["docid"], ["document.id"], name="fk_blob_docid_document", ondelete="CASCADE"
        ),
    )


def _create_part() -> None:
    op.create_table(
        "part",
        sa.Column("docid", sa.String(64), nullable=False),
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("since", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("docid", "key", "since", name="pk_part"),
        sa.ForeignKeyConstraint(
            ["docid"], ["document.id"], name="fk_part_docid_document", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["docid", "digest"], ["blob.docid", "blob.digest"], name="fk_part_docid_digest_blob"
        ),
    )
    op.create_index("ix_part_docid_until", "part", ["docid", "until"])
    op.create_index("ix_part_docid_digest", "part", ["docid", "digest"])


def _carry_over() -> None:
    connection = op.get_bind()
    # One at a time: together they may be larger than memory.
    keys = connection.execute(sa.select(_snapshot.c.docid, _snapshot.c.seq)).all()
    for docid, seq in keys:
        wanted = sa.and_(_snapshot.c.docid == docid, _snapshot.c.seq == seq)
        body = connection.execute(sa.select(_snapshot.c.body).where(wanted)).scalar_one()
        digest = sha256(body).digest()
        blob = {"docid": docid, "digest": digest, "body": body}
        part = {"docid": docid, "key": WHOLE, "since": seq, "until": OPEN, "digest": digest}
        connection.execute(sa.insert(_blob).values(blob))
        connection.execute(sa.insert(_part).values(part))


def downgrade() -> None:
    raise RuntimeError("Restore the backup that was made before the upgrade.")
