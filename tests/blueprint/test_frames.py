"""The headers of a shell and its frame, and that no page shows a document without them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from bokeh_server.blueprint import BokehServer

HERE = "http://localhost"
BUNDLE = "/bokeh.min.js"


@pytest.fixture
def app(tmp_path: Path, database: str) -> Iterator[Flask]:
    """A server for several people, which one other host may use."""
    made = Flask("host")
    server = BokehServer(
        made,
        data_dir=tmp_path / "data",
        database=database,
        multi_user=True,
        current_user=lambda: "owner",
        allow_websocket_origin=["dashboard.corp"],
    )
    yield made
    server.close()


def policy(client: FlaskClient, path: str, **options: object) -> dict[str, str]:
    """The policy of a page, by directives."""
    answer = client.get(path, **options)  # type: ignore[arg-type]
    assert answer.status_code == 200, answer.get_data(as_text=True)
    parts = answer.headers["Content-Security-Policy"].split("; ")
    return {name: value for name, _, value in (part.partition(" ") for part in parts)}


def test_what_a_frame_may_do(client: FlaskClient, docid: str) -> None:
    """Run scripts, load ours, follow its own document; nothing else, and nobody else's."""
    files = f"{HERE}/bokeh/static/ {HERE}/bokeh/bokehjs/"
    assert policy(client, f"/bokeh/doc/{docid}/frame?modelid=line") == {
        "sandbox": "allow-scripts allow-downloads",
        "default-src": "'none'",
        "script-src": f"{files} 'unsafe-eval' blob:",
        "connect-src": f"ws://localhost/bokeh/doc/{docid}/ws {HERE}/bokeh/doc/{docid}/content",
        "style-src": f"'unsafe-inline' {files}",
        "img-src": f"data: blob: {files}",
        "font-src": f"data: {files}",
        "worker-src": "blob:",
        "form-action": "'none'",
        "base-uri": "'none'",
        "frame-ancestors": "'self' dashboard.corp",
        "webrtc": "'block'",
    }
    headers = client.get(f"/bokeh/doc/{docid}/frame").headers
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Origin-Agent-Cluster"] == "?1"
    assert headers["Cache-Control"] == "private, no-store"
    assert "camera=()" in headers["Permissions-Policy"]
    assert "fullscreen=*" in headers["Permissions-Policy"]
    assert "Access-Control-Allow-Origin" not in headers


def test_a_strict_frame_runs_no_code_of_a_document(client: FlaskClient, docid: str) -> None:
    """Only our own files are scripts: nothing inline, nothing evaluated, nothing made here."""
    found = policy(client, f"/bokeh/doc/{docid}/frame?strict=1")["script-src"]
    assert found == f"{HERE}/bokeh/static/ {HERE}/bokeh/bokehjs/"
    page = client.get(f"/bokeh/doc/{docid}/line?strict=1&revision=1").get_data(as_text=True)
    assert f'src="/bokeh/doc/{docid}/frame?modelid=line&amp;strict=true&amp;revision=1"' in page
    assert 'href="?strict=true&amp;revision=0"' in page


def test_what_a_shell_may_do(client: FlaskClient, docid: str) -> None:
    """Run our scripts, and hold one frame that cannot be anything else."""
    assert policy(client, f"/bokeh/doc/{docid}/line") == {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self'",
        "connect-src": "'self'",
        "frame-src": f"{HERE}/bokeh/doc/{docid}/frame",
        "object-src": "'none'",
        "base-uri": "'none'",
        "form-action": "'self'",
        "require-trusted-types-for": "'script'",
        "frame-ancestors": "'self' dashboard.corp",
    }
    page = client.get(f"/bokeh/doc/{docid}/line").get_data(as_text=True)
    assert f'src="/bokeh/doc/{docid}/frame?modelid=line"' in page
    assert 'sandbox="allow-scripts allow-downloads"' in page
    assert BUNDLE not in page


def test_a_public_page_may_be_framed(client: FlaskClient, docid: str) -> None:
    """By anybody, and its frame with it; there is no bar where it is embedded."""
    for path in (f"/bokeh/doc/{docid}/show", f"/bokeh/doc/{docid}/frame"):
        assert policy(client, f"{path}?public=true")["frame-ancestors"] == "*"
    bar = '<header class="bar" hidden>'
    path = f"/bokeh/doc/{docid}/show?embedded=true"
    assert bar in client.get(f"{path}&public=true").get_data(as_text=True)
    assert bar not in client.get(path).get_data(as_text=True)


@pytest.mark.parametrize(
    ("destination", "status"),
    [(None, 200), ("iframe", 200), ("embed", 200), ("empty", 200), ("document", 302)]
    + [(name, 302) for name in ("object", "frame", "worker", "script", "image", "")],
)
def test_a_frame_is_served_as_a_frame(
    client: FlaskClient, docid: str, destination: str | None, status: int
) -> None:
    """Whatever else asks for it is led to the page around it, on this server."""
    headers = {} if destination is None else {"Sec-Fetch-Dest": destination}
    path = f"/bokeh/doc/{docid}/frame"
    answer = client.get(f"{path}?modelid=a%2F/b&revision=1&public=true&strict=1", headers=headers)
    assert answer.status_code == status
    if status == 302:
        assert answer.headers["Location"] == (
            f"/bokeh/doc/{docid}/a%2F%2Fb?public=true&strict=true&revision=1"
        )
        plain = client.get(path, headers=headers).headers["Location"]
        assert plain == f"/bokeh/doc/{docid}/show"


def test_a_frame_tells_nothing_of_its_document(client: FlaskClient, docid: str) -> None:
    """It is the same for every docid, so it needs no login: what to show comes from the shell."""
    known = client.get(f"/bokeh/doc/{docid}/frame").get_data(as_text=True)
    other = client.get("/bokeh/doc/nothing/frame").get_data(as_text=True)
    assert known.replace(docid, "nothing") == other
    assert "ticket" not in known


