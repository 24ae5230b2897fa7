"""The schema's history, run by Alembic without an ``alembic.ini``."""

from __future__ import annotations
