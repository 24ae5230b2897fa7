"""The origins that may embed a document: what is taken, in which form, and what they allow."""

from __future__ import annotations

import pytest

from bokeh_server.errors import BadRequest
from bokeh_server.sites import MOST_SITES, check_sites, permits, read_sites, write_sites


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("https://example.org", "https://example.org"),
        (" HTTPS://Example.ORG ", "https://example.org"),
        ("https://example.org:443", "https://example.org"),
        ("http://example.org:080", "http://example.org"),
        ("http://localhost:8000", "http://localhost:8000"),
        ("http://127.0.0.1:80", "http://127.0.0.1"),
        ("https://*.example.org:8443", "https://*.example.org:8443"),
        ("https://bücher.example", "https://xn--bcher-kva.example"),
        ("https://xn--bcher-kva.example", "https://xn--bcher-kva.example"),
        ("https://a_b.example.org", "https://a_b.example.org"),
    ],
)
def test_one_form(given: str, kept: str) -> None:
    """However it is written, a site is kept as a browser tells its origin."""
    assert check_sites([given, given]) == (kept,)


@pytest.mark.parametrize(
    "given",
    [
        "", "*", "null", "example.org", "//example.org", "ftp://example.org", "https://",
        "https://example.org/", "https://example.org/a", "https://example.org?a",
        "https://example.org#a", "https://me@example.org", "https://example.org:",
        "https://example.org:0", "https://example.org:65536", "https://example.org:*",
        "https://*", "https://*.org", "https://*.127.0.0.1", "https://a.*.org", "https://a*.b.org",
        "https://*.*.example.org", "https://example.org.", "https://a..b", "https://-a.org",
        "https://a b", "https://a;script-src *", "https://a,b", "https://'self'", "https://a\\b",
        "https://a.org\r\nX-A: b", "https://a.org\x00", "https://[::1]:8000", "https://[::1",
        "https://straße.example", "https://1.2.3", "https://0x7f.1", "https://999.1.1.1",
        "https://" + "a" * 64 + ".org", "https://" + "a." * 130 + "org", "https://" + "ü" * 70,
    ],
)  # fmt: skip
def test_what_is_no_site(given: str) -> None:
    """A reason is given, and nothing else can get into a header by it."""
    with pytest.raises(BadRequest, match="choose the sites"):
        check_sites([given])


@pytest.mark.parametrize("given", ["https://a.org", {"a": 1}, 1, [1], [None], [["https://a.org"]]])
def test_what_is_no_list(given: object) -> None:
    """Only lists of texts are."""
    with pytest.raises(BadRequest):
        check_sites(given)


def test_limits() -> None:
    """So many, and so long together; every site and no site are different things."""
    assert len(check_sites([f"https://a{i}.org" for i in range(MOST_SITES)]) or ()) == MOST_SITES
    with pytest.raises(BadRequest, match="more than"):
        check_sites([f"https://a{i}.org" for i in range(MOST_SITES + 1)])
    with pytest.raises(BadRequest, match="too long"):
        check_sites([f"https://{i:02}{'a' * 60}.{'b' * 60}.org" for i in range(MOST_SITES)])
    for sites in (None, (), ("https://a.org", "http://b.org")):
        assert read_sites(write_sites(check_sites(sites))) == sites


@pytest.mark.parametrize(
    ("site", "origin", "allowed"),
    [
        ("https://example.org", "https://example.org", True),
        ("https://example.org", "https://example.org:443", True),
        ("https://example.org", "HTTPS://EXAMPLE.ORG", True),
        ("https://example.org", "http://example.org", False),
        ("http://example.org", "https://example.org", True),
        ("https://example.org", "https://example.org:8443", False),
        ("https://example.org", "https://example.org.evil.net", False),
        ("https://example.org", "https://evilexample.org", False),
        ("https://example.org", "https://www.example.org", False),
        ("https://example.org", "null", False),
        ("https://example.org", "", False),
        ("https://example.org", "file://", False),
        ("https://*.example.org", "https://a.example.org", True),
        ("https://*.example.org", "https://b.a.example.org", True),
        ("https://*.example.org", "https://example.org", False),
        ("https://*.example.org", "https://.example.org", False),
        ("https://*.example.org", "https://evil.net/.example.org", False),
        ("https://*.example.org", "https://a.example.org:1", False),
        ("https://*.example.org:1", "https://a.example.org:1", True),
        ("http://localhost:8000", "http://localhost:8000", True),
        ("http://localhost:8000", "http://localhost:8001", False),
    ],
)
def test_who_may(site: str, origin: str, allowed: bool) -> None:
    """As browsers read such a list: whole names, and one part or more for a star."""
    assert permits((site,), origin) is allowed
    assert permits(None, origin)
    assert not permits((), origin)
