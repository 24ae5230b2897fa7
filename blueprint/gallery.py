"""The gallery: the page of all documents that somebody may see, and the same as JSON."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, cast, get_args
from urllib.parse import urlencode

from flask import Blueprint, Response, jsonify, request

from bokeh_server.blocking import run_blocking
from bokeh_server.blueprint.bodies import choice_argument, integer_argument
from bokeh_server.blueprint.documents.cards import card_json
from bokeh_server.blueprint.foreign import demand_own_name
from bokeh_server.blueprint.people.access import current_actor, demand_user
from bokeh_server.blueprint.rendering import json_in_html, render
from bokeh_server.blueprint.state import current_state
from bokeh_server.blueprint.static_files import links
from bokeh_server.storage import Card, Listed, Section, Sort, Wish
from bokeh_server.storage.documents import TITLE_LENGTH
from bokeh_server.storage.types import utc_now

if TYPE_CHECKING:
    from werkzeug.wrappers import Response as AnyResponse

    from bokeh_server.storage import GalleryStore

__all__ = ["add_routes"]

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'"
)
_SECTIONS: tuple[Section, ...] = get_args(Section)
_SORTS: tuple[Sort, ...] = get_args(Sort)
_SHOWS = ("all", *_SECTIONS)
#: documents on the page of one list, and of each list where all of them are on one page.
_PAGE = 48
_PREVIEW = {"mine": 24, "shared": 12, "published": 12}
#: documents in one answer.
_MOST = 200
_FARTHEST = 10**9
#: of what is searched for; the rest is left out.
_QUERY_LENGTH = 200
_MOST_WORDS = 8
_HUES = 6
_DAY = 24 * 3600
_UNITS = (
    ("year", 365 * _DAY),
    ("month", 30 * _DAY),
    ("week", 7 * _DAY),
    ("day", _DAY),
    ("hour", 3600),
    ("minute", 60),
)
_LAST = {"year": "last year", "month": "last month", "week": "last week", "day": "yesterday"}
_VIEW_COOKIE = "bokeh-server-view"


@dataclass(frozen=True, slots=True)
class _Asked:
    """What the address asks for.

    :param show: one of the lists, or all.
    :param most: as many documents of each list as is said; ``None``: as many as are on a page.
    """

    show: str
    query: str
    sort: Sort
    skip: int
    most: int | None

    @property
    def words(self) -> tuple[str, ...]:
        """What each document has to have."""
        shown = "".join(each if each.isprintable() else " " for each in self.query)
        return tuple(shown.split()[:_MOST_WORDS])

    def address(self, **other: Any) -> str:
        """The query string of the same, but for what is given."""
        values = {"q": self.query, "sort": self.sort, "show": self.show, "from": self.skip, **other}
        usual = {"q": "", "sort": _SORTS[0], "show": _SHOWS[0], "from": 0}
        return "?" + urlencode({name: each for name, each in values.items() if each != usual[name]})


@dataclass(frozen=True, slots=True)
class _Shown:
    """One of the lists, as it is shown.

    :param size: documents on a page of it.
    """

    name: Section
    total: int
    docs: list[dict[str, Any]]
    size: int


def add_routes(blueprint: Blueprint) -> None:
    """Add the routes of this module."""
    blueprint.add_url_rule("/", "home", _home)
    blueprint.add_url_rule("/bokeh/", "index", _page)
    blueprint.add_url_rule("/bokeh/gallery", "gallery", _list)


def _home() -> AnyResponse:
    """The applications, or the one at this address, or the documents."""
    state = current_state()
    if "/" in state.added or (state.takes_pushes and _names_session()):
        from bokeh_server.blueprint.applications.pages import show_page

        return show_page("/")
    if not state.added:
        return _page()
    from bokeh_server.blueprint.applications.index import applications_page

    name = current_actor().name
    has_documents = name is not None and _has_documents(name)
    return applications_page(has_documents) or _page()


def _names_session() -> bool:
    arguments = ("bokeh-session-id", "bokeh-token")
    return any(name in request.args for name in arguments) or "Bokeh-Session-Id" in request.headers


def _has_documents(name: str) -> bool:
    wish = Wish("mine", name, most=1)
    return run_blocking(current_state().store.gallery.page, wish).total > 0


def _page() -> Response:
    asked = _asked()
    sections = _look(asked)
    root = links().root
    host = request.host_url.rstrip("/")
    page = render(
        "gallery.html",
        asked=asked,
        sections=sections,
        shows=_SHOWS if current_state().settings.multi_user else (),
        sorts=_SORTS,
        view="list" if request.cookies.get(_VIEW_COOKIE) == "list" else "cards",
        ago=_ago,
        hue_of=_hue,
        server=f"{host}{root}/",
        url_argument="" if _is_usual_address() else f', url="{host}{root}/"',
        config=json_in_html(_config(asked, sections)),
    )
    headers = {"Vary": "Accept", "Content-Security-Policy": _POLICY}
    return Response(page, mimetype="text/html", headers=headers)


def _is_usual_address() -> bool:
    return request.host == "localhost:5006" and not links().root


def _config(asked: _Asked, sections: list[_Shown]) -> dict[str, Any]:
    return {
        "root": links().root,
        "title_length": TITLE_LENGTH,
        "query": asked.query,
        "sort": asked.sort,
        "show": asked.show,
        "skip": asked.skip,
        "multi_user": current_state().settings.multi_user,
        "sections": [{**_section_json(each), "size": each.size} for each in sections],
    }


def _ago(changed: str) -> str:
    """How long ago it was, in the words of the page's script, which goes on from here."""
    seconds = (utc_now() - datetime.fromisoformat(changed)).total_seconds()
    if seconds < 45:
        return "just now"
    unit, size = next((each for each in _UNITS if seconds >= each[1] * 0.75), _UNITS[-1])
    count = max(1, int(seconds / size + 0.5))
    if count == 1 and unit in _LAST:
        return _LAST[unit]
    return f"{count} {unit}{'' if count == 1 else 's'} ago"


