"""Requests to a bokeh-server: addresses, time limits, retries, and its errors as ours."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlsplit

import requests
from requests.utils import get_environ_proxies

from bokeh_server import errors
from bokeh_server.errors import BokehServerError, ConnectionFailed, ServerFault
from bokeh_server.protocol.packing import CONTENT_TYPE

__all__ = ["DEFAULT_URL", "Http", "default_url", "error_of", "normal_url"]

DEFAULT_URL = "http://localhost:5006/"

#: seconds to wait for a connection, and for each part of an answer.
TIMEOUT = (5.0, 60.0)
#: seconds to wait before each further attempt.
RETRIES = (0.0, 0.2, 0.5, 1.0)

_GATEWAY = frozenset({502, 503, 504})


def default_url() -> str:
    """The server that is meant when none is named: ``BOKEH_SERVER_URL``, or this machine's."""
    return os.environ.get("BOKEH_SERVER_URL") or DEFAULT_URL


def normal_url(url: str) -> str:
    """The address with a slash at its end and ``http://`` where nothing is said.

    :raises ValueError: it is not the address of a server.
    """
    full = url if "://" in url else f"http://{url}"
    parts = urlsplit(full)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ValueError(
            f"Could not use {url!r} as a server: it is not the address of one. "
            f"Give it as {DEFAULT_URL} or https://example.org/plots/."
        )
    return full.rstrip("/") + "/"


class Http:
    """One server, over connections that are kept open; several threads may use it.

    :param root_url: the address under which the server's ``bokeh/`` is.
    """

    def __init__(self, root_url: str, headers: Mapping[str, str]) -> None:
        self.root_url = normal_url(root_url)
        self._session = requests.Session()
        self._session.headers.update(headers)
        self._take_environment()

    def _take_environment(self) -> None:
        # once here, and not on every request as requests does
        self._session.proxies.update(get_environ_proxies(self.root_url))
        bundle = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE")
        self._session.verify = bundle or True
        self._session.trust_env = False

    def identify(self, headers: Mapping[str, str]) -> None:
        """Say from now on with every request who we are."""
        self._session.headers.pop("Authorization", None)
        self._session.headers.update(headers)

    @property
    def ca_bundle(self) -> str | None:
        """A file of certificates to trust instead of the usual ones."""
        return self._session.verify if isinstance(self._session.verify, str) else None

    @property
    def is_direct(self) -> bool:
        """Whether requests go to the server itself, as WebSockets do."""
        return not self._session.proxies

    @property
    def headers(self) -> dict[str, str]:
        """What is sent with every request."""
        return {str(key): str(value) for key, value in self._session.headers.items()}

    def url(self, *path: str, slash: bool = False) -> str:
        """An address below ``bokeh/``; every part is quoted."""
        tail = "/".join(quote(part, safe="") for part in path)
        return f"{self.root_url}bokeh/{tail}{'/' if slash else ''}"

    def get(self, url: str, *, retries: tuple[float, ...] = RETRIES, **params: str) -> Any:
        """GET JSON; tried again when the connection fails."""
        headers = {"Accept": "application/json"}
        return _json(self.request("GET", url, headers=headers, params=params, retries=retries))

    def get_packed(self, url: str) -> bytes:
        """GET a packed body."""
        content: bytes = self.request("GET", url, headers={"Accept": CONTENT_TYPE}).content
        return content

    def post(self, url: str, value: object = None, *, method: str = "POST") -> Any:
        """Send JSON, once, and give the JSON answer."""
        return _json(self.request(method, url, json=value, retries=()))

    def send(self, method: str, url: str, body: bytes, key: str, origin: str) -> Any:
        """Send a packed body; tried again with the same key when the connection fails."""
        headers = {
            "Content-Type": CONTENT_TYPE,
            "Idempotency-Key": key,
            "Bokeh-Origin": origin,
            "Accept": "application/json",
        }
        return _json(self.request(method, url, data=body, headers=headers))

    def request(
        self, method: str, url: str, *, retries: tuple[float, ...] = RETRIES, **options: Any
    ) -> requests.Response:
        """Send a request.

        :param retries: seconds before each further attempt after a failed connection.
        :raises BokehServerError: what the server says, or that there is none.
        """
        for pause in retries:
            try:
                return self._once(method, url, options)
            except ConnectionFailed:
                time.sleep(pause)
        return self._once(method, url, options)

    def _once(self, method: str, url: str, options: dict[str, Any]) -> requests.Response:
        try:
            answer = self._session.request(method, url, timeout=TIMEOUT, **options)
        except requests.RequestException as error:
            raise self._no_server(error) from None
        if answer.status_code >= 400:
            raise _error(method, answer)
        return answer

    def _no_server(self, error: requests.RequestException) -> ConnectionFailed:
        return ConnectionFailed(
            f"reach a Bokeh server at {self.root_url}",
            f"{_reason(error)}; start one there with the command bokeh-server, "
            "or name another by output_server(..., url=...) or BOKEH_SERVER_URL",
        )

    def close(self) -> None:
        """Close the connections."""
        self._session.close()


