"""Which pages may open a WebSocket."""

from __future__ import annotations

import pytest
from bokeh.server.util import check_allowlist, create_hosts_allowlist
from hypothesis import given
from hypothesis import strategies as st

from bokeh_server.sockets import check_name, check_origin

LOCAL = "localhost:5006"
CORP = ("dashboard.corp",)


@pytest.mark.parametrize(
    ("origin", "host", "allowed", "granted"),
    [
        # no browser
        (None, LOCAL, (), True),
        (None, "evil.example", (), True),
        # our own pages
        ("http://localhost:5006", LOCAL, (), True),
        ("http://LOCALHOST:5006", LOCAL, (), True),
        ("http://127.0.0.1:5006", "127.0.0.1:5006", (), True),
        ("http://[::1]:5006", "[::1]:5006", (), True),
        ("http://[0:0:0:0:0:0:0:1]:5006", "[::1]:5006", (), True),
        ("http://localhost", "localhost", (), True),
        ("http://localhost", "localhost:80", (), True),
        ("https://localhost", "localhost:443", (), True),
        # our own host under a name we were not told: it may have been rebound
        ("http://evil.example:5006", "evil.example:5006", (), False),
        ("http://localhost.evil.example:5006", "localhost.evil.example:5006", (), False),
        ("http://127.0.0.1.evil.example", "127.0.0.1.evil.example", (), False),
        ("https://plots.example.org", "plots.example.org", ("plots.example.org",), True),
        ("https://plots.example.org", "plots.example.org:80", ("plots.example.org:5006",), False),
        ("http://plots.example.org/", "plots.example.org", ("plots.example.org",), False),
        ("HTTP://plots.example.org", "PLOTS.example.org", ("plots.example.org",), True),
        ("https://plots.example.org:8443", "plots.example.org:8443", ("plots.example.org",), True),
        # other sites
        ("http://evil.example", LOCAL, (), False),
        ("http://localhost:8888", LOCAL, (), False),
        ("http://127.0.0.1:5006", LOCAL, (), False),
        ("http://localhost:80", LOCAL, (), False),
        ("http://localhost.:5006", LOCAL, (), False),
        ("http://localhost:5006.evil.example", LOCAL, (), False),
        # allowed ones
        ("http://dashboard.corp", LOCAL, CORP, True),
        ("http://dashboard.corp:80", LOCAL, CORP, True),
        ("https://dashboard.corp", LOCAL, CORP, True),
        ("http://DASHBOARD.corp", LOCAL, CORP, True),
        ("http://dashboard.corp:5006", LOCAL, CORP, False),
        ("http://dashboard.corp:5006", LOCAL, ("dashboard.corp:5006",), True),
        ("http://dashboard.corp:5006", LOCAL, ("dashboard.corp:*",), True),
        ("https://dashboard.corp", LOCAL, ("dashboard.corp:443",), True),
        ("http://dashboard.corp", LOCAL, ("dashboard.corp:443",), False),
        # CVE-2026-21883 and its relatives
        ("http://dashboard.corp.evil.com", LOCAL, CORP, False),
        ("http://evil.dashboard.corp", LOCAL, CORP, False),
        ("http://xdashboard.corp", LOCAL, CORP, False),
        ("http://dashboard.corpx", LOCAL, CORP, False),
        ("http://dashboard.corp.", LOCAL, CORP, False),
        ("http://dashboard", LOCAL, CORP, False),
        ("http://dashboard.corp@evil.com", LOCAL, CORP, False),
        ("http://evil.com/dashboard.corp", LOCAL, CORP, False),
        ("http://evil.com#dashboard.corp", LOCAL, CORP, False),
        ("http://evil.com\\@dashboard.corp", LOCAL, CORP, False),
        # wildcards: one part each
        ("http://a.example.org", LOCAL, ("*.example.org",), True),
        ("http://a.b.example.org", LOCAL, ("*.example.org",), False),
        ("http://example.org", LOCAL, ("*.example.org",), False),
        ("http://.example.org", LOCAL, ("*.example.org",), False),
        ("http://192.168.7.9", LOCAL, ("192.168.*.*",), True),
        ("http://192.168.7.9.evil.com", LOCAL, ("192.168.*.*",), False),
        ("http://anything.at.all:1234", LOCAL, ("*",), True),
        ("http://anything:80", LOCAL, ("*:80",), True),
        ("http://anything:81", LOCAL, ("*:80",), False),
        # IPv6 and other alphabets
        ("http://[::1]:5006", LOCAL, ("[::1]:5006",), True),
        ("http://[::1]:5007", LOCAL, ("[::1]:5006",), False),
        ("http://[::1", LOCAL, ("[::1]:5006",), False),
        ("http://xn--bcher-kva.example", LOCAL, ("bücher.example",), True),
        ("http://xn--bcher-kva.example", LOCAL, ("bucher.example",), False),
        # what is no origin of a web page
        ("null", LOCAL, (), False),
        ("null", LOCAL, ("*",), False),
        ("", LOCAL, ("*",), False),
        ("*", LOCAL, ("*",), False),
        ("http://*", LOCAL, ("*",), False),
        ("localhost:5006", LOCAL, (), False),
        ("file://", LOCAL, (), False),
        ("chrome-extension://abcdef", LOCAL, (), False),
        ("http://localhost:5006, http://evil.com", LOCAL, (), False),
        ("http://localhost:99999", LOCAL, ("*",), False),
        ("http://localhost:5006", "", (), False),
        ("http://localhost:5006", "localhost:5006,evil.com", (), False),
    ],
)
def test_origins(origin: str | None, host: str, allowed: tuple[str, ...], granted: bool) -> None:
    """Every row is decided as it says, with a reason."""
    decision = check_origin(origin, host, allowed)
    assert bool(decision) is granted
    assert decision.reason


