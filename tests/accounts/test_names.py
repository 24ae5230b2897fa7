"""What names and passwords may be."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bokeh_server.accounts import LEAST_PASSWORD, check_name, check_password, folded
from bokeh_server.accounts.names import MOST_PASSWORD
from bokeh_server.errors import BadRequest
from bokeh_server.permissions import SINGLE_USER


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("ada", "ada"),
        (" Ada\n", "ada"),
        ("Ada.Lovelace+plots@example.org", "ada.lovelace+plots@example.org"),
        ("0", "0"),
        ("a" * 64, "a" * 64),
        ("x_y-z", "x_y-z"),
        ("\u212aate", "kate"),  # the sign for kelvin is a k in lower case
    ],
)
def test_names_that_can_be(name: str, kept: str) -> None:
    """They are kept in lower case, without spaces around."""
    assert check_name(name) == kept


@pytest.mark.parametrize(
    "name",
    [
        "", " ", "a" * 65, "-a", ".a", "@a", "a b", "a/b", "a\0b", "a\nb", "añb", "\ud800",
        "<b>", "a%b", "a:b", "\u202eada", "\u0430da", SINGLE_USER, SINGLE_USER.upper(),
        None, 7, b"ada", ["ada"], {"name": "ada"}, True,
    ],
)  # fmt: skip
def test_names_that_cannot_be(name: object) -> None:
    """Neither what stands for something in an address, nor what looks like another name."""
    with pytest.raises(BadRequest):
        check_name(name)


@given(st.text() | st.none() | st.integers())
@example("İ")
@example("\ud800")
def test_a_name_is_checked_once(name: object) -> None:
    """What was accepted is folded already and accepted again; nothing else than an error is."""
    try:
        kept = check_name(name)
    except BadRequest:
        return
    assert kept == folded(kept) == folded(name) == check_name(kept)
    assert kept.isascii()
    assert kept.isprintable()


@pytest.mark.parametrize(
    "password",
    [
        "p" * LEAST_PASSWORD, "p" * MOST_PASSWORD, "several words make one", "пароль пароль",
        "🌋" * LEAST_PASSWORD, "\0" * LEAST_PASSWORD, " " * LEAST_PASSWORD,
    ],
)  # fmt: skip
def test_passwords_that_can_be(password: str) -> None:
    """Any text of that length, as it is."""
    assert check_password(password, "ada") == password


@pytest.mark.parametrize(
    "password",
    ["", "p" * (LEAST_PASSWORD - 1), "p" * (MOST_PASSWORD + 1), "ada.lovelace", " Ada.Lovelace ",
     "half \ud83c of a picture", None, 12345678, b"several words", ["several words"]],
)  # fmt: skip
def test_passwords_that_cannot_be(password: object) -> None:
    """Too short or too long, the name again, or nothing that anybody could type."""
    with pytest.raises(BadRequest) as caught:
        check_password(password, "ada.lovelace")
    if isinstance(password, str) and len(password) > 1:
        assert password not in str(caught.value)
