"""Documents as files: what is in them, what they are called, and that none is shown in place."""

from __future__ import annotations

from email.message import Message
from typing import Any

import numpy as np
import pytest
from bokeh.document import Document
from bokeh.model import Model
from bokeh.models import ColumnDataSource, Slider
from bokeh.plotting import figure
from flask.testing import FlaskClient

from bokeh_server.blueprint.documents.download import file_name

RNG = np.random.default_rng(7)


def plotted() -> Document:
    """A document with an array, a text that ends scripts, and two roots."""
    document = Document(title="A </script><script>alert(1)</script> title")
    source = ColumnDataSource({"x": np.arange(500.0), "y": RNG.random(500)})
    plot = figure(name="main")
    plot.line("x", "y", source=source)
    document.add_root(plot)
    document.add_root(Slider(start=0, end=10, value=1, title="<!-- $$x$$ </script>"))
    return document


def stored(client: FlaskClient, document: Document, title: str = "lake") -> str:
    """Store a document; its docid."""
    docid: str = client.post("/bokeh/doc/", json={"title": title}).get_json()["docid"]
    body = {"doc": document.to_json(deferred=False)}
    assert client.put(f"/bokeh/doc/{docid}/content", json=body).status_code == 200
    return docid


def download(client: FlaskClient, docid: str, **query: Any) -> Any:
    """Download a document."""
    return client.get(f"/bokeh/doc/{docid}/download", query_string=query)


def content(document: Document) -> Any:
    """What Bokeh itself makes of a document, with models by id and arrays as lists."""
    models = {
        model.id: (type(model), _plain(model.properties_with_values(include_defaults=False)))
        for model in document.models
    }
    return document.title, [root.id for root in document.roots], models


def _plain(value: Any) -> Any:
    if isinstance(value, Model):
        return value.id
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value.tolist() if isinstance(value, np.ndarray) else repr(value)


def test_json_is_what_bokeh_reads(client: FlaskClient) -> None:
    """Bokeh's own Document reads the file, and finds the same models with the same values."""
    document = plotted()
    answer = download(client, stored(client, document), format="json")
    assert answer.mimetype == "application/json"
    copy = Document.from_json(document.to_json(deferred=False))
    assert content(Document.from_json(answer.get_json())) == content(copy)


def test_values_are_those_of_now_or_of_a_revision(client: FlaskClient) -> None:
    """A change is in the file; a revision from before it does not have it."""
    document = plotted()
    docid, slider = stored(client, document), document.roots[1]
    event = {"kind": "ModelChanged", "model": {"id": slider.id}, "attr": "value", "new": 9}
    answer = client.post(f"/bokeh/doc/{docid}/changes", json={"events": [event]})
    before = answer.get_json()["seq"] - 1
    for query, expected in (({}, 9), ({"revision": before}, 1)):
        answer = download(client, docid, format="json", **query)
        found = Document.from_json(answer.get_json()).roots[1]
        assert found.value == expected  # type: ignore[attr-defined]
    assert "revision" in answer.headers["Content-Disposition"]


def test_one_plot_alone(client: FlaskClient) -> None:
    """With a model's name or id the file has it as its only root, with all that it needs."""
    document = plotted()
    docid = stored(client, document)
    for key in ("main", document.roots[0].id):
        found = Document.from_json(download(client, docid, format="json", modelid=key).get_json())
        assert [root.id for root in found.roots] == [document.roots[0].id]
        assert found.roots[0].select_one(ColumnDataSource).data["x"].shape == (500,)
    assert download(client, docid, modelid="nothing").status_code == 404
    assert download(client, docid, format="exe").status_code == 400


@pytest.mark.parametrize("kind", ["html", "json"])
def test_it_is_never_shown_in_place(client: FlaskClient, kind: str) -> None:
    """Browsers store the file; should one show it all the same, its scripts do nothing."""
    answer = download(client, stored(client, plotted()), format=kind)
    assert answer.headers["Content-Disposition"].startswith("attachment;")
    assert answer.headers["Content-Security-Policy"].startswith("sandbox; default-src 'none'")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "no-store" in answer.headers["Cache-Control"]
    assert answer.content_length == len(answer.data)


def test_html_holds_everything(client: FlaskClient) -> None:
    """The page loads nothing, and no text of the document ends one of its scripts."""
    page = download(client, stored(client, plotted())).get_data(as_text=True)
    assert " src=" not in page[:2000]
    head, _, rest = page.partition('<script type="application/json" id="document">')
    assert "<title>A &lt;/script&gt;" in head
    assert "<" not in rest.partition("</script>")[0]


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("lake", "lake.html"),
        ('a "quoted"; title', "a quoted title.html"),
        ("../../etc/passwd", "etc passwd.html"),
        ("..\\..\\boot.ini\r\nSet-Cookie: a=b", "boot.ini Set-Cookie a=b.html"),
        ("über ☃ 図", "über ☃ 図.html"),
        ("\u202elmth.exe", "lmth.exe.html"),
        (" . ", "document.html"),
        ("x" * 500, "x" * 100 + ".html"),
    ],
)
def test_names_are_safe(title: str, expected: str) -> None:
    """No title leads elsewhere, hides the kind of the file, or adds to the header."""
    parameters = file_name(title, "html")
    assert parameters.isascii()
    assert parameters.isprintable()
    header = Message()
    header["Content-Disposition"] = f"attachment; {parameters.partition('; ')[2]}"
    assert header.get_filename() == expected
    plain = Message()
    plain["Content-Disposition"] = f"attachment; {parameters.partition('; filename*')[0]}"
    assert (plain.get_filename() or "").endswith(".html")
