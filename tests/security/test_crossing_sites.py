"""Requests that pages of other sites make, with somebody's cookie, against real routes."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

import pytest

from support.attacks import HOST, OURS, PASSWORD, Site

SITES = (None, "none", "same-origin", "same-site", "cross-site", "something new")
MODES = (None, "navigate", "cors", "no-cors")
OWN = f"http://{HOST}"
ORIGINS = (None, OWN, "null", "http://evil.example")
#: what is changed, and how: JSON of scripts, and forms, which any page may send.
CHANGES: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("POST", "/bokeh/doc/", {"json": {"title": "made by another site"}}),
    ("PATCH", "/bokeh/doc/{docid}/", {"json": {"title": "renamed"}}),
    ("PUT", "/bokeh/doc/{docid}/grants/eve", {"json": {"role": "editor"}}),
    ("POST", "/bokeh/{docid}/publish", {}),
    ("DELETE", "/bokeh/doc/{docid}/", {}),
    (
        "POST",
        "/bokeh/doc/{docid}/changes",
        {"data": '{"events": []}', "content_type": "text/plain"},
    ),
    ("POST", "/bokeh/account/logout", {"data": {}}),
    ("POST", "/bokeh/login", {"data": {"username": "eve", "password": PASSWORD}}),
    ("POST", "/bokeh/logout", {"data": {}}),
)


def is_ours(site: str | None, origin: str | None) -> bool:
    """Whether only a page of ours, or no page at all, sends such a request."""
    return site in (None, "none", "same-origin") and origin in (None, OWN)


def headers(site: str | None, mode: str | None, origin: str | None) -> dict[str, str]:
    """What a browser says of a request."""
    said = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": mode, "Origin": origin}
    return {name: value for name, value in said.items() if value is not None}


MATRIX = list(product(SITES, MODES, ORIGINS))


@pytest.mark.parametrize(("fetch_site", "mode", "origin"), MATRIX)
def test_the_matrix(
    site: Site, fetch_site: str | None, mode: str | None, origin: str | None
) -> None:
    """All 96 ways of Sec-Fetch-Site, -Mode and Origin, for each method and for forms.

    Whatever another site may have sent is refused before anything is looked at, and changes
    nothing; ``no-cors`` is no better than any other mode (CVE-2026-40864), and what is absent
    counts as no page's only where no page can leave it out (CVE-2020-36191).
    """
    said = headers(fetch_site, mode, origin)
    before = site.state(site.private)
    if is_ours(fetch_site, origin):
        # any of them would do what it says; one that does no harm shows that it is let through
        path = f"/bokeh/doc/{site.private}/"
        answer = site.clients["ada"].patch(path, json={"title": "private"}, headers=said)
        assert answer.status_code == 200
        return
    for method, path, body in CHANGES:
        answer = site.clients["ada"].open(
            path.format(docid=site.private), method=method, headers=said, **body
        )
        assert answer.status_code == 403, (method, path)
        assert "Set-Cookie" not in answer.headers
        assert "Access-Control-Allow-Origin" not in answer.headers
    assert site.state(site.private) == before
    assert site.clients["ada"].get("/bokeh/userinfo/").get_json()["username"] == "ada"


def test_there_are_96() -> None:
    """As many as the reference asks for, and both answers among them."""
    assert len(MATRIX) == len(set(MATRIX)) == 96
    allowed = [each for each in MATRIX if is_ours(each[0], each[2])]
    assert len(allowed) == 24


@pytest.mark.parametrize("fetch_site", ["cross-site", "same-site"])
@pytest.mark.parametrize("origin", ["null", "http://evil.example"])
@pytest.mark.parametrize("cookie", [True, False])
def test_a_token_beside_a_cookie_is_no_way_round(
    site: Site, fetch_site: str, origin: str, cookie: bool
) -> None:
    """A page of another site is refused with a token, too, be it good, bad or empty."""
    client = site.clients["ada"] if cookie else site.app.test_client()
    for token in (site.tokens["ada"], "bks_bad", ""):
        said = {**headers(fetch_site, "cors", origin), "Authorization": f"Bearer {token}"}
        answer = client.post("/bokeh/doc/", json={"title": "x"}, headers=said)
        assert answer.status_code == 403


@pytest.mark.parametrize("token", ["", "bks_bad", "x" * 5000])
def test_a_bad_token_never_falls_back_to_the_cookie(site: Site, token: str) -> None:
    """Who sends one means it: the request is nobody's, also from a page of ours."""
    said = {**OURS, "Authorization": f"Bearer {token}"}
    for method in ("GET", "DELETE"):
        path = f"/bokeh/doc/{site.private}/"
        assert site.clients["ada"].open(path, method=method, headers=said).status_code == 401
    assert site.ask("ada", "GET", f"/bokeh/doc/{site.private}/").status_code == 200


ODD = [
    "", " ", "null ", "NULL", "http://", "://", "http://[", "http://[::1", "http://[::g]", "//",
    "http://localhost:-1", "http://localhost:99999", "http://localhost:port", "http://a b",
    "http://localhost, http://localhost", "http://localhost http://localhost", "file://", "\xe9",
    "http://\xff.example", "http://localhost\x7f", "javascript:alert(1)", "x" * 9000,
    "http://" + "a." * 3000, "http://user:pw@localhost", "http://localhost/", "http://localhost?",
    "http://localhost#", "http://localhost\\", "http://%6cocalhost", "https://xn--", "blob:null",
]  # fmt: skip


@pytest.mark.parametrize("value", ODD)
@pytest.mark.parametrize("name", ["Origin", "Sec-Fetch-Site", "Sec-Fetch-Mode", "Host", "Referer"])
def test_malformed_headers_are_a_clear_refusal(site: Site, name: str, value: str) -> None:
    """No text in one of these headers is a 500, and none in the two that decide is let through."""
    answer = site.clients["ada"].post(
        "/bokeh/doc/", json={"title": f"by {name}"}, headers={**OURS, name: value}
    )
    assert answer.status_code in (201, 400, 403, 409)
    if name == "Origin" or (name == "Sec-Fetch-Site" and value.strip()):
        assert answer.status_code == 403


def _safe(site: Site) -> Iterator[tuple[str, str]]:
    for way in site.ways():
        if way.method == "GET" and not way.is_socket:
            yield way.endpoint, way.address(site.private)


@pytest.mark.parametrize("mode", ["navigate", "no-cors", "cors"])
def test_looking_changes_nothing(site: Site, mode: str) -> None:
    """Every address that takes GET, asked by a page of another site with the cookie of the owner.

    Nothing is changed, nobody is logged in or out, and no answer may be read by that page.
    """
    before, secret = site.state(site.private), site.secret("ada")
    for endpoint, path in _safe(site):
        said = headers("cross-site", mode, None if mode == "navigate" else "http://evil.example")
        answer = site.clients["ada"].get(path, headers=said)
        assert answer.status_code < 500, endpoint
        assert "Set-Cookie" not in answer.headers, endpoint
        if endpoint not in ("bokehjs", "own_file"):
            assert "Access-Control-Allow-Origin" not in answer.headers, endpoint
    assert site.state(site.private) == before
    assert site.secret("ada") == secret