@pytest.mark.parametrize("allowed", [(), ("*",), ("localhost:5006",)])
def test_a_ticket_for_a_frame_opens_to_frames_alone(allowed: tuple[str, ...]) -> None:
    """A page without an origin needs one; it is of no use to any other page, nor to a program."""
    assert check_origin("null", LOCAL, allowed, "frame")
    for kind in (None, "page"):
        assert not check_origin("null", LOCAL, allowed, kind)  # type: ignore[arg-type]
    for origin in (None, "", "NULL", "http://localhost:5006", "https://blog.example", "file://"):
        assert not check_origin(origin, LOCAL, allowed, "frame")


@pytest.mark.parametrize("origin", ["null", "https://blog.example", "chrome-extension://abcdef"])
def test_a_ticket_for_embedding_opens_to_any_page(origin: str) -> None:
    """One for our own pages does not, nor does none; what is no origin stays outside."""
    assert check_origin(origin, LOCAL, (), "embed")
    assert not check_origin(origin, LOCAL, (), "page")
    assert not check_origin(origin, LOCAL, (), None)
    assert not check_origin("http://user@blog.example", LOCAL, (), "embed")


def test_a_refusal_says_what_to_do() -> None:
    """It names the origin and the option."""
    reason = check_origin("http://blog.example", LOCAL, ()).reason
    assert "blog.example" in reason
    assert "--allow-websocket-origin" in reason


names = st.lists(st.sampled_from(["a", "b", "corp", "com", "127"]), min_size=1, max_size=4)
ports = st.sampled_from(["", ":80", ":443", ":5006"])
entries = st.lists(st.sampled_from(["a", "corp", "*"]), min_size=1, max_size=3)


@given(names, ports, entries, ports)
def test_http_pages_are_allowed_as_bokeh_allows_them(
    name: list[str], port: str, entry: list[str], entry_port: str
) -> None:
    """Bokeh's own functions are the oracle for entries without special characters."""
    pattern = ".".join(entry) + entry_port
    netloc = ".".join(name) + port
    expected = check_allowlist(netloc, create_hosts_allowlist([pattern], 5006))
    assert bool(check_origin(f"http://{netloc}", LOCAL, (pattern,))) is expected


@given(st.text(max_size=40), st.text(max_size=40), st.lists(st.text(max_size=20), max_size=3))
def test_no_text_breaks_the_check(origin: str, host: str, allowed: list[str]) -> None:
    """Whatever a client sends or an administrator types: a decision, never an error."""
    assert check_origin(origin, host, allowed).reason
    assert check_origin(f"http://{origin}", host, allowed).reason


@pytest.mark.parametrize(
    ("host", "names", "known"),
    [
        ("localhost:5006", (), True),
        ("127.0.0.1", (), True),
        ("192.168.7.9:5006", (), True),
        ("[fe80::1]:5006", (), True),
        ("lab:5006", (), False),
        ("lab:5006", ("lab",), True),
        ("LAB:5006", ("lab",), True),
        ("lab.evil.example:5006", ("lab",), False),
        ("evil.example", ("lab",), False),
        ("", ("lab",), False),
        ("a b", ("*",), False),
    ],
)
def test_names_that_are_ours(host: str, names: tuple[str, ...], known: bool) -> None:
    """Addresses cannot be rebound; a name has to be known, whether it is allowed or our own."""
    assert bool(check_name(host, (), names=names)) is known
    assert bool(check_name(host, names)) is known
    if host:
        assert bool(check_origin(f"http://{host}", host, (), names=names)) is known
        assert bool(check_origin(f"http://{host}", host, (), "embed")) is (" " not in host)
