"""What answers say to caches and browsers, and that nothing which is sent gets into their code."""

from __future__ import annotations

from typing import Any

import pytest

from support.attacks import OURS, Site

#: what is the same for everybody, and may be kept.
FILES = {"bokehjs", "own_file"}


def every_answer(site: Site, name: str) -> dict[str, Any]:
    """The answer of every route that takes GET, to somebody's browser."""
    found = {}
    for way in site.ways():
        if way.method == "GET" and not way.is_socket:
            path = way.address(site.private)
            found[way.endpoint] = site.clients[name].get(path, headers={"Accept": "text/html"})
    return found


@pytest.mark.parametrize("name", ["ada", "eve"])
def test_no_cache_gives_an_answer_to_somebody_else(site: Site, name: str) -> None:
    """Every route says no-store and by what the answer differs (CVE-2023-30861)."""
    for endpoint, answer in every_answer(site, name).items():
        assert answer.headers["X-Content-Type-Options"] == "nosniff", endpoint
        if endpoint in FILES and answer.status_code == 200:
            continue
        assert "private" in answer.headers["Cache-Control"], endpoint
        assert "public" not in answer.headers["Cache-Control"], endpoint
        assert {"Cookie", "Authorization"} <= set(answer.vary), endpoint


def test_errors_and_changes_are_kept_by_no_cache(site: Site) -> None:
    """An error, an answer to a change and a redirect to the login, too."""
    client = site.clients["ada"]
    answers = [
        client.get("/bokeh/doc/none/"),
        client.patch(f"/bokeh/doc/{site.private}/", json={"title": "private"}, headers=OURS),
        client.post("/bokeh/doc/", json={}, headers=OURS),
        site.app.test_client().get("/bokeh/account", headers={"Accept": "text/html"}),
    ]
    assert [each.status_code for each in answers] == [404, 200, 400, 302]
    for answer in answers:
        assert answer.headers["Cache-Control"] == "private, no-store"
        assert "Cookie" in answer.vary


INJECTED = [
    "a\r\nSet-Cookie: planted=1",
    "a\nX-Evil: 1",
    "a\r\n\r\n<script>x</script>",
    "a\x00b",
    "\u2028x",
]


@pytest.mark.parametrize("text", INJECTED)
def test_no_text_adds_a_header(site: Site, text: str) -> None:
    """As a title, a name, a parameter, an id or a key: refused, or no more than text."""
    attempts = [
        site.ask("ada", "POST", "/bokeh/doc/", json={"title": text}),
        site.ask("ada", "PATCH", f"/bokeh/doc/{site.private}/", json={"title": text}),
        site.ask(None, "POST", "/bokeh/register", json={"username": text, "password": text * 9}),
        site.ask("ada", "GET", "/bokeh/doc/", query_string={"title": text}),
        site.ask(None, "GET", "/bokeh/login", query_string={"next": text, "username": text}),
        site.ask("ada", "GET", f"/bokeh/doc/{site.private}/show", query_string={"revision": text}),
    ]
    for answer in attempts:
        assert answer.status_code < 500
        assert "planted" not in answer.headers.get("Set-Cookie", "")
        assert "X-Evil" not in answer.headers
        assert not any("\n" in value for value in answer.headers.values())


TEMPLATES = ["{{7*7}}", "{% raw %}", "${7*7}", "#{7*7}", "<%= 7*7 %>", "{{config}}", "%(x)s", "{0}"]


@pytest.mark.parametrize("title", TEMPLATES)
def test_titles_are_no_templates(site: Site, title: str) -> None:
    """On every page that has it, a title is shown as it was written."""
    made = site.ask("ada", "POST", "/bokeh/doc/", json={"title": title})
    assert made.status_code == 201
    docid = made.get_json()["docid"]
    assert made.get_json()["title"] == title
    for path in ("/bokeh/", f"/bokeh/doc/{docid}/show"):
        page = site.clients["ada"].get(path, headers={"Accept": "text/html"}).get_data(as_text=True)
        assert ">49<" not in page
        assert "SECRET_KEY" not in page
    assert site.ask("ada", "DELETE", f"/bokeh/doc/{docid}/").status_code == 204


IDS = [
    ":id", ":key", "*", "%25", "0", "1", "-1", "..", ".", "%2e%2e", "..%2f..%2fetc%2fpasswd",
    "null", "undefined", "true", "%00", "%0a", "%ff", "' OR 1=1 --", "x" * 500, "__proto__", "con",
    "nul.js", "private", "%F0%9F%92%A9",
]  # fmt: skip


@pytest.mark.parametrize("docid", IDS)
def test_ids_that_nobody_was_given(site: Site, docid: str) -> None:
    """Patterns, numbers, names of other things: no document for anybody (CVE-2021-39226)."""
    before = site.state(site.private), site.state(site.published)
    for who in ("ada", "eve", None):
        for method in ("GET", "DELETE", "PATCH"):
            answer = site.ask(who, method, f"/bokeh/doc/{docid}/", json={"title": "x"})
            assert answer.status_code in (301, 308, 400, 401, 404, 405), (who, method)
    assert (site.state(site.private), site.state(site.published)) == before


def test_nobody_changes_anything(site: Site) -> None:
    """Every other method than GET on every route, asked by who is not known: no change.

    What is of a document is a clear 4xx; elsewhere somebody may begin to log in.
    """
    before = site.state(site.private), site.state(site.published)
    for way in site.ways():
        if way.method == "GET":
            continue
        for docid in (site.private, site.published, "*", ":id"):
            answer = site.ask(None, way.method, way.address(docid), json={})
            assert answer.status_code < 500, way
            assert answer.status_code >= 400 or "<docid>" not in way.rule, way
    assert (site.state(site.private), site.state(site.published)) == before


def test_an_id_is_not_used_again(site: Site) -> None:
    """Who had a right on a document that was deleted has none on any later one (CVE-2026-21725)."""
    docid = site.document("to be deleted")
    grant = f"/bokeh/doc/{docid}/grants/eve"
    assert site.ask("ada", "PUT", grant, json={"role": "editor"}).status_code == 200
    assert site.ask("eve", "GET", f"/bokeh/doc/{docid}/").status_code == 200
    assert site.ask("ada", "DELETE", f"/bokeh/doc/{docid}/").status_code == 204
    assert site.ask("eve", "GET", f"/bokeh/doc/{docid}/").status_code == 404
    again = site.document("to be deleted")
    assert again != docid
    assert site.ask("eve", "GET", f"/bokeh/doc/{again}/").status_code == 404
    chosen = site.ask("ada", "POST", "/bokeh/doc/", json={"title": "chosen", "docid": docid})
    assert chosen.status_code != 201 or chosen.get_json()["docid"] != docid
