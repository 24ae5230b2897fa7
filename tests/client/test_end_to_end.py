"""Scripts against the real bokeh-server command."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
import requests
from bokeh.document import Document
from bokeh.events import ButtonClick
from bokeh.models import Button, ColumnDataSource, Slider
from bokeh.plotting import figure

from bokeh_server.client import Session
from bokeh_server.embed import autoload_server
from bokeh_server.errors import Conflict, UnknownDocument, UnknownModel
from support.oracle import same_documents
from support.scripts import EXAMPLES, eventually, run_script, running_script
from support.server import RunningServer, running_server


def content(server: RunningServer, title: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """What the server says about a document, and its models."""
    info = requests.get(f"{server.url}/bokeh/doc/", {"title": title}, timeout=5).json()
    models = requests.get(f"{server.url}/bokeh/bb/{info['docid']}/", timeout=5).json()
    return info, models


def test_line_example_ten_times(server: RunningServer, tmp_path: Path) -> None:
    """The seed example, run again and again: one document, one plot, ids of its own."""
    seen = set()
    for _ in range(10):
        done = run_script(EXAMPLES / "line.py", server.url, tmp_path)
        assert done.returncode == 0, done.stderr
        info, models = content(server, "line")
        assert info["plots"] == len(info["roots"]) == 1
        seen.add((info["docid"], info["roots"][0]))
        assert not any(model["id"].startswith("p1") for model in models)
    assert len({docid for docid, _ in seen}) == 1
    assert len({root for _, root in seen}) == 10


def test_stream_example(server: RunningServer, tmp_path: Path) -> None:
    """The seed's streaming example moves the stored data until it is stopped."""
    with running_script(EXAMPLES / "stream.py", server.url, tmp_path) as script:
        url = f"{server.url}/bokeh/doc/"

        def seq() -> int:
            answer = requests.get(url, {"title": "stream"}, timeout=5)
            return int(answer.json()["seq"]) if answer.ok else 0

        eventually(lambda: seq() > 5, 30)
        assert script.poll() is None


def test_two_scripts_without_clear(server: RunningServer, tmp_path: Path) -> None:
    """Two scripts add to one document; nothing collides."""
    code = (
        "from bokeh_server.plotting import *\n"
        "p = figure()\n"  # numbered by Bokeh before the session is there
        "output_server('both', clear=False)\n"
        "p.line([1, 2], [3, 4]); show(p); print(p.id)"
    )
    ids = [run_script(code, server.url, tmp_path).stdout.strip() for _ in range(2)]
    info, models = content(server, "both")
    assert info["roots"] == ids
    assert len({model["id"] for model in models}) == len(models)


def test_two_documents_in_one_script(server: RunningServer, tmp_path: Path) -> None:
    """Each output_server has a document of its own; the first goes on working."""
    code = (
        "from bokeh_server.plotting import *\n"
        "output_server('first'); p = figure(name='one'); show(p); s = cursession()\n"
        "output_server('second'); q = figure(name='two'); show(q)\n"
        "assert cursession() is not s and curdoc().roots == [q]\n"
        "p.width = 123; print(s.store_objects(p)); show(p); q.width = 321; push()\n"
    )
    done = run_script(code, server.url, tmp_path)
    assert done.returncode == 0, done.stderr
    for title, name, width in (("first", "one", 123), ("second", "two", 321)):
        info, models = content(server, title)
        assert len(info["roots"]) == 1
        (plot,) = [model for model in models if model["id"] in info["roots"]]
        assert plot["attributes"]["name"] == name
        assert plot["attributes"]["width"] == width


