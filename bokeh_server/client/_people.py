"""Who we are on a server that has accounts."""

from __future__ import annotations

from contextlib import suppress

from bokeh_server.client._server import Server
from bokeh_server.errors import NotAuthenticated

__all__ = ["People"]


class People(Server):
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
        """Be nobody any more: the token is revoked, and forgotten here whatever the server says."""
        try:
            self._revoke()
        finally:
            self.userapikey = None
            self.http.identify(self.headers())
            self.save()

    def _revoke(self) -> None:
        if self.userapikey:
            token_id = self.userapikey.removeprefix("bks_").partition("_")[0]
            with suppress(NotAuthenticated):  # it was good for nothing already
                url = self.http.url("account", "tokens", token_id)
                self.http.request("DELETE", url, retries=())

    def _enter(self, way: str, body: dict[str, str]) -> None:
        # A token that is good for nothing any more shall not be in the way of a new one.
        self.http.identify({})
        try:
            answer = self.http.post(self.http.url(way), body)
            self.username, self.userapikey = str(answer["username"]), str(answer["token"])
        finally:
            self.http.identify(self.headers())
        self.save()
