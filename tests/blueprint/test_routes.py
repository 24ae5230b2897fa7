"""Every route with every kind of bad address: a 4xx that says why, as JSON or as a page."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import EnvironBuilder, run_wsgi_app

from bokeh_server.blueprint import BokehServer

METHODS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE")
BAD = (
    "nothing",
    "..%2f..%2fetc",
    "..",
    "%00",
    "%0d%0aSet-Cookie:%20a=b",
    "%ff%fe",
    "{{7*7}}",
    "<script>",
    "a" * 3000,
    "'%20or%201=1--",
    "é☃",
    "-1",
    "null",
)
BODIES = (None, b"", b"{", b"[]", b'{"title": 1}', b"[" * 100_000, b"\xff\xfe")
NAMES = ("link_id",
    "docid", "modelid", "typename", "elementid", "version", "file", "rest", "token_id", "username",
)  # fmt: skip


def addresses(app: Flask) -> Iterator[str]:
    """Every address of ours, with each bad value in place of its variables."""
    for rule in app.url_map.iter_rules():
        if not rule.rule.startswith("/bokeh/") or rule.websocket:
            continue
        for bad in BAD if rule.arguments else ("",):
            path = rule.rule
            for name in NAMES:
                path = path.replace(f"<{name}>", bad).replace(f"<bokeh_server_rest:{name}>", bad)
            assert "<" not in path.replace("<script>", ""), path
            yield path


def assert_explains(answer: object, accept: str) -> None:
    """The answer says what is wrong, as JSON or as a page."""
    text = answer.get_data(as_text=True)  # type: ignore[attr-defined]
    kind = answer.mimetype  # type: ignore[attr-defined]
    if kind == "text/html":
        assert "text/html" in accept
        assert "<h1>" in text
    else:
        assert kind == "application/json"
        assert set(answer.get_json()) >= {"error", "detail"}  # type: ignore[attr-defined]
    assert "Traceback" not in text


@pytest.mark.parametrize("accept", ["application/json", "text/html,*/*;q=0.8"])
def test_no_address_and_method_makes_the_server_fail(app: Flask, accept: str) -> None:
    """Whatever is asked for: never a 5xx, and every error carries its reason."""
    client = app.test_client()
    asked = 0
    for path, method in product(addresses(app), METHODS):
        answer = client.open(path, method=method, headers={"Accept": accept})
        asked += 1
        assert answer.status_code < 500, (method, path)
        if answer.status_code >= 400 and method not in ("HEAD", "OPTIONS"):
            assert_explains(answer, accept)
        if answer.status_code != 308:
            assert answer.headers.get("X-Content-Type-Options") == "nosniff"
        assert "Set-Cookie" not in answer.headers
    assert asked > 1500


def test_no_body_makes_the_server_fail(app: Flask, docid: str) -> None:
    """Whatever is sent to a document that exists: never a 5xx, and nothing changes."""
    client = app.test_client()
    before = client.get(f"/bokeh/doc/{docid}/").get_json()
    rules = [rule for rule in app.url_map.iter_rules() if "docid" in rule.arguments]
    for rule, body in product(rules, BODIES):
        path = rule.rule.replace("<docid>", docid).replace("<typename>", "Figure")
        if rule.websocket or path.endswith(("/publish", "/unpublish", "/gc")):
            continue
        if path.endswith("/bulkupsert") and body == b"[]":
            continue
        path = path.replace("<modelid>", "nothing")
        for method in sorted((rule.methods or set()) - {"GET", "HEAD", "OPTIONS", "DELETE"}):
            answer = client.open(path, method=method, data=body)
            assert 400 <= answer.status_code < 500, (method, path, body)
            assert_explains(answer, "application/json")
    assert client.get(f"/bokeh/doc/{docid}/").get_json() == before


def test_unknown_addresses_and_methods(client: FlaskClient) -> None:
    """Under /bokeh/ our answers are JSON; 405 names the methods; a missing slash is added."""
    assert client.get("/bokeh/no/such/thing").get_json()["error"] == "not_found"
    wrong = client.post("/bokeh/ping")
    assert wrong.status_code == 405
    assert wrong.get_json()["error"] == "method_not_allowed"
    assert "GET" in wrong.headers["Allow"]
    redirect = client.get("/bokeh/doc?title=a%26b")
    assert redirect.status_code == 308
    assert redirect.headers["Location"].endswith("doc/?title=a%26b")
    page = client.get("/bokeh/no/such/thing", headers={"Accept": "text/html"})
    assert page.mimetype == "text/html"
    assert "There is nothing here" in page.get_data(as_text=True)


def test_pages_of_the_host_app_stay_its_own(tmp_path: Path) -> None:
    """Errors outside our addresses are answered by the app that we are a part of."""
    app = Flask("host")
    server = BokehServer(app, url_prefix="plots", data_dir=tmp_path)
    app.register_error_handler(404, lambda error: ("host's own", 404))
    client = app.test_client()
    assert client.get("/elsewhere").get_data() == b"host's own"
    assert client.get("/bokeh/ping").get_data() == b"host's own"
    assert client.get("/plots/bokeh/elsewhere").get_json()["error"] == "not_found"
    server.close()


def test_headers(client: FlaskClient, docid: str) -> None:
    """Nothing is kept by caches, no other site may read or frame it; public pages may be framed."""
    for path in ("/", f"/bokeh/doc/{docid}/", f"/bokeh/doc/{docid}/show", "/bokeh/userinfo/"):
        answer = client.get(path, headers={"Origin": "http://evil.example"})
        assert answer.headers["Cache-Control"] == "private, no-store"
        assert answer.headers["Referrer-Policy"] == "same-origin"
        assert "Access-Control-Allow-Origin" not in answer.headers
        policy = answer.headers["Content-Security-Policy"]
        assert "frame-ancestors 'none'" in policy or "frame-ancestors 'self'" in policy
    public = client.get(f"/bokeh/doc/{docid}/show?public=true")
    assert "frame-ancestors *" in public.headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_other_sites_change_nothing(
    client: FlaskClient, docid: str, headers: dict[str, str]
) -> None:
    """A page of another site cannot make its visitor's browser change a document."""
    answer = client.delete(f"/bokeh/doc/{docid}/", headers=headers)
    assert answer.status_code == 403
    assert answer.get_json()["error"] == "forbidden"
    assert client.post("/bokeh/doc/", json={"title": "x"}, headers=headers).status_code == 403
    assert client.get(f"/bokeh/doc/{docid}/").status_code == 200