def test_objects_of_several_documents_in_one_script(server: RunningServer, tmp_path: Path) -> None:
    """The last session stores an object of the first document there, and spoils no other."""
    code = (
        "from bokeh_server.plotting import *\n"
        "from bokeh.models import Slider\n"
        "from bokeh_server.embed import autoload_server\n"
        "output_server('A4'); p = figure(title='P'); r = p.line([1], [1]); show(p)\n"
        "a = curdoc(); addresses = [cursession().object_link(p)]\n"
        "output_server('B4'); q = figure(title='Q'); q.line([2], [2]); show(q)\n"
        "output_server('C4', clear=False); s = cursession(); show(figure(title='R'))\n"
        "r.data_source.stream(dict(x=[5], y=[5])); s.store_objects(r.data_source)\n"
        "q.title.text = 'Q2'; assert s.store_objects(q) == [q.title]\n"
        "assert [s.object_link(p)] == addresses and s.docid not in addresses[0]\n"
        "p.width = 77; assert s.store_document(a) == [p]; s.load_object(p, curdoc())\n"
        "assert addresses[0].split('/')[-2] in autoload_server(p, s); show(p); push()\n"
        "loose = Slider(start=0, end=9, value=1); s.store_objects(loose)\n"
        "assert s.docid in s.object_link(loose) and s.pull('Slider', loose.id)\n"
        "stray = Document(); x = figure(); stray.add_root(x)\n"
        "for attempt in (s.store_objects, s.object_link, s.autoload, show):\n"
        "    try: attempt(x)\n"
        "    except Exception as error: assert 'another local document' in str(error), error\n"
        "    else: raise AssertionError(attempt)\n"
        "push()\n"
    )
    done = run_script(code, server.url, tmp_path)
    assert done.returncode == 0, done.stderr
    for title, text in (("A4", "P"), ("B4", "Q2"), ("C4", "R")):
        info, models = content(server, title)
        assert len(info["roots"]) == 1 + (title == "C4"), title  # C4 has the loose slider too
        titles = [each["attributes"].get("text") for each in models if each["name"] == "Title"]
        assert titles == [text]
    columns = [each for each in content(server, "A4")[1] if each["name"] == "ColumnDataSource"]
    assert "5" in str(columns[0]["attributes"]["data"])


def test_sessions_of_two_servers(server: RunningServer, tmp_path: Path) -> None:
    """Objects find the server of their document, too."""
    with (
        running_server() as far,
        Session(root_url=far.url, configdir=tmp_path) as there,
        Session(root_url=server.url, configdir=tmp_path) as here,
    ):
        there.use_doc("far")
        here.use_doc("near")
        document, near, slider = Document(), Document(), Slider(start=0, end=9, value=1)
        document.add_root(slider)
        near.add_root(figure(title="near"))
        there.store_document(document)
        here.store_document(near)
        slider.value = 2
        assert here.store_objects(slider) == [slider]
        assert there.pull("Slider", slider.id)["attributes"]["value"] == 2
        assert here.object_link(slider).startswith(far.url)
        assert far.url in here.autoload(slider)
        slider.value = 3
        assert here.store_document(document) == [slider]
        assert len(here.info(here.used())["roots"]) == 1
        with here.subscribe(document):
            there.push(
                {"type": "object", "name": "Slider", "id": slider.id, "attributes": {"value": 4}}
            )
            eventually(lambda: slider.value == 4)
        assert document.roots == [slider]


def test_no_server(tmp_path: Path) -> None:
    """Without a server there is one sentence that says where and how to start it."""
    done = run_script(EXAMPLES / "line.py", "http://localhost:1/", tmp_path)
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert "http://localhost:1/" in last
    assert "bokeh-server" in last
    assert "During handling" not in done.stderr
    assert len(done.stderr.splitlines()) < 10


def test_documents(session: Session, other: Session) -> None:
    """Find, make, publish, collect; userinfo is never stale; errors are the server's."""
    docid = session.use_doc("documents")
    assert other.find_doc("documents") == docid == other.use_doc(docid=docid)
    titles = [doc["title"] for doc in session.userinfo["docs"]]
    assert "documents" in titles
    other.make_doc("documents 2")
    assert "documents 2" in [doc["title"] for doc in session.userinfo["docs"]]
    with pytest.raises(UnknownDocument, match="Could not"):
        session.use_doc(docid="nothing")
    session.publish()
    assert session.info(docid)["published"]
    session.unpublish()
    assert not session.info(docid)["published"]
    assert session.gc() == 0


def test_models_as_json(session: Session) -> None:
    """Pull and push models; objects of no document can be stored, then join one."""
    session.use_doc("json")
    document = Document(title="json")
    slider = Slider(start=0, end=9, value=1)
    session.store_objects(slider)
    assert session.pull("Slider", slider.id)["attributes"]["value"] == 1
    slider.value = 2
    document.add_root(slider)
    session.store_document(document)
    assert session.pull("Slider", slider.id)["attributes"]["value"] == 2
    session.push({"type": "object", "name": "Slider", "id": slider.id, "attributes": {"value": 3}})
    session.load_document(document)
    assert slider.value == 3
    assert slider.id in [model["id"] for model in session.pull()]


def test_roundtrip(session: Session, other: Session) -> None:
    """What one program stores another loads, arrays included, and the way back."""
    session.use_doc("roundtrip")
    other.use_doc("roundtrip")
    document, copy = Document(title="roundtrip"), Document(title="roundtrip")
    source = ColumnDataSource({"x": [1, 2], "y": [3.0, 4.0]})
    plot = figure()
    plot.line("x", "y", source=source)
    document.add_root(plot)
    session.store_document(document)
    other.load_document(copy)
    same_documents(document, copy)
    twin: Any = copy.get_model_by_id(source.id)
    source.stream({"x": [5], "y": [6.0]})
    session.store_objects(source)
    other.load_document(copy)
    assert list(twin.data["y"]) == [3.0, 4.0, 6.0]
    twin.data["y"] = [0.0, 0.0, 0.0]
    copy.roots[0].width = 99
    other.store_document(copy)
    session.load_object(source, document)
    assert list(source.data["y"]) == [0.0, 0.0, 0.0]
    assert plot.width != 99
    session.load_document(document)
    same_documents(document, copy)


