"""Passwords, logins, tokens, invitations, and rights given to others."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    _extend_user()
    _create_login()
    _create_token()
    _create_invitation()
    _create_grant()


def _extend_user() -> None:
    op.add_column("user", sa.Column("password", sa.String(255), nullable=True))
    op.add_column("user", sa.Column("disabled", MOMENT, nullable=True))
    op.add_column("user", sa.Column("rank", sa.String(16), nullable=True))


def _owner(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["user_id"], ["user.id"], name=f"fk_{table}_user_id_user", ondelete="CASCADE"
    )


def _create_login() -> None:
    op.create_table(
        "login",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("agent", sa.String(255), nullable=False),
        sa.Column("created", MOMENT, nullable=False),
        sa.Column("used", MOMENT, nullable=False),
        sa.Column("expires", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_login"),
        _owner("login"),
    )
    op.create_index("ix_login_user_id", "login", ["user_id"])


def _create_token() -> None:
    op.create_table(
        "token",
        sa.Column("id", sa.String(16), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("title", sa.String(255), nullable=False),
        sa.Column("scope", sa.String(16), nullable=False),
        sa.Column("created", MOMENT, nullable=False),
        sa.Column("used", MOMENT, nullable=True),
        sa.Column("expires", MOMENT, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_token"),
        sa.UniqueConstraint("digest", name="uq_token_digest"),
        _owner("token"),
    )
    op.create_index("ix_token_user_id", "token", ["user_id"])


def _create_invitation() -> None:
    op.create_table(
        "invitation",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("created", MOMENT, nullable=False),
        sa.Column("expires", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_invitation"),
    )


def _create_grant() -> None:
    op.create_table(
        "grant",
        sa.Column("docid", sa.String(64), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("created", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("docid", "user_id", name="pk_grant"),
        sa.ForeignKeyConstraint(
            ["docid"], ["document.id"], name="fk_grant_docid_document", ondelete="CASCADE"
        ),
        _owner("grant"),
    )
    op.create_index("ix_grant_user_id", "grant", ["user_id"])


def downgrade() -> None:
    raise RuntimeError("Restore the backup that was made before the upgrade.")
