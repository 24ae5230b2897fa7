"""Scripts and styles: only those on the lists, compressed once, kept for ever by browsers."""

from __future__ import annotations

import gzip
import re
from dataclasses import replace
from pathlib import Path

import bokeh
import brotli
import pytest
from flask import Flask
from flask.testing import FlaskClient

from bokeh_server import blueprint
from bokeh_server.blueprint.assets import Assets, accepted_encodings
from bokeh_server.errors import NotFound

VERSION = bokeh.__version__
STATIC = Path(blueprint.__file__).parent / "static"
BUNDLE = Path(bokeh.__file__).parent / "server/static/js/bokeh-gl.min.js"


@pytest.mark.parametrize("encoding", ["br", "gzip", "identity"])
def test_every_encoding_unpacks_to_the_file(tmp_path: Path, encoding: str) -> None:
    """Compressed copies are the installed file, and are found on disk by the next process."""
    unpack = {"br": brotli.decompress, "gzip": gzip.decompress, "identity": bytes}[encoding]
    for _ in range(2):
        assets = Assets(tmp_path)
        found = assets.bokehjs(VERSION, BUNDLE.name, frozenset({encoding}))
        assert found.encoding == encoding
        assert unpack(found.data) == BUNDLE.read_bytes()
    assert len(list(tmp_path.iterdir())) == (encoding != "identity")


def test_a_directory_that_cannot_be_written_is_done_without(tmp_path: Path) -> None:
    """Then compressed copies are kept in memory."""
    (tmp_path / "file").write_bytes(b"")
    assets = Assets(tmp_path / "file" / "cache")
    found = assets.bokehjs(VERSION, BUNDLE.name, frozenset({"gzip"}))
    assert gzip.decompress(found.data) == BUNDLE.read_bytes()
    assert assets.bokehjs(VERSION, BUNDLE.name, frozenset({"gzip"})) is found


@pytest.mark.parametrize(
    ("version", "name"),
    [
        ("3.0.0", "bokeh.min.js"),
        (VERSION, "compiler.js"),
        (VERSION, "../../../__init__.py"),
        (VERSION, "lib/index.d.ts"),
        (VERSION, ""),
        ("..", "bokeh.min.js"),
    ],
)
def test_nothing_else_is_ever_opened(tmp_path: Path, version: str, name: str) -> None:
    """Names are looked up in a list, not on disk."""
    with pytest.raises(NotFound):
        Assets(tmp_path).bokehjs(version, name, frozenset())


@pytest.mark.parametrize(
    ("header", "accepted"),
    [
        ("", {""}),
        ("gzip, deflate, br", {"gzip", "deflate", "br"}),
        ("br;q=1.0, GZIP;q=0.5", {"br", "gzip"}),
        ("gzip;q=0, br; q=0.000", set()),
        (";;,,q=", {"", "q="}),
    ],
)
def test_accept_encoding(header: str, accepted: set[str]) -> None:
    """What is accepted with weight 0 is not accepted."""
    assert accepted_encodings(header) == accepted


def test_answers_may_be_kept_for_ever(client: FlaskClient) -> None:
    """Addresses carry the version, so browsers need not ask again; other sites may load them."""
    answer = client.get(f"/bokeh/bokehjs/{VERSION}/bokeh.min.js", headers={"Accept-Encoding": "br"})
    assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert answer.headers["Content-Encoding"] == "br"
    assert answer.headers["Vary"] == "Accept-Encoding"
    assert answer.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert len(answer.data) < 350_000


def test_our_own_files_of_an_older_release_are_not_kept(client: FlaskClient) -> None:
    """A page that was loaded before an update gets today's file, and asks again next time."""
    old = client.get("/bokeh/static/0123456789abcdef/pages.css")
    assert old.status_code == 200
    assert old.headers["Cache-Control"] == "no-cache"
    assert client.get("/bokeh/static/0123456789abcdef/../extension.py").status_code == 404
    assert client.get("/bokeh/static/0123456789abcdef/nothing.js").status_code == 404


def imported(name: str) -> set[str]:
    """The modules that one of our modules imports, and what those import."""
    text = (STATIC / name).read_text()
    direct = set(re.findall(r'^import .* from "\./([a-z]+\.js)"$', text, re.MULTILINE))
    return direct.union(*map(imported, direct))


@pytest.mark.parametrize(
    ("multi_user", "address", "script"),
    [(False, "show", "page.js"), (True, "show", "shell.js"), (True, "frame", "frame.js")],
)
def test_pages_preload_what_their_script_imports(
    app: Flask, client: FlaskClient, docid: str, multi_user: bool, address: str, script: str
) -> None:
    """A browser hears of every module at once, not of one after the other."""
    client.post(f"/bokeh/{docid}/publish")  # so that nobody has to log in
    state = app.extensions["bokeh_server"]
    state.settings = replace(state.settings, multi_user=multi_user)
    page = client.get(f"/bokeh/doc/{docid}/{address}").get_data(as_text=True)
    assert f'/{script}"></script>' in page
    preloaded = re.findall(r'rel="modulepreload" href="[^"]*/([a-z]+\.js)"', page)
    assert sorted(preloaded) == sorted(imported(script))


def test_no_module_of_ours_is_long() -> None:
    """A module has one subject; comments fit on the screen."""
    for path in STATIC.glob("*.js"):
        lines = path.read_text().splitlines()
        assert len(lines) <= 400, path.name
        comments = [line for line in lines if line.startswith("//")]
        assert max(map(len, comments), default=0) <= 100, path.name