@pytest.mark.alone
def test_two_way(session: Session, other: Session) -> None:
    """Changes, clicks and new plots reach a subscription; what callbacks change is stored."""
    session.use_doc("two-way")
    other.use_doc("two-way")
    document, browser = Document(title="two-way"), Document()
    slider, button = Slider(start=0, end=9, value=1), Button(label="b")
    document.add_root(slider)
    document.add_root(button)
    clicks: list[Any] = []
    times: list[float] = []

    def moved(attr: str, old: Any, new: Any) -> None:
        times.append(time.perf_counter())
        slider.title = f"now {new}"
        if new == 3:
            raise ZeroDivisionError("a callback that fails")

    slider.on_change("value", moved)
    button.on_event(ButtonClick, clicks.append)
    with session.subscribe(document) as subscription:
        assert subscription.connected
        other.load_document(browser)
        mine: Any = browser.get_model_by_id(slider.id)
        delays = []
        for value in (2, 3, 4, 5, 6):
            begun = time.perf_counter()
            mine.value = value
            other.store_objects(mine)
            eventually(lambda value=value: slider.value == value)
            delays.append(times[-1] - begun)
        assert sorted(delays)[2] < 0.1, delays
        browser.callbacks.send_event(ButtonClick(browser.get_model_by_id(button.id)))
        browser.add_root(figure(name="new"))
        other.store_document(browser)
        eventually(lambda: len(document.roots) == 3 and clicks)
    eventually(lambda: not subscription.connected)
    other.load_document(browser)
    assert mine.title == "now 6"


def test_replaced_document_is_told(session: Session, other: Session) -> None:
    """A script whose document another one replaced hears of it, and can publish again."""
    session.use_doc("replaced")
    other.use_doc("replaced")
    mine, theirs = Document(), Document()
    source = ColumnDataSource({"x": [1], "y": [1]})
    plot = figure()
    plot.line("x", "y", source=source)
    mine.add_root(plot)
    theirs.add_root(figure())
    session.store_document(mine)
    other.store_document(theirs)

    source.data["y"] = [2]
    with pytest.raises(Conflict, match="replaced"):
        session.store_objects(source)
    session.store_document(mine, dirty_only=False)
    source.data["y"] = [3]
    assert session.store_objects(source)


def test_embedding(session: Session) -> None:
    """The tag's script is served; an object that is not stored is refused."""
    session.use_doc("embed")
    document = Document()
    plot = figure()
    document.add_root(plot)
    with pytest.raises(UnknownModel, match="push"):
        autoload_server(plot, session)
    session.store_document(document)
    tag = session.autoload(plot, public=True)
    url = tag.split('src="')[1].split('"')[0].replace("&amp;", "&")
    assert requests.get(url, timeout=5).ok
    assert "public=true" in url
    assert requests.get(session.object_link(plot), timeout=5).ok
    assert requests.get(session.object_link(), timeout=5).ok


def test_server_killed_and_back(tmp_path: Path) -> None:
    """After SIGKILL and a new start stores go on and the subscription follows again."""
    with (
        running_server() as server,
        Session(root_url=server.url, configdir=tmp_path) as session,
        Session(root_url=server.url, configdir=tmp_path) as other,
    ):
        session.use_doc("killed")
        other.use_doc("killed")
        document, copy = Document(title="killed"), Document(title="killed")
        source = ColumnDataSource({"x": [1], "y": [1.0]})
        plot = figure()
        plot.line("x", "y", source=source)
        document.add_root(plot)
        session.store_document(document)
        subscription = other.subscribe(copy)
        server.kill()
        server.restart()
        source.stream({"x": [2], "y": [2.0]})
        session.store_objects(source)
        twin: Any = copy.get_model_by_id(source.id)
        eventually(lambda: len(twin.data["x"]) == 2, 15)
        source.stream({"x": [3], "y": [3.0]})
        session.store_objects(source)
        eventually(lambda: len(twin.data["x"]) == 3)
        assert subscription.connected
        subscription.close()
        requests.delete(f"{server.url}/bokeh/doc/{session.docid}/", timeout=5)
        source.stream({"x": [4], "y": [4.0]})
        with pytest.raises(UnknownDocument):
            session.store_objects(source)