def _json(answer: requests.Response) -> Any:
    try:
        return answer.json()
    except ValueError:
        raise ServerFault(
            f"use {answer.url}", "what answers there is not a bokeh-server", "Check the address"
        ) from None


def _reason(error: requests.RequestException) -> str:
    if isinstance(error, requests.exceptions.SSLError):
        return "its certificate is not trusted"
    if isinstance(error, requests.Timeout):
        return "it does not answer in time"
    return "nothing answers"


def _error(method: str, answer: requests.Response) -> BokehServerError:
    code, detail = _read_error(answer)
    status = answer.status_code
    attempted = f"{method} {answer.url}"
    if code is None and status in _GATEWAY:
        return ServerFault(attempted, f"a gateway answered {status}", "Try again later")
    return error_of(attempted, status, code, detail)


def error_of(attempted: str, status: int, code: str | None, detail: str) -> BokehServerError:
    """The error that an answer reports, as the server raised it.

    :param code: its ``"error"``.
    :param detail: its sentence.
    """
    kind = _by_code().get(code or "") or _by_status().get(status) or BokehServerError
    return _from_sentence(kind, detail) or kind(attempted, detail or f"the answer is {status}")


def _read_error(answer: requests.Response) -> tuple[str | None, str]:
    try:
        value = answer.json()
        return str(value["error"]), str(value["detail"])
    except (ValueError, KeyError, TypeError):
        return None, ""


def _by_code() -> dict[str, type[BokehServerError]]:
    return {kind.code: kind for kind in reversed(_kinds())}


def _by_status() -> dict[int, type[BokehServerError]]:
    # A 500 without a code may be of anything, and not of an application alone.
    return {kind.status: kind for kind in reversed(_kinds()) if kind.status != 500}


def _kinds() -> list[type[BokehServerError]]:
    """The classes of answers, of two with one code the more special first."""
    first = [errors.BadRequest, errors.StorageUnavailable]
    names = [getattr(errors, name) for name in errors.__all__]
    kinds = [kind for kind in names if kind not in (errors.CallerError, errors.ServerFault)]
    return [*first, *(kind for kind in kinds if not issubclass(kind, ConnectionFailed))]


def _from_sentence(kind: type[BokehServerError], sentence: str) -> BokehServerError | None:
    """The error that the server raised, out of its sentence."""
    attempted, colon, rest = sentence.removeprefix("Could not ").partition(": ")
    if not colon:
        return None
    why, _dot, remedy = rest.partition(". ")
    for error in (kind(attempted, why.rstrip("."), remedy), kind(attempted, rest.rstrip("."))):
        if str(error) == sentence:
            return error
    return None
