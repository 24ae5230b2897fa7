"""Making sessions: once for each id, again after a failure, and of files of every kind."""

from __future__ import annotations

import base64
import json
import sys
import threading
from pathlib import Path

import pytest
from apps.conftest import wait_for
from bokeh.document import Document
from bokeh.models import Div

from bokeh_server.apps import (
    AppHost,
    AppRequest,
    Asked,
    Filters,
    HostOptions,
    Lifetimes,
    PageFiles,
    Tokens,
    application_of,
    applications_of,
    normal_path,
)
from bokeh_server.blueprint.applications.options import OWN_COOKIES
from bokeh_server.blueprint.people import callers, link_cookies
from bokeh_server.errors import ApplicationFailed, ConfigurationError, Forbidden
from support.documents import run_together


def host_of(function: object, **options: object) -> AppHost:
    """A host of one application."""
    return AppHost({"/app": application_of(function)}, HostOptions(**options))  # type: ignore[arg-type]


def test_many_who_want_a_session_get_one() -> None:
    """Page and socket may come at once: the application runs once."""
    runs: list[int] = []
    begun = threading.Event()

    def app(doc: Document) -> None:
        runs.append(1)
        begun.wait(0.05)

    host = host_of(app)
    found: list[object] = []
    run_together([lambda: found.append(host.at("/app").open("one", AppRequest(), {}))] * 8)
    assert len(set(map(id, found))) == 1
    assert runs == [1]
    host.close()


def test_a_session_that_could_not_be_made_is_tried_again() -> None:
    """The failure is told, and the next request for the same id makes it."""
    runs: list[int] = []

    def app(doc: Document) -> None:
        runs.append(1)
        if len(runs) == 1:
            raise ValueError("not yet")
        doc.add_root(Div(text="now"))

    host = host_of(app)
    with pytest.raises(ApplicationFailed, match="its code failed"):
        host.page("/app", AppRequest(), Asked(session_id="one"), PageFiles("/bokeh/"))
    assert "embed" in host.page("/app", AppRequest(), Asked(session_id="one"), PageFiles("/bokeh/"))
    host.close()


def as_token(text: str) -> str:
    """Something in the form of a token that is not signed."""
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        (Asked(session_id="a", header="b"), "as an argument and header"),
        (Asked(session_id="a", token="b"), "Both token and session ID"),
        (Asked(session_id=""), "Invalid token or session ID"),
        (Asked(token="garbage"), "Invalid token or session ID"),
        (Asked(token="e30"), "Invalid token or session ID"),
        (Asked(token=as_token('"x"')), "Invalid token or session ID"),
        (Asked(token=as_token('["session_id"]')), "Invalid token or session ID"),
        (
            Asked(token=as_token(f'{{"session_id": "q", "session_expiry": 1{"0" * 400}}}')),
            "Invalid",
        ),
        (Asked(token=as_token('{"session_id": "q", "session_expiry": "NaN"}')), "Invalid token"),
    ],
)
def test_what_no_session_can_be_asked_by(asked: Asked, why: str) -> None:
    """Each is refused in words, and nothing is made."""
    host = host_of(lambda doc: None)
    with pytest.raises(Forbidden, match=why):
        host.page("/app", AppRequest(), asked, PageFiles("/bokeh/"))
    assert host.at("/app").sessions() == []
    host.close()


def test_signed_ids_are_the_only_ones_where_they_must_be() -> None:
    """An id of somebody else's is refused; the server's own, and its tokens, are taken."""
    tokens = Tokens(b"x" * 32, signed=True)
    own = tokens.new_id()
    assert tokens.read(tokens.make(own, {"a": b"bytes"})).payload == {"a": b"bytes"}
    assert tokens.check_id(own) == own
    for wrong in ("abc", "abc.def", own[:-1], Tokens(b"y" * 32, signed=True).new_id()):
        with pytest.raises(Forbidden):
            tokens.check_id(wrong)
    with pytest.raises(Forbidden):
        tokens.read(Tokens(b"y" * 32, signed=True).make(own, {}))


def test_a_folder_is_an_application(tmp_path: Path) -> None:
    """Its hooks, package, template, theme and arguments are all there."""
    folder = tmp_path / "dash"
    (folder / "templates").mkdir(parents=True)
    (folder / "static").mkdir()
    files = {
        "__init__.py": "",
        "helper.py": "TEXT = 'from the helper'",
        "main.py": "import sys\nfrom bokeh.io import curdoc\nfrom bokeh.models import Div\n"
        "from . import helper\ncurdoc().add_root(Div(text=helper.TEXT, name='d'))\n"
        "curdoc().template_variables['word'] = sys.argv[1]\n",
        "app_hooks.py": "def process_request(request):\n    return {'given': 'by the hook'}\n",
        "theme.yaml": "attrs:\n  Div:\n    width: 321\n",
        "templates/index.html": "{% extends base %}{% block contents %}<b>{{ word }}</b>"
        "{{ embed(roots.d) }}{% endblock %}",
    }
    for name, text in files.items():
        (folder / name).write_text(text)
    host = AppHost(applications_of([str(folder)], ["argument"]), HostOptions())
    page = host.page("/dash", AppRequest(), Asked(session_id="one"), PageFiles("/bokeh/"))
    assert "<b>argument</b>" in page
    session = host.at("/dash").get_session("one")
    div = session.document.roots[0]
    assert (div.text, div.width) == ("from the helper", 321)
    context = session.document.session_context
    assert context is not None
    assert context.token_payload["given"] == "by the hook"
    assert host.static_folder("/dash") == str(folder / "static")
    host.close()


