"""Inside somebody's Flask app: publishing, pages and sockets under each kind of server."""

from __future__ import annotations

import itertools
import json
from contextlib import ExitStack
from typing import Any

import pytest
import requests
from bokeh.core.json_encoder import serialize_json
from bokeh.document import Document
from bokeh.plotting import figure
from flask import Flask
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from bokeh_server import BokehServer
from bokeh_server.errors import ConfigurationError
from support.bokeh_socket import bokeh_socket
from support.hosts import Host

_titles = (f"document {number}" for number in itertools.count())


def publish(base: str) -> tuple[str, dict[str, Any]]:
    """Publish a plot over HTTP at the address of a blueprint; the docid and what was sent."""
    document = Document()
    plot = figure(name="moving")
    plot.line([1, 2, 3], [4, 5, 6])
    document.add_root(plot)
    sent = json.loads(serialize_json(document.to_json(deferred=False)))
    made = requests.post(f"{base}/bokeh/doc/", json={"title": next(_titles)}, timeout=10)
    docid = made.json()["docid"]
    answer = requests.put(f"{base}/bokeh/doc/{docid}/content", json={"doc": sent}, timeout=10)
    assert answer.status_code == 200, answer.text
    return docid, sent


def set_title(model: str, text: str) -> dict[str, Any]:
    """A patch that sets an attribute of the plot."""
    event = {"kind": "ModelChanged", "model": {"id": model}, "attr": "name", "new": text}
    return {"events": [event]}


def test_a_published_plot_is_pulled_and_followed_live(host: Host) -> None:
    """Publish over HTTP, open a WebSocket: ACK, the document, then a patch as it happens."""
    base = f"{host.url}/plots"
    docid, sent = publish(base)
    model = sent["roots"][0]["id"]
    with bokeh_socket(f"{host.ws_url}/plots/bokeh/doc/{docid}/ws") as socket:
        assert socket.pull()["roots"][0]["id"] == model
        answer = requests.post(
            f"{base}/bokeh/doc/{docid}/changes", json=set_title(model, "by HTTP"), timeout=10
        )
        assert answer.json()["seq"] == 2
        patch = socket.expect("PATCH-DOC")
        assert [event["new"] for event in patch["events"]] == ["by HTTP"]


def test_a_patch_of_one_socket_reaches_the_others_and_is_stored(host: Host) -> None:
    """What one browser sends is acknowledged, shown to the next and read back over HTTP."""
    base = f"{host.url}/plots"
    docid, sent = publish(base)
    url, model = f"{host.ws_url}/plots/bokeh/doc/{docid}/ws", sent["roots"][0]["id"]
    with bokeh_socket(url) as one, bokeh_socket(url) as two:
        one.pull()
        two.pull()
        one.ask("PATCH-DOC", set_title(model, "by socket"), "OK")
        assert two.expect("PATCH-DOC")["events"][0]["new"] == "by socket"
    answer = requests.get(f"{base}/bokeh/bb/{docid}/Figure/{model}/", timeout=10)
    assert answer.json()["attributes"]["name"] == "by socket"


def test_pages_name_addresses_under_the_prefix(host: Host) -> None:
    """The page of a plot and its scripts are under the prefix; the host's own pages are its own."""
    base = f"{host.url}/plots"
    docid, _sent = publish(base)
    page = requests.get(f"{base}/bokeh/doc/{docid}/show", timeout=10)
    assert page.status_code == 200
    assert "/plots/bokeh/bokehjs/" in page.text
    assert 'src="/bokeh/' not in page.text
    assert requests.get(f"{host.url}/", timeout=10).text == "the home page of host"
    assert requests.get(f"{host.url}/bokeh/ping", timeout=10).status_code == 404


