"""A host name of its own for frames, at which nothing else is served and nobody is known.

A frame has no origin whatever its host is. Under another name it also has no site in common with
the pages that have a login: no cookie goes there, and browsers give it a process of its own.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from flask import current_app, request
from werkzeug.exceptions import NotFound as HostsOwnNotFound

from bokeh_server.blueprint.state import current_state
from bokeh_server.errors import BadRequest, ConfigurationError, NotFound

if TYPE_CHECKING:
    from bokeh_server.config import Settings

__all__ = [
    "ContentHost",
    "asked_shell",
    "check_content_host",
    "content_host",
    "frame_origin",
    "is_usercontent",
    "read_content_host",
    "refuse_elsewhere",
    "shell_origin",
]

_OURS = "bokeh_server."
#: what a frame needs, and what tells that the host is there.
_SERVED = frozenset(
    f"{_OURS}{name}"
    for name in (
        "ask_content", "bokehjs", "content", "document_socket", "frame", "healthz", "own_file",
        "ping",
    )
)  # fmt: skip
_LOOPBACK = ("localhost", "127.0.0.1")
_ORIGIN = re.compile(r"(?P<scheme>https?)://(?P<name>[a-z0-9_.-]+)(:[0-9]{1,5})?")
_LABEL_LENGTH = 32
_EVERY = "*."


@dataclass(frozen=True, slots=True)
class ContentHost:
    """Where frames are, as ``--usercontent-host`` says.

    :param name: in lower case; of a document's own host what follows its first part.
    :param port: ``None``: the one at which the page around the frame is.
    :param many: each document has a host of its own.
    """

    name: str
    port: str | None = None
    many: bool = False

    def host_for(self, docid: str, page: str) -> str:
        """The host of a document's frame.

        :param page: the host of the page around it.
        """
        name = f"{_label(docid)}.{self.name}" if self.many else self.name
        port = self.port or _split(page)[1]
        return f"{name}:{port}" if port else name

    def is_at(self, host: str) -> bool:
        """Whether a request to this host is one for frames."""
        name = _split(host)[0]
        if not self.many:
            return name == self.name
        label, _, rest = name.partition(".")
        return bool(label) and rest == self.name

    def is_of(self, docid: str, host: str) -> bool:
        """Whether the frame of this document is at this host."""
        name = _split(host)[0]
        return self.is_at(host) and (not self.many or name.partition(".")[0] == _label(docid))


@lru_cache
def read_content_host(setting: str) -> ContentHost | None:
    """The host of a setting; ``None`` where there is none."""
    if not setting:
        return None
    name, _, port = setting.removeprefix(_EVERY).partition(":")
    return ContentHost(name, port or None, setting.startswith(_EVERY))


def _label(docid: str) -> str:
    """A document's part of the name; whoever knows it does not know the docid."""
    return hashlib.sha256(docid.encode()).hexdigest()[:_LABEL_LENGTH]


def _split(host: str) -> tuple[str, str]:
    name, _, port = host.lower().rpartition(":")
    return (name, port) if name and port.isdigit() else (host.lower(), "")


def check_content_host(settings: Settings) -> None:
    """Refuse a host for frames that would be none, or no other than that of the pages.

    :raises ConfigurationError: it would.
    """
    found = read_content_host(settings.usercontent_host)
    if found is None:
        return
    attempted = f"serve frames from {settings.usercontent_host}"
    if not settings.multi_user:
        why = "a server for one person has no frames"
        raise ConfigurationError(attempted, why, "Add --multi-user, or leave it out")
    for each in settings.trusted_host:
        if found.is_at(each):
            why = f"{each} is the name of the pages around them, too"
            raise ConfigurationError(attempted, why, "Choose another name for one of them")


def content_host() -> ContentHost | None:
    """Where the frames of this server are, if not where its pages are."""
    return read_content_host(current_state().settings.usercontent_host)


def is_usercontent() -> bool:
    """Whether this request came to the host of frames."""
    found = content_host()
    return found is not None and found.is_at(request.host)


def refuse_elsewhere() -> None:
    """Before every request, also those to other parts of the app.

    :raises NotFound: it came to the host of frames, and is for none; of Werkzeug's for what is
        not ours, which is the app's to answer.
    """
    found = content_host()
    if found is None or not found.is_at(request.host):
        return
    docid = (request.view_args or {}).get("docid")
    if request.endpoint not in _SERVED or (docid and not found.is_of(docid, request.host)):
        raise _nothing_here()


def _nothing_here() -> Exception:
    if not (request.endpoint or "").startswith(_OURS):
        return HostsOwnNotFound()
    why = "this host has the insides of plots' pages and nothing else"
    return NotFound("answer here", why, "Use the name of the server's pages")


def shell_origin() -> str:
    """The origin of the page of this request."""
    return f"{request.scheme}://{request.host}"


def frame_origin(docid: str) -> str:
    """The origin of the address of a document's frame."""
    found = content_host()
    host = request.host if found is None else found.host_for(docid, request.host)
    return f"{request.scheme}://{host}"


def asked_shell() -> str:
    """The origin of the page around the frame of this request, which must be one of ours.

    :raises BadRequest: it is not.
    """
    given = request.args.get("shell", "")
    match = _ORIGIN.fullmatch(given)
    if match is None or match["name"] not in _page_names() or match["scheme"] != request.scheme:
        raise BadRequest(
            "show this plot",
            f"{given[:200]!r} is not known to be a page of this server",
            "Give its name with --trusted-host",
        )
    return given


def _page_names() -> frozenset[str]:
    """The names of this server, which no other site can make up."""
    settings = current_state().settings
    trusted: Iterable[str] = current_app.config.get("TRUSTED_HOSTS") or ()
    names = (*_LOOPBACK, settings.address, *settings.trusted_host, *trusted)
    found = read_content_host(settings.usercontent_host)
    return frozenset(name for name in _lower(names) if found is None or not found.is_at(name))


def _lower(names: Iterable[str]) -> Iterator[str]:
    return (_split(name)[0] for name in names)
