"""Decisions about links and keys; those about people are in the table of the blueprint's routes."""

from __future__ import annotations

import timeit

import pytest

from bokeh_server.permissions import Action, Actor, Pass, Resource, Role, decide

LINE = Resource("ada", roles={"bob": "editor", "eve": "viewer"}, docid="line")
OPEN = Resource("ada", published=True, docid="line")
ALL = (Action.READ, Action.WRITE, Action.OWN)

VIEWER = Pass("v", "line", Role.VIEWER)
EDITOR = Pass("e", "line", Role.EDITOR)
PINNED = Pass("p", "line", Role.VIEWER, revision=7)
OTHER = Pass("o", "curve", Role.EDITOR)


def may(name: str | None, *passes: Pass, of: Resource = LINE) -> list[str]:
    """What somebody may do who holds these passes."""
    actor = Actor(name, passes=passes)
    return [action.value for action in ALL if decide(actor, action, of)]


@pytest.mark.parametrize(
    ("name", "passes", "most"),
    [
        (None, (VIEWER,), ["read"]),
        (None, (EDITOR,), ["read", "write"]),
        (None, (VIEWER, EDITOR), ["read", "write"]),
        (None, (EDITOR, VIEWER), ["read", "write"]),
        (None, (OTHER,), []),
        (None, (PINNED,), []),
        ("eve", (EDITOR,), ["read", "write"]),
        ("bob", (VIEWER,), ["read", "write"]),
        ("ada", (VIEWER,), ["read", "write", "own"]),
        ("mallory", (OTHER, PINNED), []),
        ("mallory", (OTHER, VIEWER), ["read"]),
    ],
)
def test_the_larger_right_counts(
    name: str | None, passes: tuple[Pass, ...], most: list[str]
) -> None:
    """Of all that somebody is and holds; nobody owns by a pass, nor uses one elsewhere."""
    assert may(name, *passes) == most


def test_a_published_document_is_read_by_everybody() -> None:
    """Whatever they hold, and an editor's pass is an editor's."""
    assert may(None, PINNED, of=OPEN) == may(None, OTHER, of=OPEN) == ["read"]
    assert may(None, EDITOR, of=OPEN) == ["read", "write"]


@pytest.mark.parametrize(
    ("action", "revision", "allowed"),
    [
        (Action.READ, 7, True),
        (Action.READ, 6, False),
        (Action.READ, 8, False),
        (Action.READ, 0, False),
        (Action.READ, None, False),
        (Action.WRITE, 7, False),
        (Action.OWN, 7, False),
    ],
)
def test_a_pinned_pass_shows_one_revision(
    action: Action, revision: int | None, allowed: bool
) -> None:
    """It is read, and nothing else is, and the refusal says so."""
    decision = decide(Actor(None, passes=(OTHER, PINNED)), action, LINE, revision)
    assert bool(decision) is allowed
    assert "revision 7" in decision.reason


def test_two_pinned_passes_show_two() -> None:
    """And not what is between."""
    actor = Actor(None, passes=(PINNED, Pass("q", "line", Role.VIEWER, revision=9)))
    shown = [seq for seq in range(12) if decide(actor, Action.READ, LINE, seq)]
    assert shown == [7, 9]


def test_reasons_and_signatures() -> None:
    """A decision names the pass it is for; changes are signed by who is known, else by the pass."""
    assert decide(Actor(None, passes=(EDITOR,)), Action.WRITE, LINE).reason == (
        "the link makes its holder editor"
    )
    assert Actor("eve", passes=(EDITOR,)).signature("line") == "eve"
    assert Actor(None, passes=(OTHER, VIEWER, EDITOR)).signature("line") == "link e"
    key = Pass("k", "line", Role.EDITOR, "key")
    assert Actor(None, passes=(key,)).signature("line") == "key k"
    assert Actor(None, passes=(OTHER, VIEWER)).signature("line") == "link v"
    assert Actor(None, passes=(OTHER,)).signature("line") == ""
    assert Actor(None).signature("line") == ""


def test_a_check_takes_microseconds() -> None:
    """With as many passes as a browser may hold, too: far from the 20 that it may take."""
    many = tuple(Pass(str(n), "curve", Role.EDITOR) for n in range(15))
    actor = Actor("mallory", passes=(*many, EDITOR))
    best = min(timeit.repeat(lambda: decide(actor, Action.WRITE, LINE), number=1000, repeat=5))
    assert best / 1000 < 20e-6
