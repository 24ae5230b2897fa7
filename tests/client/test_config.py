"""Saved servers, addresses and errors."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from bokeh_server.client import Session
from bokeh_server.client._http import normal_url
from bokeh_server.errors import ConfigurationError, ConnectionFailed


def test_save_and_load(tmp_path: Path) -> None:
    """What is saved under a name comes back; only the owner may read it; others stay."""
    old = {"lab": {"root_url": "http://lab/", "userapikey": "nokey", "username": "defaultuser"}}
    (tmp_path / "config.json").write_text(json.dumps(old))
    session = Session("work", "https://example.org/plots", "key", "ada", configdir=tmp_path)
    session.save()
    assert stat.S_IMODE(session.configfile.stat().st_mode) == 0o600
    assert session.load_dict()["lab"] == old["lab"]
    again = Session("work", configdir=tmp_path)
    assert (again.root_url, again.userapikey, again.username) == (
        "https://example.org/plots/", "key", "ada"
    )  # fmt: skip
    assert again.headers() == {"Authorization": "Bearer key"}
    lab = Session("lab", configdir=tmp_path)
    assert (lab.root_url, lab.userapikey) == ("http://lab/", None)
    assert Session("work", load_from_config=False, configdir=tmp_path).userapikey is None


def test_damaged_file(tmp_path: Path) -> None:
    """A file that cannot be read is named and left as it is."""
    path = tmp_path / "config.json"
    path.write_text("{")
    with pytest.raises(ConfigurationError, match=r"config\.json"):
        Session("work", configdir=tmp_path)
    assert path.read_text() == "{"


@pytest.mark.parametrize(
    ("given", "normal"),
    [
        ("http://localhost:5006", "http://localhost:5006/"),
        ("localhost:5006/", "http://localhost:5006/"),
        ("https://example.org/plots//", "https://example.org/plots/"),
    ],
)
def test_addresses(given: str, normal: str) -> None:
    """With and without slash, prefix and scheme."""
    assert normal_url(given) == normal


@pytest.mark.parametrize("url", ["ftp://x/", "http://", "http://x/?a=b"])
def test_wrong_address(url: str) -> None:
    """What is no server's address is refused with a reason."""
    with pytest.raises(ValueError, match="Could not use"):
        normal_url(url)


def test_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """BOKEH_SERVER_URL is the server where none is named; nothing there is one sentence."""
    monkeypatch.setenv("BOKEH_SERVER_URL", "http://localhost:1")
    session = Session(configdir=tmp_path)
    assert session.root_url == "http://localhost:1/"
    with pytest.raises(ConnectionFailed, match="command bokeh-server") as failure:
        session.use_doc("x")
    assert failure.value.__cause__ is None
