"""The socket that a server listens to, and its certificate."""

from __future__ import annotations

import errno
import socket
import ssl
from typing import Any

from bokeh_server.config import Settings
from bokeh_server.errors import ConfigurationError

__all__ = ["bracketed", "listen", "tls_context"]

BACKLOG = 1024


def bracketed(address: str) -> str:
    """An address as it stands before a port."""
    return f"[{address}]" if ":" in address else address


def listen(settings: Settings) -> socket.socket:
    """Open the listening socket.

    :raises ConfigurationError: the port is in use, or the address is not one of this machine.
    """
    family, address = _resolve(settings.address, settings.port)
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # accepted sockets inherit it; without it every answer waits for the client's ACK
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if settings.address == "::":
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise _cannot_listen(settings, error) from None
    return listener


def _resolve(address: str, port: int) -> tuple[int, Any]:
    flags = socket.AI_PASSIVE
    try:
        found = socket.getaddrinfo(address or None, port, type=socket.SOCK_STREAM, flags=flags)
    except OSError as error:
        raise _cannot_listen(Settings(address=address, port=port), error) from None
    found.sort(key=lambda each: each[0] != socket.AF_INET)
    return found[0][0], found[0][4]


def _cannot_listen(settings: Settings, error: OSError) -> ConfigurationError:
    attempted = f"listen on {bracketed(settings.address)} port {settings.port}"
    if error.errno == errno.EADDRINUSE:
        remedy = "Stop it, or choose another port with --port; --port 0 takes a free one"
        return ConfigurationError(attempted, "another program uses this port", remedy)
    if error.errno == errno.EACCES:
        remedy = "Ports below 1024 need special rights; choose another with --port"
        return ConfigurationError(attempted, "this user may not use the port", remedy)
    if error.errno == errno.EADDRNOTAVAIL or isinstance(error, socket.gaierror):
        remedy = "Give an address of this machine with --address; 0.0.0.0 means all"
        return ConfigurationError(attempted, "this machine has no such address", remedy)
    return ConfigurationError(attempted, (error.strerror or str(error)).lower())


def tls_context(settings: Settings) -> ssl.SSLContext | None:
    """The context for HTTPS, or ``None`` for plain HTTP.

    :raises ConfigurationError: a file is missing, or the two do not fit.
    """
    certificate, key = settings.https_certfile, settings.https_keyfile
    if not settings.https:
        if certificate or key:
            why = "a certificate is given and HTTPS is off"
            raise ConfigurationError("start the server", why, "Add --https, or leave it out")
        return None
    for option, path in (("--https-certfile", certificate), ("--https-keyfile", key)):
        if path is None:
            raise ConfigurationError("serve HTTPS", f"{option} is missing", f"Give {option} FILE")
        if not path.is_file():
            raise ConfigurationError("serve HTTPS", f"there is no file {path}", f"Check {option}")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(str(certificate), key and str(key))
    except OSError as error:
        why = f"{certificate} and {key} are not a certificate and its key in PEM ({error.strerror})"
        raise ConfigurationError("serve HTTPS", why, "Check both files") from None
    return context