def test_more_viewers_than_threads(host: Host) -> None:
    """No thread stays behind for an open socket: ten are open on four threads, and HTTP answers."""
    base = f"{host.url}/plots"
    docid, sent = publish(base)
    url = f"{host.ws_url}/plots/bokeh/doc/{docid}/ws"
    with ExitStack() as stack:
        sockets = [stack.enter_context(bokeh_socket(url)) for _ in range(10)]
        for socket in sockets:
            socket.pull()
        change = set_title(sent["roots"][0]["id"], "for all")
        requests.post(f"{base}/bokeh/doc/{docid}/changes", json=change, timeout=10)
        for socket in sockets:
            assert socket.expect("PATCH-DOC")["events"][0]["new"] == "for all"
        info = requests.get(f"{base}/bokeh/doc/{docid}/", timeout=10).json()
        assert info["viewers"] == 10


def test_the_hosts_own_sockets_live_beside_ours(host: Host) -> None:
    """A flask-sock route of the host app works as before."""
    with connect(f"{host.ws_url}/echo") as socket:
        socket.send("hello")
        assert socket.recv(timeout=10) == "hello"


def test_a_page_of_another_site_is_refused_before_the_upgrade(host: Host) -> None:
    """A foreign origin gets an HTTP answer, as does an unknown document."""
    docid, _sent = publish(f"{host.url}/plots")
    url = f"{host.ws_url}/plots/bokeh/doc/{docid}/ws"
    with pytest.raises(InvalidStatus, match="403"), connect(url, origin="http://evil.example"):
        pass
    with pytest.raises(InvalidStatus, match="404"), connect(url.replace(docid, "unknown")):
        pass


def test_two_apps_in_one_process_share_nothing(pair: Host) -> None:
    """Documents, titles, sockets and signing keys of one app are unknown to the other."""
    one, two = f"{pair.url}/one/plots", f"{pair.url}/two/plots"
    docid, sent = publish(one)
    other, _sent = publish(two)
    assert requests.get(f"{two}/bokeh/doc/{docid}/", timeout=10).status_code == 404
    assert requests.get(f"{one}/bokeh/doc/{other}/", timeout=10).status_code == 404
    listed = requests.get(f"{one}/bokeh/userinfo/", timeout=10).json()["docs"]
    assert [each["docid"] for each in listed] == [docid]
    sockets = f"{pair.ws_url}/one/plots", f"{pair.ws_url}/two/plots"
    with (
        bokeh_socket(f"{sockets[0]}/bokeh/doc/{docid}/ws") as first,
        bokeh_socket(f"{sockets[1]}/bokeh/doc/{other}/ws") as second,
    ):
        first.pull()
        second.pull()
        change = set_title(sent["roots"][0]["id"], "only one")
        requests.post(f"{one}/bokeh/doc/{docid}/changes", json=change, timeout=10)
        assert first.expect("PATCH-DOC")["events"][0]["new"] == "only one"
        with pytest.raises(TimeoutError):
            second.connection.recv(timeout=0.3)
    page = requests.get(f"{one}/bokeh/doc/{docid}/show", timeout=10).text
    assert "/one/plots/bokeh/bokehjs/" in page


def test_init_app_and_separate_state(tmp_path: Any) -> None:
    """One extension object may serve two apps, whose documents are their own."""
    bokeh = BokehServer(database="sqlite://", data_dir=str(tmp_path))
    apps = [Flask("one"), Flask("two")]
    for app in apps:
        app.config["BOKEH_SERVER_URL_PREFIX"] = f"/{app.name}"
        bokeh.init_app(app)
    made = apps[0].test_client().post("/one/bokeh/doc/", json={"title": "a"})
    docid = made.get_json()["docid"]
    assert apps[0].test_client().get(f"/one/bokeh/doc/{docid}/").status_code == 200
    assert apps[1].test_client().get(f"/two/bokeh/doc/{docid}/").status_code == 404
    with pytest.raises(ConfigurationError, match="already has one"):
        bokeh.init_app(apps[0])
    bokeh.close()
