"""One server and who we are there: address, identity, saved servers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bokeh_server.client._http import Http, default_url, normal_url
from bokeh_server.client.config import ConfigFile

__all__ = ["Server"]


class Server:
    """One server and who we are there.

    The parameters are those of :class:`~bokeh_server.client.Session`.

    :ivar root_url: the address under which the server's ``bokeh/`` is, with a slash at its end.
    :ivar http: the connections to it.
    """

    def __init__(
        self,
        name: str | None = None,
        root_url: str | None = None,
        userapikey: str | None = None,
        username: str | None = None,
        load_from_config: bool = True,
        configdir: str | Path | None = None,
        key: str | None = None,
    ) -> None:
        self.key = key
        self.name = name or root_url or default_url()
        self.root_url = root_url or ""
        self.userapikey = userapikey
        self.username = username
        self._config = ConfigFile(configdir)
        if load_from_config:
            self._take_saved()
        self.root_url = normal_url(self.root_url or _as_url(name) or default_url())
        self.http = Http(self.root_url, self.headers())

    @property
    def configdir(self) -> Path:
        """Where servers are saved."""
        return self._config.directory

    @property
    def configfile(self) -> Path:
        """The file of saved servers."""
        return self._config.path

    def load_dict(self) -> dict[str, dict[str, Any]]:
        """All saved servers: ``{name: {"root_url", "userapikey", "username"}}``."""
        return self._config.load()

    def load(self) -> None:
        """Take address and identity from what is saved under this session's name."""
        saved = self.load_dict().get(self.name, {})
        if saved.get("root_url"):
            self.root_url = normal_url(saved["root_url"])
        self.userapikey = _identity(saved.get("userapikey")) or self.userapikey
        self.username = saved.get("username") or self.username
        self.http = Http(self.root_url, self.headers())

    def save(self) -> None:
        """Save address and identity under this session's name, readable by its owner alone."""
        entry = {
            "root_url": self.root_url,
            "userapikey": self.userapikey,
            "username": self.username,
        }
        self._config.save(self.name, entry)

    def _take_saved(self) -> None:
        saved = self.load_dict().get(self.name, {})
        self.root_url = self.root_url or saved.get("root_url") or ""
        self.userapikey = self.userapikey or _identity(saved.get("userapikey"))
        self.username = self.username or saved.get("username")

    def headers(self) -> dict[str, str]:
        """What says who we are, or which document we have the key of."""
        shown = self.key or self.userapikey
        return {"Authorization": f"Bearer {shown}"} if shown else {}


def _as_url(name: str | None) -> str | None:
    return name if name is not None and "://" in name else None


def _identity(key: object) -> str | None:
    # "nokey" is what the sessions of 2015 saved for want of one
    return str(key) if key and key != "nokey" else None
