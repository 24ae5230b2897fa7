"""Every test of storage runs on SQLite and on PostgreSQL."""

from __future__ import annotations

from support.databases import store

__all__ = ["store"]