def test_a_notebook_is_an_application(tmp_path: Path) -> None:
    """Its cells of code run."""
    pytest.importorskip("nbconvert", reason="nbconvert is not installed: pip install nbconvert")
    cell = {
        "cell_type": "code",
        "execution_count": None,
        "id": "a",
        "metadata": {},
        "outputs": [],
        "source": "from bokeh.io import curdoc\ncurdoc().title = 'a notebook'",
    }
    notebook = {"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    path = tmp_path / "note.ipynb"
    path.write_text(json.dumps(notebook))
    host = AppHost(applications_of([str(path)]), HostOptions())
    host.page("/note", AppRequest(), Asked(session_id="one"), PageFiles("/bokeh/"))
    assert host.at("/note").get_session("one").document.title == "a notebook"
    host.close()


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("missing.py", None, "there is no such file"),
        ("broken.py", "def (", "SyntaxError"),
        ("text.txt", "", "no folder, no .py"),
    ],
)
def test_what_cannot_be_loaded(tmp_path: Path, name: str, text: str | None, why: str) -> None:
    """It is told at the start, with the reason."""
    path = tmp_path / name
    if text is not None:
        path.write_text(text)
    with pytest.raises(ConfigurationError, match=why):
        applications_of([str(path)])


@pytest.mark.parametrize(
    ("given", "path"), [("sliders", "/sliders"), ("/a/b/", "/a/b"), ("/", "/"), ("", "/")]
)
def test_addresses(given: str, path: str) -> None:
    """They begin with a slash and end with none."""
    assert normal_path(given) == path


@pytest.mark.parametrize("given", ["/bokeh/x", "/static", "/a//b", "/../x", "/a?b", "/a b"])
def test_addresses_that_cannot_be(given: str) -> None:
    """Those of the server, and what is no path."""
    with pytest.raises(ConfigurationError):
        normal_path(given)


def test_a_failed_session_leaves_no_module(tmp_path: Path) -> None:
    """However often its page is loaded again; and what its hooks began they end."""
    folder = tmp_path / "broken"
    folder.mkdir()
    (folder / "main.py").write_text("data = 'x' * 1000\nimport no_such_module_at_all\n")
    (folder / "app_hooks.py").write_text(
        "begun = []\n"
        "def on_session_created(context):\n    begun.append(context.id)\n"
        "def on_session_destroyed(context):\n    begun.remove(context.id)\n"
    )
    host = AppHost(applications_of([str(folder)]), HostOptions())
    before = set(sys.modules)
    for _ in range(3):
        with pytest.raises(ApplicationFailed):
            host.page("/broken", AppRequest(), Asked(), "/bokeh/")
    assert [name for name in set(sys.modules) - before if name.startswith("bokeh_app")] == []
    host.close()


OURS = ("bokeh-server-login", "__Host-bokeh-server-login", "bokeh-server-link-4f2a")


@pytest.mark.parametrize("included", [None, frozenset({"Cookie", "X-A"})])
def test_no_application_sees_our_cookies(included: frozenset[str] | None) -> None:
    """Neither among the cookies nor in their header, whatever is included by name."""
    filters = Filters(
        include_headers=included,
        include_cookies=frozenset({*OURS, "theirs"}),
        own_cookies=frozenset(OWN_COOKIES),
    )
    cookies = {**dict.fromkeys(OURS, "secret"), "theirs": "shown", "other": "hidden"}
    raw = {"Cookie": "bokeh-server-login=secret; theirs=shown", "X-A": "a", "X-B": "b"}
    assert filters.cookies(cookies) == {"theirs": "shown"}
    shown = filters.headers(raw, cookies)
    if included is None:
        assert shown == {"X-A": "a", "X-B": "b"}
    else:
        assert shown == {"X-A": "a", "Cookie": "theirs=shown"}


def test_all_cookies_that_we_set_are_ours() -> None:
    """A new one would be shown to applications, if it began otherwise."""
    for name in (callers._NAME, link_cookies._NAME):
        assert name.startswith(OWN_COOKIES)
        assert f"__Host-{name}".startswith(OWN_COOKIES)


@pytest.mark.parametrize("how", ["nobody is there", "the server stops"])
def test_hooks_have_the_whole_script_still(tmp_path: Path, how: str) -> None:
    """What runs at a session's end uses names and imports of its module, which is emptied after."""
    said = tmp_path / "said"
    script = tmp_path / "script.py"
    script.write_text(
        "from pathlib import Path\n"
        "from bokeh.io import curdoc\n"
        "from bokeh.models import Div\n"
        "div = Div(text='whole')\n"
        "curdoc().add_root(div)\n"
        f"def ended(context):\n    Path({str(said)!r}).write_text(div.text)\n"
        "curdoc().on_session_destroyed(ended)\n"
    )
    options = HostOptions(lifetimes=Lifetimes(unused=0.1, check=0.05))
    host = AppHost({"/": application_of(str(script))}, options)
    session = host.at("/").open("one", AppRequest(), {})
    (module,) = session.document.modules._modules
    if how == "the server stops":
        host.close()
    wait_for(lambda: said.exists() and not vars(module))
    assert said.read_text() == "whole"
    host.close()