@pytest.mark.parametrize("docid", ["a; script-src *", "a,b", "a'b", "a%0d%0ab", "é☃", 'a"b'])
def test_no_docid_adds_to_a_policy(client: FlaskClient, docid: str) -> None:
    """It is quoted where it stands in one."""
    found = policy(client, f"/bokeh/doc/{docid}/frame")
    assert len(found) == 12
    assert found["script-src"].endswith("'unsafe-eval' blob:")
    assert len(found["connect-src"].split()) == 2


@pytest.mark.parametrize(
    ("host", "source"),
    [
        ("plots.example.org", "http://plots.example.org/bokeh/static/"),
        ("127.0.0.1:5006", "http://127.0.0.1:5006/bokeh/static/"),
        ("[::1]:5006", "'self'"),
        ("a;b", None),
        ("a b", None),
        ("*", None),
        ("'self'", None),
    ],
)
def test_no_host_adds_to_a_policy(
    client: FlaskClient, docid: str, host: str, source: str | None
) -> None:
    """A name that no server has is refused; there is no form for an IPv6 address."""
    headers = {"Host": host}
    answer = client.get(f"/bokeh/doc/{docid}/frame", headers=headers)
    if source is None:
        assert answer.status_code == 400
    else:
        found = policy(client, f"/bokeh/doc/{docid}/frame", headers=headers)
        assert found["script-src"].split()[0] == source


def test_under_https_only_https_is_named(client: FlaskClient, docid: str) -> None:
    """As the browser knows the address."""
    found = policy(client, f"/bokeh/doc/{docid}/frame", base_url="https://plots.example.org")
    assert found["connect-src"] == (
        f"wss://plots.example.org/bokeh/doc/{docid}/ws "
        f"https://plots.example.org/bokeh/doc/{docid}/content"
    )
    assert "http:" not in " ".join(found.values())


def test_no_page_shows_a_document_outside_a_sandbox(app: Flask, docid: str) -> None:
    """Every route: what is a page and loads BokehJS is sandboxed, and no other page lets in code.

    A new page fails here until it is one or the other.
    """
    client, found = app.test_client(), set()
    values = {"docid": docid, "modelid": "line", "typename": "Figure", "elementid": "a"}
    for rule in app.url_map.iter_rules():
        if "GET" not in (rule.methods or ()) or rule.websocket:
            continue
        path = rule.rule
        for name, value in values.items():
            path = path.replace(f"<{name}>", value)
        for query in ("", "?public=true", "?revision=1", f"?docid={docid}&modelid=line"):
            answer = client.get(path + query, headers={"Accept": "text/html"})
            text = answer.get_data(as_text=True) if answer.mimetype.startswith("text/") else ""
            policy = answer.headers.get("Content-Security-Policy", "")
            kept = answer.headers.get("Content-Disposition", "").startswith("attachment")
            assert not kept or policy.startswith("sandbox; "), path
            if answer.mimetype == "text/html" and answer.status_code == 200 and not kept:
                found.add(rule.endpoint)
                assert ("sandbox allow-scripts allow-downloads;" in policy) is (BUNDLE in text)
                assert "allow-same-origin" not in policy + text
                if BUNDLE not in text:
                    assert "script-src 'self';" in policy, path
    pages = {"home", "index", "show_document", "show_model", "frame"}
    assert found >= {f"bokeh_server.{name}" for name in pages}


def test_a_server_for_one_has_no_frames(tmp_path: Path) -> None:
    """There `frame` is the name of a model, like any other, and pages are as they were."""
    alone = Flask("alone")
    server = BokehServer(alone, data_dir=tmp_path / "data", database="sqlite://")
    client = alone.test_client()
    docid = client.post("/bokeh/doc/", json={"title": "x"}).get_json()["docid"]
    assert client.get(f"/bokeh/doc/{docid}/frame").status_code == 404
    div = {"type": "object", "name": "Div", "id": "p1", "attributes": {"name": "frame"}}
    content = {"doc": {"title": "x", "roots": [div], "version": "3.9.2"}}
    assert client.put(f"/bokeh/doc/{docid}/content", json=content).status_code == 200
    for path in (f"/bokeh/doc/{docid}/frame", f"/bokeh/doc/{docid}/show?embedded=1&public=1"):
        answer = client.get(path, headers={"Sec-Fetch-Dest": "document"})
        page = answer.get_data(as_text=True)
        assert BUNDLE in page
        assert "iframe" not in page
        assert "hidden>" not in page.split("</header>")[0].split('class="bar"')[1][:9]
        assert answer.headers["Content-Security-Policy"].startswith("object-src 'none'; base-uri")
        assert "Origin-Agent-Cluster" not in answer.headers
    server.close()


def test_an_embedding_script_has_no_ticket(client: FlaskClient, docid: str) -> None:
    """It names the page to put into a frame, and nothing that opens anything."""
    script = client.get(f"/bokeh/autoload.js/a?docid={docid}&modelid=line&revision=1")
    text = script.get_data(as_text=True)
    assert "ticket" not in text.partition("= {")[2].partition("\n")[0]
    model = client.get(f"/bokeh/doc/{docid}/").get_json()["roots"][0]
    model = model["id"] if isinstance(model, dict) else model
    page = f"/bokeh/doc/{docid}/{model}?public=true\\u0026embedded=true\\u0026revision=1"
    assert f'"page":"{page}"' in text
    whole = client.get(f"/bokeh/autoload.js/a?docid={docid}").get_data(as_text=True)
    assert f'"page":"/bokeh/doc/{docid}/show?' in whole
