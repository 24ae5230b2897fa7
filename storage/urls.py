"""Database URLs: what is accepted, and the engine made of one."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import URL, Engine, create_engine, make_url
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from bokeh_server.errors import ConfigurationError

__all__ = ["LOCK_SECONDS", "database_file", "in_memory", "make_engine", "parse_url", "shown"]

_FORMS = "Use sqlite:////path/to/file.sqlite or postgresql://user:password@host/name"

#: seconds a SQLite connection waits for another process's lock, and PostgreSQL for a connection.
LOCK_SECONDS = 10
CONNECT_SECONDS = 5


def parse_url(url: str) -> URL:
    """Read a database URL in any of its usual spellings.

    :raises ConfigurationError: not a URL, or of a database that is not supported.
    """
    try:
        parsed = make_url(url)
    except (SQLAlchemyError, ValueError):
        raise ConfigurationError(
            "read the database URL", "it is not of the form scheme://…", _FORMS
        ) from None
    scheme = parsed.drivername.partition("+")[0]
    if scheme in ("postgres", "postgresql"):
        return parsed.set(drivername="postgresql+psycopg")
    if scheme == "sqlite":
        return parsed.set(drivername="sqlite+pysqlite")
    raise ConfigurationError(
        f"use the database {shown(parsed)}", f"{scheme!r} is neither SQLite nor PostgreSQL", _FORMS
    )


def shown(url: URL) -> str:
    """The URL for messages, its password hidden and without the driver."""
    plain = url.set(drivername=url.drivername.partition("+")[0])
    return plain.render_as_string(hide_password=True)


def in_memory(url: URL) -> bool:
    """Whether the database lives in this process only."""
    return url.get_backend_name() == "sqlite" and url.database in (None, "", ":memory:")


def database_file(url: URL) -> Path | None:
    """The file of a SQLite database; ``None`` for any other."""
    if url.get_backend_name() != "sqlite" or in_memory(url):
        return None
    return Path(url.database or "").absolute()


def make_engine(url: URL) -> Engine:
    """An engine that pools nothing: :class:`bokeh_server.storage.pool.Pool` does.

    :raises ConfigurationError: the database's driver is not installed.
    """
    try:
        if url.get_backend_name() == "sqlite":
            arguments = {"check_same_thread": False, "timeout": LOCK_SECONDS}
            return create_engine(url, poolclass=NullPool, connect_args=arguments)
        # A server that vanished without a word is noticed after 20 seconds.
        limits = {"connect_timeout": CONNECT_SECONDS, "tcp_user_timeout": 20_000}
        return create_engine(url, poolclass=NullPool, connect_args=limits)
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"use the database {shown(url)}",
            f"its driver is not installed ({error.name})",
            "Run: pip install 'bokeh-server[postgresql]'",
        ) from error
