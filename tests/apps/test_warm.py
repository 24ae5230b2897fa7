"""Sessions that are made ahead of those who open them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest
from apps.conftest import wait_for
from bokeh.document import Document
from bokeh.io import curdoc
from bokeh.models import Div

from bokeh_server.apps import (
    AppHost,
    AppRequest,
    HostOptions,
    Lifetimes,
    RunningApplication,
    application_of,
    warming,
)
from bokeh_server.errors import ApplicationFailed

Warm = Callable[..., RunningApplication]


@pytest.fixture
def warm() -> Iterator[Warm]:
    """Runs an application of which one session is made ahead."""
    hosts: list[AppHost] = []

    def run(function: Callable[[Document], None], count: int = 1) -> RunningApplication:
        options = HostOptions(warm=count, lifetimes=Lifetimes(unused=30, check=0.05))
        hosts.append(AppHost({"/app": application_of(function)}, options))
        return hosts[-1].at("/app")

    yield run
    for host in hosts:
        host.close()


def test_a_session_that_was_made_ahead_becomes_that_of_who_asks(warm: Warm) -> None:
    """The script has run; the id, the request and the token are those of the page."""
    runs: list[Document] = []
    app = warm(lambda doc: runs.append(doc) or doc.add_root(Div(text=str(len(runs)))))
    wait_for(lambda: len(app.warm) == 1)
    assert app.sessions() == []
    request = AppRequest(arguments={"a": [b"1"]}, user="ada")
    session = app.open("mine", request, {"said": "so"})
    assert session.document.roots[0].text == "1"
    assert (session.id, app.sessions()) == ("mine", [session])
    context = session.document.session_context
    assert context is not None
    assert (context.id, context.request, context.token_payload) == (
        "mine",
        request,
        {"said": "so"},
    )
    wait_for(lambda: len(app.warm) == 1)
    other = app.open("other", AppRequest(), {})
    assert other.document is not session.document
    assert [each.document.roots[0].text for each in app.sessions()] == ["1", "2"]


@pytest.mark.parametrize(
    "looks",
    [
        lambda context: context.request.arguments,
        lambda context: context.token_payload,
        lambda context: context.user,
        lambda context: context.id,
    ],
    ids=["request", "token", "user", "id"],
)
def test_who_looks_at_its_request_while_it_is_made_is_not_made_ahead(
    warm: Warm, caplog: pytest.LogCaptureFixture, looks: Callable[[object], object]
) -> None:
    """It is said once, and each page has a session made of its own request."""
    seen: list[object] = []

    def app(doc: Document) -> None:
        seen.append(looks(curdoc().session_context))

    application = warm(app)
    wait_for(lambda: "none is made ahead" in caplog.text)
    for name in ("one", "two"):
        request = AppRequest(arguments={"a": [b"1"]}, user=name)
        application.open(name, request, {"name": name})
    assert len(seen) == 3
    assert seen[0] != seen[1]
    assert len(application.warm) == 0
    assert caplog.text.count("none is made ahead") == 1


def test_callbacks_run_when_somebody_has_the_session(warm: Warm) -> None:
    """Neither periodic ones nor those of the next tick before."""
    turns: list[str] = []

    def app(doc: Document) -> None:
        doc.add_periodic_callback(lambda: turns.append("periodic"), 10)
        doc.add_next_tick_callback(lambda: turns.append("tick"))

    application = warm(app)
    wait_for(lambda: len(application.warm) == 1)
    time.sleep(0.1)
    assert turns == []
    application.open("mine", AppRequest(), {})
    wait_for(lambda: {"periodic", "tick"} <= set(turns))
    assert turns.count("tick") == 1


def test_what_was_made_long_ago_is_made_again(warm: Warm, monkeypatch: pytest.MonkeyPatch) -> None:
    """A script reads data, and nobody is to get that of yesterday; hooks run for what goes."""
    monkeypatch.setattr(warming, "KEEP_SECONDS", 0.3)
    made: list[float] = []
    ended: list[float] = []

    def app(doc: Document) -> None:
        made.append(time.monotonic())
        doc.on_session_destroyed(lambda context: ended.append(time.monotonic()))

    application = warm(app)
    wait_for(lambda: len(made) >= 3)
    wait_for(lambda: len(ended) >= 2)
    assert ended[0] - made[0] >= 0.3
    assert len(application.warm) <= 1


def test_those_that_nobody_took_end_with_the_server() -> None:
    """Their hooks run, for those of their beginning have."""
    ended: list[object] = []
    function = application_of(lambda doc: doc.on_session_destroyed(ended.append))
    host = AppHost({"/app": function}, HostOptions(warm=3))
    application = host.at("/app")
    wait_for(lambda: len(application.warm) == 3)
    host.close()
    assert len(ended) == 3


def test_a_failure_ahead_is_nobodys(warm: Warm) -> None:
    """Who opens the application next has it run again, and is told of what fails then."""
    fails = [True, True, False]

    def app(doc: Document) -> None:
        if fails.pop(0) if fails else False:
            raise ValueError("as it is to be")

    application = warm(app)
    wait_for(lambda: len(fails) == 2)
    with pytest.raises(ApplicationFailed):
        application.open("one", AppRequest(), {})
    assert application.open("one", AppRequest(), {}).id == "one"
    wait_for(lambda: len(application.warm) == 1)