def test_too_much_is_not_read(client: FlaskClient, docid: str) -> None:
    """A body over the limit is refused, whether its length is told or not."""
    path = f"/bokeh/doc/{docid}/changes"
    answer = client.post(path, data=b" " * 200_001)
    assert answer.status_code == 413
    assert answer.get_json()["error"] == "too_large"
    environ = EnvironBuilder(path, method="POST").get_environ()
    environ.pop("CONTENT_LENGTH", None)
    environ |= {
        "HTTP_TRANSFER_ENCODING": "chunked",
        "wsgi.input": Chunks(),
        "wsgi.input_terminated": True,
    }
    body, status, _ = run_wsgi_app(client.application.wsgi_app, environ)
    assert status.startswith("413"), b"".join(body)


class Chunks:
    """A body without an end."""

    def read(self, size: int = -1) -> bytes:
        """More spaces."""
        return b" " * min(size if size > 0 else 65536, 65536)

    readline = read


def test_compressed_bodies_are_refused(client: FlaskClient, docid: str) -> None:
    """So that nothing small can unpack to something large."""
    answer = client.post(
        f"/bokeh/doc/{docid}/changes", data=b"{}", headers={"Content-Encoding": "gzip"}
    )
    assert answer.status_code == 415
    assert "compressed" in answer.get_json()["detail"]
