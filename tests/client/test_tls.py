"""A server with a certificate: HTTP and WebSocket, trusted only when told to."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from bokeh.document import Document
from bokeh.models import Slider

from bokeh_server.client import Session
from bokeh_server.errors import ConnectionFailed
from support.server import running_server


@pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl here: apt install openssl")
def test_https(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stores and subscriptions work over TLS; an unknown certificate is refused."""
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
         "-keyout", str(key), "-out", str(certificate)],
        check=True, capture_output=True,
    )  # fmt: skip
    options = ("--https", "--https-certfile", str(certificate), "--https-keyfile", str(key))
    with running_server(*options) as server:
        assert server.url.startswith("https://")
        with (
            Session(root_url=server.url, configdir=tmp_path) as stranger,
            pytest.raises(ConnectionFailed, match="certificate"),
        ):
            stranger.use_doc("tls")
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
        with Session(root_url=server.url, configdir=tmp_path) as session:
            session.use_doc("tls")
            document = Document()
            document.add_root(Slider(start=0, end=1, value=0))
            session.store_document(document)
            with session.subscribe(document) as subscription:
                assert subscription.connected