def _hue(docid: str) -> int:
    """Which colour a document without a picture has."""
    return sum(map(ord, docid)) % _HUES


def _list() -> Response:
    demand_own_name("list documents")
    return jsonify(sections=[_section_json(each) for each in _look(_asked())])


def _section_json(section: _Shown) -> dict[str, Any]:
    return {"name": section.name, "total": section.total, "docs": section.docs}


def _asked() -> _Asked:
    most = integer_argument("most", 0, most=_MOST)
    return _Asked(
        choice_argument("show", _SHOWS),
        request.args.get("q", "")[:_QUERY_LENGTH].strip(),
        cast("Sort", choice_argument("sort", _SORTS)),
        integer_argument("from", 0, most=_FARTHEST),
        most or None,
    )


def _look(asked: _Asked) -> list[_Shown]:
    """The lists that are asked for.

    :raises NotAuthenticated: nobody is logged in.
    """
    demand_own_name("list documents")
    name = demand_user("list documents")
    state = current_state()
    watched = state.engine.watched() if asked.sort == "viewers" else {}
    sizes = _sizes(asked)
    wish = Wish("mine", name, asked.words, asked.sort, asked.skip, watched=watched)
    wishes = [replace(wish, section=each, most=asked.most or sizes[each]) for each in sizes]
    found, cards = run_blocking(_read, state.store.gallery, wishes)
    actor, engine = current_actor(), state.engine
    return [
        _Shown(
            each.section,
            listed.total,
            [
                card_json(cards[record.docid], actor, engine)
                for record in listed.records
                if record.docid in cards
            ],
            sizes[each.section],
        )
        for each, listed in zip(wishes, found, strict=True)
    ]


def _sizes(asked: _Asked) -> dict[Section, int]:
    """The lists that are asked for, and how many documents are on a page of each."""
    if not current_state().settings.multi_user:
        return {"mine": _PAGE}
    if asked.show == "all":
        return {each: _PREVIEW[each] for each in _SECTIONS}
    return {each: _PAGE for each in _SECTIONS if each == asked.show}


def _read(store: GalleryStore, wishes: list[Wish]) -> tuple[list[Listed], dict[str, Card]]:
    found = [store.page(wish) for wish in wishes]
    return found, store.cards([record.docid for each in found for record in each.records])
