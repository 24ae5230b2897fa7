"""Bodies that are too large, too deep or no bodies: every route that takes one refuses them."""

from __future__ import annotations

from io import BytesIO

import pytest

from support.attacks import Site, Way

LIMIT = 200_000


def takers(site: Site) -> list[Way]:
    """Every route and method that may have a body."""
    return [way for way in site.ways() if way.method in ("POST", "PUT", "PATCH")]


def test_bodies_over_the_limit(site: Site) -> None:
    """Announced or in chunks, no route takes more than the limit (CVE-2021-27358)."""
    before = site.state(site.private)
    large = b'{"title": "' + b"x" * LIMIT + b'"}'
    for way in takers(site):
        path = way.address(site.private)
        declared = site.ask("ada", way.method, path, data=large, content_type="application/json")
        assert 400 <= declared.status_code < 500 or way.endpoint in WITHOUT_BODY, way
        chunked = site.ask(
            "ada", way.method, path, content_type="application/json",
            input_stream=BytesIO(large), environ_overrides={"wsgi.input_terminated": True},
        )  # fmt: skip
        assert 400 <= chunked.status_code < 500 or way.endpoint in WITHOUT_BODY, way
    put_back(site)
    assert site.state(site.private) == before


#: routes that never look at what is sent.
WITHOUT_BODY = {"publish", "unpublish", "collect_models", "logout", "logout_everywhere"}


def put_back(site: Site) -> None:
    """What routes without a body did nevertheless."""
    site.ask("ada", "POST", f"/bokeh/{site.private}/unpublish")


BOMBS = {
    "deep": b"[" * 100_000,
    "deep and closed": b"[" * 90_000 + b"]" * 90_000,
    "deep object": b'{"a":' * 30_000 + b"1" + b"}" * 30_000,
    "not a number": b'{"title": NaN, "role": NaN, "events": NaN, "doc": NaN}',
    "infinite": b'{"title": 1e999, "events": [1e999]}',
    "no text": b'{"title": "\xff\xfe"}',
    "half a character": b'{"title": "\\ud800"}',
    "nothing": b"",
    "null": b"null",
    "number": b"1" * 5000,
}


@pytest.mark.parametrize("name", sorted(BOMBS))
def test_bombs(site: Site, name: str) -> None:
    """A clear 4xx from every route that reads JSON, and nothing is changed."""
    before = site.state(site.private)
    for way in takers(site):
        if way.endpoint in WITHOUT_BODY:
            continue
        path = way.address(site.private)
        answer = site.ask(
            "ada", way.method, path, data=BOMBS[name], content_type="application/json"
        )
        assert 400 <= answer.status_code < 500, (way, answer.get_data(as_text=True)[:200])
    assert site.state(site.private) == before


def test_only_content_is_large(site: Site) -> None:
    """What holds no content of a document is refused before it is read: JSON is large in memory."""
    content = {"append_change", "keep_thumbnail", "replace_content", "set_attributes"}
    nested = b'{"username": [' + b"[]," * 25_000 + b"[]]}"
    for way in takers(site):
        if way.endpoint in content | {"upsert_models"} | set(WITHOUT_BODY):
            continue
        for who in ("ada", None):
            path = way.address(site.private)
            answer = site.ask(who, way.method, path, data=nested, content_type="application/json")
            # or it was not even looked at
            assert answer.status_code in (401, 403, 404, 413), (way, answer.status_code)
        if way.endpoint in ("login", "register", "ask_login", "collect_login"):
            assert answer.status_code == 413, way


def test_compressed_bodies(site: Site) -> None:
    """They are refused rather than unpacked, by every route that reads one."""
    for way in takers(site):
        if way.endpoint in WITHOUT_BODY:
            continue
        for encoding in ("gzip", "deflate", "br", "identity, gzip"):
            answer = site.ask(
                "ada", way.method, way.address(site.private), data=b"\x1f\x8b\x08\x00",
                content_type="application/json", headers={"Content-Encoding": encoding},
            )  # fmt: skip
            assert 400 <= answer.status_code < 500, (way, encoding)


def test_of_two_keys_of_a_name_the_last_counts_everywhere(site: Site) -> None:
    """What is checked is what is used: no part of the server reads the other one."""
    path = f"/bokeh/doc/{site.private}/grants/eve"
    body = b'{"role": "editor", "role": "viewer"}'
    answer = site.ask("ada", "PUT", path, data=body, content_type="application/json")
    assert answer.get_json()["role"] == "viewer"
    given = site.ask("ada", "GET", f"/bokeh/doc/{site.private}/grants").get_json()["grants"]
    assert [each["role"] for each in given if each["username"] == "eve"] == ["viewer"]
    assert site.ask("ada", "DELETE", path).status_code == 204
