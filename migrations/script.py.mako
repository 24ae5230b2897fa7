"""${message}.

House rules, which the tests check where they can:

* The previous release must go on working on the new schema while servers are restarted one by one:
  add columns as nullable or with a server default; drop what is no longer used a release later.
* Every constraint is named by the naming convention; SQLite changes tables inside ``batch_alter_table``.
* A large table is filled in slices, not in one statement; PostgreSQL locks are held for seconds.
* Never import the tables from ``bokeh_server.storage``: they will have moved on.
* There is no way back but the backup: ``downgrade`` refuses.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
${imports if imports else ""}
revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = ${repr(branch_labels)}
depends_on = ${repr(depends_on)}


def upgrade() -> None:
    ${upgrades if upgrades else "pass"}


def downgrade() -> None:
    raise RuntimeError("Restore the backup that was made before the upgrade.")
