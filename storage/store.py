"""One database, opened."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy.orm import configure_mappers

from bokeh_server.errors import BokehServerError, ConfigurationError, ServerFault
from bokeh_server.storage.changes import ChangeStore
from bokeh_server.storage.credentials import CredentialStore
from bokeh_server.storage.database import Database
from bokeh_server.storage.documents import DocumentStore
from bokeh_server.storage.events import EventStore
from bokeh_server.storage.gallery import GalleryStore
from bokeh_server.storage.grants import GrantStore
from bokeh_server.storage.handovers import HandoverStore
from bokeh_server.storage.links import LinkStore
from bokeh_server.storage.schema import require_head
from bokeh_server.storage.snapshots import SnapshotStore
from bokeh_server.storage.thumbnails import ThumbnailStore
from bokeh_server.storage.urls import database_file, in_memory, parse_url, shown
from bokeh_server.storage.usage import UsageStore
from bokeh_server.storage.users import UserStore

__all__ = ["Store", "open_database", "unusable"]


class Store:
    """The stores of one database. Make one with :meth:`open`."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.documents = DocumentStore(database)
        self.changes = ChangeStore(database)
        self.snapshots = SnapshotStore(database)
        self.users = UserStore(database)
        self.credentials = CredentialStore(database)
        self.grants = GrantStore(database)
        self.gallery = GalleryStore(database)
        self.thumbnails = ThumbnailStore(database)
        self.events = EventStore(database)
        self.usage = UsageStore(database)
        self.links = LinkStore(database)
        self.handovers = HandoverStore(database)

    @classmethod
    def open(cls, url: str, *, create: bool = True, tidy: bool = True) -> Store:
        """Open a database, and fill an empty one with this release's tables.

        :param url: ``sqlite:///relative/file``, ``sqlite:////absolute/file``, ``sqlite://``
            (in memory) or ``postgresql://user:password@host/name``.
        :param create: make a database that is not there yet.
        :param tidy: move SQLite's write-ahead log back into its file, as one process should.
        :raises ConfigurationError: the URL, its driver, file or server cannot be used.
        :raises SchemaMismatch: the database was made by an older or newer release.
        """
        database = open_database(url, create=create, tidy=tidy)
        configure_mappers()  # the first query would, under a lock of `threading`
        try:
            require_head(database, create=create)
        except ServerFault as error:
            database.close()
            raise unusable(database, error) from error
        except BokehServerError:
            database.close()
            raise
        # No connection may be carried into the children of a pre-forking server.
        if not in_memory(database.url):
            database.close()
        return cls(database)

    def ping(self) -> None:
        """Ask the database for a sign of life.

        :raises StorageUnavailable: there is none.
        """
        self.database.ping()

    def close(self) -> None:
        """Close the connections."""
        self.database.close()


def open_database(
    url: str, *, create: bool, tidy: bool = True, migrating: bool = False
) -> Database:
    """The database at a URL, its directory made when ``create``; nothing is read yet.

    :param migrating: as for :class:`bokeh_server.storage.database.Database`.
    :raises ConfigurationError: the URL, its driver or file cannot be used.
    """
    parsed = parse_url(url)
    path = database_file(parsed)
    if path is not None:
        _check_file(path, create=create)
    return Database(parsed, tidy=tidy, migrating=migrating)


def _check_file(path: Path, *, create: bool) -> None:
    if path.exists():
        return
    if not create:
        raise ConfigurationError(
            f"open the database {path}", "there is no such file", "Check the path"
        )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Private from the start: it will hold other people's documents.
        path.touch(mode=0o600)
    except OSError as error:
        raise ConfigurationError(
            f"create the database {path}",
            error.strerror or str(error),
            "Choose a directory that you may write to, with --data-dir or --database",
        ) from error


def unusable(database: Database, error: ServerFault) -> ConfigurationError:
    """The error of a database that does not even open."""
    if database.is_sqlite:
        remedy = "Check that the file is a SQLite database and that you may write beside it"
    else:
        remedy = "Check that the server runs, and the user, password and name in the URL"
    return ConfigurationError(f"open {shown(database.url)}", error.why, remedy)
