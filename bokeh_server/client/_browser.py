"""Logging in by way of a browser, either way."""

from __future__ import annotations

import platform
import time
from typing import Any

from bokeh.util.browser import view

from bokeh_server.client._people import People
from bokeh_server.errors import NotAuthenticated, ServerFault

__all__ = ["Browsing"]

#: seconds between two questions whether somebody has agreed.
INTERVAL = 1.0
_TITLE_LENGTH = 255


class Browsing(People):
    """Hands logins over between this script and a browser."""

    def browser_login(self, timeout: float = 300.0, *, show: bool = True) -> None:
        """Log a browser in by this session, or this session by a browser.

        Where the session is known by a token, a page opens that asks whether to log the browser
        in as the same user. Where it is not, a page opens on which somebody who is logged in
        agrees that this script is known as them; the token is kept, as :meth:`login` does.

        No key stands in an address that the server or its log sees. The address is printed as
        well, for where no browser can be opened.

        :param timeout: seconds to wait until somebody agrees.
        :param show: open a browser.
        :raises NotAuthenticated: nobody agreed in time.
        :raises Forbidden: somebody refused, or the token may not do everything.
        :raises NotFound: the server has no logins, or none of its own for browsers.
        """
        if self._is_known():
            self._log_browser_in(show)
        else:
            self._ask_to_be_known(timeout, show)

    def _is_known(self) -> bool:
        if not self.userapikey:
            return False
        try:
            self.http.get(self.http.url("userinfo", slash=True), docs="0")
        except NotAuthenticated:
            return False
        return True

    def _log_browser_in(self, show: bool) -> None:
        answer = self.http.post(self.http.url("login", "handover"), {"title": _title()})
        url = f"{self.http.url('login', 'browser')}#{answer['code']}"
        print(f"Open this within five minutes to log a browser in as {self.username}:\n{url}")
        _view(url, show)

    def _ask_to_be_known(self, timeout: float, show: bool) -> None:
        self.http.identify({})  # a token that is good for nothing shall not be in the way
        try:
            asked = self.http.post(self.http.url("login", "device"), {"title": _title()})
            url = f"{self.http.url('login', 'script')}?code={asked['code']}"
            print(f"Open this to log in, and compare the code {asked['code']}:\n{url}")
            _view(url, show)
            answer = self._wait(str(asked["secret"]), time.monotonic() + timeout)
            self.username, self.userapikey = str(answer["username"]), str(answer["token"])
        finally:
            self.http.identify(self.headers())
        self.save()
        print(f"Logged in as {self.username}.")

    def _wait(self, secret: str, deadline: float) -> dict[str, Any]:
        while time.monotonic() < deadline:
            answer = self._answer(secret)
            if "token" in answer:
                return answer
            time.sleep(INTERVAL)
        raise NotAuthenticated("log in by a browser", "nobody agreed in time", "Try again")

    def _answer(self, secret: str) -> dict[str, Any]:
        """What the server says; nothing while it cannot be reached."""
        try:
            found: dict[str, Any] = self.http.post(
                self.http.url("login", "token"), {"secret": secret}
            )
        except ServerFault:
            return {}
        return found


def _title() -> str:
    """What the page calls this script: by the machine that it runs on."""
    return f"a script on {platform.node() or 'some machine'}"[:_TITLE_LENGTH]


def _view(url: str, show: bool) -> None:
    if show:
        view(url)
