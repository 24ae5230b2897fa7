"""Another host on this machine, to which nothing may get out."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

__all__ = ["Sink", "sink"]


class Sink:
    """It notes the first line of whatever connects, and answers so that browsers go on.

    :ivar heard: what came, as ``GET /path HTTP/1.1``; ``""`` for a connection that said nothing.
    :ivar url: its address, with no slash at the end.
    """

    def __init__(self) -> None:
        self.heard: list[str] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self.url = f"http://127.0.0.1:{self.port}"
        self._closing = False
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            peer, _ = self._listener.accept()
            with peer:
                if self._closing:
                    return
                peer.settimeout(1)
                try:
                    data = peer.recv(65536)
                except OSError:
                    data = b""
                self.heard.append(data.split(b"\r\n")[0].decode("latin-1"))
                with suppress(OSError):
                    peer.sendall(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")

    def close(self) -> None:
        """Stop."""
        self._closing = True
        socket.create_connection(("127.0.0.1", self.port)).close()
        self._thread.join()
        self._listener.close()


@contextmanager
def sink() -> Iterator[Sink]:
    """Listen until the block ends."""
    made = Sink()
    try:
        yield made
    finally:
        made.close()
