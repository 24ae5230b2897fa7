"""Who we are on a server that has accounts, and whom we share documents with."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from bokeh_server.client._server import Server

__all__ = ["People"]


class People(Server, ABC):
    """Registers and logs in; what we are known by then is a token, kept for later scripts."""

    def register(self, username: str, password: str, invitation: str = "") -> None:
        """Make an account and be logged in from now on, in later scripts too.

        :param invitation: the code that the server asks for, if it does.
        :raises BadRequest: the name or the password cannot be one.
        :raises Conflict: the name is taken.
        :raises Forbidden: nobody may register there, or not with this invitation.
        """
        more = {"invitation": invitation} if invitation else {}
        self._enter("register", {"username": username, "password": password, **more})

    def login(self, username: str, password: str) -> None:
        """Be logged in from now on, in later scripts too: the token is kept in ``~/.bokeh``.

        :raises NotAuthenticated: the name or the password is wrong.
        :raises TooMany: that was tried too often.
        """
        self._enter("login", {"username": username, "password": password})

    def logout(self) -> None:
        """Be nobody any more: the token is revoked, and forgotten here."""
        if self.userapikey:
            token_id = self.userapikey.removeprefix("bks_").partition("_")[0]
            self.http.request("DELETE", self.http.url("account", "tokens", token_id), retries=())
        self.userapikey = None
        self.http.identify(self.headers())
        self.save()

    def _enter(self, way: str, body: dict[str, str]) -> None:
        # A token that is good for nothing any more shall not be in the way of a new one.
        self.http.identify({})
        try:
            answer = self.http.post(self.http.url(way), body)
            self.username, self.userapikey = str(answer["username"]), str(answer["token"])
        finally:
            self.http.identify(self.headers())
        self.save()

    @abstractmethod
    def used(self) -> str:
        """The docid of the document in use."""

    def share(self, username: str, role: str = "viewer") -> None:
        """Let somebody else use the document.

        :param role: ``"viewer"`` to look at it, ``"editor"`` to change it, too.
        :raises NotFound: nobody there has this name.
        """
        self.http.post(self._grant_url(username), {"role": role}, method="PUT")

    def unshare(self, username: str) -> None:
        """Take back what :meth:`share` gave.

        :raises NotFound: they have no right in it.
        """
        self.http.request("DELETE", self._grant_url(username), retries=())

    @property
    def shares(self) -> dict[str, str]:
        """Who may use the document besides its owner: role by name."""
        answer: dict[str, Any] = self.http.get(self.http.url("doc", self.used(), "grants"))
        return {each["username"]: each["role"] for each in answer["grants"]}

    def _grant_url(self, username: str) -> str:
        return self.http.url("doc", self.used(), "grants", username)
