"""Real servers on databases of every kind."""

from __future__ import annotations

from support.databases import database_url
from support.postgresql import postgresql_server

__all__ = ["database_url", "postgresql_server"]
