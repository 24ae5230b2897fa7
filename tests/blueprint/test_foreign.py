"""The matrix of requests that pages of other sites can make."""

from __future__ import annotations

import pytest

from bokeh_server.blueprint.foreign import SAFE_METHODS, check_request

OWN = "http://plots.example.org"


@pytest.mark.parametrize(
    ("origin", "fetch_site", "allowed"),
    [
        (None, None, True),
        (None, "", True),
        (None, "none", True),
        (None, "same-origin", True),
        (None, "same-site", False),
        (None, "cross-site", False),
        (None, "something new", False),
        (OWN, None, True),
        (OWN, "same-origin", True),
        (OWN + ":80", None, True),
        ("https://plots.example.org:80", None, True),
        ("HTTP://PLOTS.example.ORG", None, True),
        ("https://plots.example.org", None, False),
        (OWN + ":8080", None, False),
        ("http://evil.example", None, False),
        ("http://evil.example", "same-origin", False),
        ("http://plots.example.org.evil.example", None, False),
        ("http://evil-plots.example.org", None, False),
        ("http://example.org", "same-site", False),
        ("null", None, False),
        ("null", "cross-site", False),
        ("", None, False),
        ("file://", None, False),
        ("http://", None, False),
        ("plots.example.org", None, False),
        ("http://plots.example.org/path", None, False),
        ("http://plots.example.org:99999", None, False),
        ("http://[::1", None, False),
        ("chrome-extension://plots.example.org", None, False),
    ],
)
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "post", "ODD"])
def test_changes_only_from_pages_of_this_server(
    method: str, origin: str | None, fetch_site: str | None, allowed: bool
) -> None:
    """What changes something is taken from our pages and from programs, from nobody else."""
    decision = check_request(
        method, "http", "plots.example.org", origin=origin, fetch_site=fetch_site
    )
    assert bool(decision) is allowed
    assert decision.reason


@pytest.mark.parametrize("method", sorted(SAFE_METHODS))
def test_whoever_may_look(method: str) -> None:
    """Requests that change nothing are not looked at: other sites cannot read the answers."""
    assert check_request(
        method, "http", "plots.example.org", origin="http://evil.example", fetch_site="cross-site"
    )


@pytest.mark.parametrize(
    ("host", "origin", "allowed"),
    [
        ("localhost:5006", "http://localhost:5006", True),
        ("localhost:5006", "http://localhost:5007", False),
        ("[::1]:5006", "http://[::1]:5006", True),
        ("127.0.0.1:5006", "http://localhost:5006", False),
        ("", "http://localhost", False),
    ],
)
def test_ports_and_addresses_count(host: str, origin: str, allowed: bool) -> None:
    """Another port is another site, and so is another name of the same machine."""
    decision = check_request("POST", "http", host, origin=origin, fetch_site=None)
    assert bool(decision) is allowed
