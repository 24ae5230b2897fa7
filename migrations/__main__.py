"""Write a new revision from what the tables declare: ``python -m bokeh_server.migrations "Add …"``.

It is compared with a fresh database made by the revisions so far; read it before you keep it.
"""

from __future__ import annotations

import sys

from alembic import command

from bokeh_server.storage import Store
from bokeh_server.storage.schema import alembic_config, head_revision


def main(arguments: list[str]) -> int:
    """Write the revision file and say where it is."""
    if len(arguments) != 1:
        print('Usage: python -m bokeh_server.migrations "What the revision does"', file=sys.stderr)
        return 2
    number = f"{int(head_revision()) + 1:04}"
    store = Store.open("sqlite://")
    with store.database.write("compare the tables") as connection:
        config = alembic_config(connection)
        config.set_main_option("file_template", "%%(rev)s_%%(slug)s")
        command.revision(config, message=arguments[0], autogenerate=True, rev_id=number)
    store.close()
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
