"""Applications that publish: what becomes of it, and whose it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from bokeh.document import Document
from bokeh.io import curdoc
from bokeh.models import ColumnDataSource, Div, Slider
from flask import Flask

import bokeh_server
from bokeh_server import BokehServer
from bokeh_server.apps import AppHost, AppRequest, HostOptions, application_of
from bokeh_server.errors import BadRequest

Serve = Callable[..., Flask]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Serves an application."""
    servers: list[BokehServer] = []

    def make(function: Callable[[Document], None], **settings: object) -> Flask:
        app = Flask("publishing", static_folder=None)
        server = BokehServer(app, data_dir=tmp_path, **settings)
        server.add_application("/app", function)
        servers.append(server)
        return app

    yield make
    for server in servers:
        server.close()


def test_a_model_of_a_session_becomes_a_document(serve: Serve) -> None:
    """It is stored under its title; the session keeps it; again, and it is replaced."""
    urls: list[str] = []

    def app(doc: Document) -> None:
        div, slider = Div(text="first"), Slider(start=0, end=1, value=0, name="s")
        doc.add_root(div)
        doc.add_root(slider)
        doc.add_root(ColumnDataSource({"x": [1, 2], "y": np.array([0.5, 1.5])}))
        urls.append(bokeh_server.publish(div, "from an app"))

        def again() -> None:
            div.text = "second"
            urls.append(bokeh_server.publish(curdoc(), "from an app"))

        doc.template_variables["again"] = again

    flask_app = serve(app, url_prefix="pre")
    client = flask_app.test_client()
    assert client.get("/pre/app?bokeh-session-id=one").status_code == 200
    (url,) = urls
    assert client.get(url).status_code == 200
    docid = url.split("/")[4]
    texts = [each["attributes"]["text"] for each in client.get(f"/pre/bokeh/bb/{docid}/Div/").json]
    assert texts == ["first"]
    host = flask_app.extensions["bokeh_server"].applications
    session = host.at("/app").get_session("one")
    assert len(session.document.roots) == 3
    session.with_document_locked(session.document.template_variables["again"])
    assert urls == [url, url]
    models = client.get(f"/pre/bokeh/bb/{docid}/").json
    assert {"Div", "Slider", "ColumnDataSource"} <= {each["name"] for each in models}
    assert [each["attributes"]["text"] for each in models if each["name"] == "Div"] == ["second"]


def test_it_is_of_whoever_the_session_is_of(serve: Serve) -> None:
    """With many users the document is private to the session's."""
    urls: list[str] = []

    def app(doc: Document) -> None:
        urls.append(bokeh_server.publish(Div(text="mine"), "mine"))

    name = ["ada"]
    flask_app = serve(app, multi_user=True)
    flask_app.extensions["bokeh_server"].find_user = lambda: name[0]
    client = flask_app.test_client()
    assert client.get("/app").status_code == 200
    (url,) = urls
    path = url.removesuffix("show")
    assert client.get(path, headers={"Accept": "application/json"}).status_code == 200
    name[0] = "eve"
    assert client.get(path, headers={"Accept": "application/json"}).status_code == 404


@pytest.mark.parametrize("title", ["", "  ", "a\nb", "x" * 1000])
def test_titles_that_are_none(serve: Serve, title: str) -> None:
    """They are refused, and nothing is stored."""
    caught: list[BadRequest] = []

    def app(doc: Document) -> None:
        try:
            bokeh_server.publish(Div(), title)
        except BadRequest as error:
            caught.append(error)

    serve(app).test_client().get("/app")
    assert len(caught) == 1


def test_only_applications_publish() -> None:
    """A script is told what to use; so is an application that nothing stores for."""
    with pytest.raises(BadRequest, match="output_server"):
        bokeh_server.publish(Div(), "a")
    caught: list[BadRequest] = []

    def app(doc: Document) -> None:
        with pytest.raises(BadRequest, match="stores no documents") as error:
            bokeh_server.publish(Div(), "a")
        caught.append(error.value)

    host = AppHost({"/app": application_of(app)}, HostOptions())
    host.at("/app").open("one", AppRequest(), {})
    host.close()
    assert len(caught) == 1
