"""Who is watching: counted for everybody, named for those who may change the document."""

from __future__ import annotations

from typing import Any

from bokeh_server.blueprint.documents.presence import OVER, Presence, PresenceHandler
from bokeh_server.documents import Identity
from bokeh_server.permissions import Actor
from support.browser import wait_until

ADA, GRACE, EVE = Actor("ada"), Actor("grace"), Actor("eve")


class Documents:
    """An engine of one document, whose viewers a test chooses."""

    def __init__(self) -> None:
        self.names: list[str | None] = []
        self.found: Identity | None = Identity("d", "lake", "ada", True, {"grace": "editor"})
        self.notify: Any = None

    def people(self, docid: str) -> list[str | None]:
        """Who watches."""
        return self.names

    def identity(self, docid: str) -> Identity | None:
        """Whose it is."""
        return self.found

    def watch(self, callback: Any) -> Any:
        """Hear of what happens."""
        self.notify = callback
        return lambda: None


class Line:
    """A connection that keeps what is sent."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.closed: list[tuple[int, str]] = []

    def send(self, data: bytes) -> None:
        """Keep it."""
        self.sent.append(data)

    def close(self, code: int, reason: str) -> None:
        """Keep that."""
        self.closed.append((code, reason))


def make() -> tuple[Documents, Presence]:
    """A presence over such a document."""
    documents = Documents()
    return documents, Presence(documents, lambda link: f"title of {link}")  # type: ignore[arg-type]


def test_tabs_of_one_person_are_one() -> None:
    """People are counted once, however many tabs they have; whoever is not known, each alone."""
    documents, presence = make()
    documents.names = ["ada", "grace", "ada", None, None, "link abc", "link abc"]
    assert documents.found is not None
    told = presence.look(documents.found, ADA)
    assert told["count"] == 6
    assert told["people"] == [{"name": "ada", "tabs": 2}, {"name": "grace", "tabs": 1}]
    assert told["links"] == [{"title": "title of abc", "count": 2}]
    assert told["others"] == 2
    assert presence.look(documents.found, GRACE)["people"] == told["people"]
    presence.close()


def test_who_only_looks_learns_no_names() -> None:
    """A reader, logged in or not, is told the number and nothing of who it is."""
    documents, presence = make()
    documents.names = ["ada", "grace", None]
    assert documents.found is not None
    for actor in (EVE, Actor(None)):
        told = presence.look(documents.found, actor)
        assert told == {"count": 3, "rights": ["read"], "published": True, "title": "lake"}
    presence.close()


def test_a_server_for_one_names_nobody() -> None:
    """Everybody has one name there, and each browser is counted."""
    documents, presence = make()
    documents.names = ["defaultuser", "defaultuser"]
    assert documents.found is not None
    told = presence.look(documents.found, Actor("defaultuser", single_user=True))
    assert (told["count"], told["people"], told["others"]) == (2, [], 2)
    presence.close()


def test_pages_hear_of_comings_and_of_the_end() -> None:
    """What changes is told once; who may look no more, or whose document is gone, is sent away."""
    documents, presence = make()
    editor, stranger = Line(), Line()
    for line, actor in ((editor, GRACE), (stranger, EVE)):
        PresenceHandler(line, presence, "d", lambda actor=actor: actor).opened()  # type: ignore
    wait_until(lambda: (len(editor.sent), len(stranger.sent)), (1, 1))
    documents.names = ["ada"]
    documents.notify("d", "viewers")
    documents.notify("another", "viewers")
    wait_until(lambda: (len(editor.sent), len(stranger.sent)), (2, 2))
    assert b'"ada"' in editor.sent[1]
    assert b'"ada"' not in stranger.sent[1]
    documents.found = Identity("d", "lake", "ada", False, {"grace": "viewer"})
    documents.notify("d", "rights")
    wait_until(lambda: stranger.closed, [(OVER, "no right to look")])
    wait_until(lambda: len(editor.sent), 3)
    assert b'"rights":["read"]' in editor.sent[2]
    documents.found = None
    documents.notify("d", "deleted")
    wait_until(lambda: editor.closed, [(OVER, "deleted")])
    assert len(stranger.sent) == 2
    presence.close()
