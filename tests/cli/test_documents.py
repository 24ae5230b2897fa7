"""``bokeh-server docs``: list, delete, export and import, with and without a running server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
import requests
from bokeh.core.json_encoder import serialize_json
from bokeh.document import Document
from bokeh.plotting import figure
from click.testing import CliRunner

from bokeh_server.cli.commands import bokeh_server
from bokeh_server.documents import Limits
from bokeh_server.errors import (
    CallerError,
    ConfigurationError,
    TitleTaken,
    UnknownDocument,
    UnknownRevision,
)
from bokeh_server.protocol.packing import pack, unpack
from bokeh_server.storage import Store
from support.browser import wait_until
from support.command import run_command
from support.server import RunningServer, running_server


def plot_document(points: int = 5) -> dict[str, object]:
    """A document with one plot, as JSON with its arrays inline."""
    document = Document()
    plot = figure(name="a plot")
    plot.line(np.arange(points), np.arange(points) * 2.0)
    document.add_root(plot)
    return dict(json.loads(serialize_json(document.to_json(deferred=False))))


def publish(server: RunningServer, title: str, points: int = 5) -> str:
    """Publish a plot; the docid."""
    made = requests.post(f"{server.url}/bokeh/doc/", json={"title": title}, timeout=10)
    docid = str(made.json()["docid"])
    body = {"doc": plot_document(points)}
    url = f"{server.url}/bokeh/doc/{docid}/content"
    assert requests.put(url, json=body, timeout=10).status_code == 200
    return docid


def content(server: RunningServer, docid: str) -> dict[str, object]:
    """A document as JSON with its arrays inline."""
    url = f"{server.url}/bokeh/doc/{docid}/content"
    answer = requests.get(url, headers={"Accept": "application/json"}, timeout=10)
    return dict(answer.json()["doc"])


def docs(server: RunningServer, *words: str, stdin: str = "") -> str:
    """What a ``docs`` command prints, run in this process on a running server's database."""
    command = ["docs", words[0], "--data-dir", str(server.data_dir), *words[1:]]
    done = CliRunner().invoke(bokeh_server, command, input=stdin)
    if done.exception is not None:
        raise done.exception
    return done.output


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    """One server for the tests here, which use different titles."""
    with running_server() as running:
        yield running


def test_list_shows_what_there_is(server: RunningServer) -> None:
    """Docid, title, when changed, plots and size, the last changed first; no control characters."""
    first, second = publish(server, "one"), publish(server, "two \u202e\u00a0")
    lines = docs(server, "list").splitlines()
    assert lines[0].split() == ["docid", "owner", "title", "changed", "plots", "size"]
    assert [line.split()[0] for line in lines[1:3]] == [second, first]
    assert lines[2].split()[1:3] == ["defaultuser", "one"]
    assert lines[2].split()[-3:-2] == ["1"]
    assert lines[2].endswith((" bytes", " KB"))
    assert "\u202e" not in lines[1]


def test_export_and_import_beside_a_running_server(server: RunningServer, tmp_path: Path) -> None:
    """A document goes through a file unchanged, arrays and all, and is served at once."""
    docid = publish(server, "travels", points=100_000)
    file = tmp_path / "travels.bokeh"
    assert f"Exported 'travels' at change 1 to {file}" in docs(
        server, "export", "travels", str(file)
    )
    with pytest.raises(TitleTaken):
        docs(server, "import", str(file))
    copy = docs(server, "import", str(file), "--title", "copy").split()[-1].rstrip(".")
    assert copy != docid
    assert content(server, docid)["roots"] == content(server, copy)["roots"]
    assert {"travels", "copy"} <= _titles(server)


def test_what_was_exported_can_be_imported_whatever_its_size(
    server: RunningServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The largest patch is no limit for a document that comes from a file."""
    docid = publish(server, "large", points=10_000)
    file = tmp_path / "large.bokeh"
    monkeypatch.setattr(
        "bokeh_server.documents.Limits", lambda **more: Limits(patch_bytes=10_000, **more)
    )
    docs(server, "export", docid, str(file))
    assert file.stat().st_size > 100_000
    copy = docs(server, "import", str(file), "--title", "large copy").split()[-1].rstrip(".")
    assert content(server, docid)["roots"] == content(server, copy)["roots"]


def _titles(server: RunningServer) -> set[str]:
    listed = requests.get(f"{server.url}/bokeh/userinfo/", timeout=5).json()["docs"]
    return {each["title"] for each in listed}


def test_the_file_says_what_it_is(server: RunningServer, tmp_path: Path) -> None:
    """The head of the file names its form, the title, Bokeh's release and the change."""
    publish(server, "headed")
    docs(server, "export", "headed", str(tmp_path / "a.bokeh"))
    head = json.loads(unpack((tmp_path / "a.bokeh").read_bytes())[0])
    assert head["format"] == "bokeh-server document"
    assert (head["version"], head["title"], head["seq"]) == (1, "headed", 1)
    assert head["bokeh"].startswith("3.")
    assert head["doc"]["roots"]


def test_export_replaces_a_file_only_when_told(server: RunningServer, tmp_path: Path) -> None:
    """A file that is there stays, unless ``--force`` is given; no half-written file is left."""
    file = tmp_path / "a.bokeh"
    file.write_text("precious")
    publish(server, "forced")
    with pytest.raises(ConfigurationError, match="--force"):
        docs(server, "export", "forced", str(file))
    assert file.read_text() == "precious"
    docs(server, "export", "forced", str(file), "--force")
    assert file.read_bytes() != b"precious"
    with pytest.raises(ConfigurationError, match="no such file"):
        docs(server, "export", "forced", str(tmp_path / "none/a.bokeh"))
    assert not list(tmp_path.glob(".*.part"))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"not a document",
        pack(b"{}", {}),
        pack(b"[1, 2", {}),
        pack(json.dumps({"format": "bokeh-server document", "version": 2}).encode(), {}),
        pack(json.dumps({"format": "bokeh-server document", "version": 1}).encode(), {}),
        pack(b'{"format": "bokeh-server document", "version": 1, "title": "x", "doc": {}}', {}),
        pack(
            b'{"format": "bokeh-server document", "version": 1, "title": "x",'
            b' "doc": {"version": "3.9.2", "title": "x", "roots": [{"id": "p1"}]}}',
            {},
        ),
    ],
)
def test_a_file_that_is_no_document_imports_nothing(tmp_path: Path, data: bytes) -> None:
    """Any other file is one clear line, and the database is as it was."""
    (tmp_path / "a.bokeh").write_bytes(data)
    where = ("--data-dir", str(tmp_path / "data"))
    done = CliRunner().invoke(bokeh_server, ["docs", "import", str(tmp_path / "a.bokeh"), *where])
    assert isinstance(done.exception, CallerError), done.output
    CliRunner().invoke(bokeh_server, ["db", "upgrade", *where], catch_exceptions=False)
    listed = CliRunner().invoke(bokeh_server, ["docs", "list", *where], catch_exceptions=False)
    assert len(listed.stdout.splitlines()) == 1


def test_delete_asks_and_then_deletes_for_good(server: RunningServer) -> None:
    """A document stays when the answer is no; afterwards a running server does not know it."""
    docid = publish(server, "doomed")
    assert "Deleted" not in docs(server, "delete", "doomed", stdin="n\n")
    assert "Deleted 'doomed'" in docs(server, "delete", docid, stdin="y\n")
    assert requests.get(f"{server.url}/bokeh/doc/{docid}/", timeout=5).status_code == 404
    publish(server, "a")
    publish(server, "b")
    docs(server, "delete", "--yes", "a", "b")
    assert not {"a", "b"} & _titles(server)


def test_an_unknown_document_is_one_line(server: RunningServer, tmp_path: Path) -> None:
    """A docid or title that is none, and a database that is not there."""
    missing = run_command(tmp_path, "docs", "list", "--data-dir", "none")
    assert missing.returncode == 1
    assert "no such file" in missing.stderr
    assert len(missing.stderr.strip().splitlines()) == 1
    for command in (("delete", "--yes", "x"), ("export", "x", "y"), ("export", "../x", "y")):
        with pytest.raises(UnknownDocument, match="no document has this docid or title"):
            docs(server, *command)


def test_imported_bytes_are_those_that_were_exported(server: RunningServer, tmp_path: Path) -> None:
    """Exporting what was imported gives the same document and buffers."""
    docid = publish(server, "original", points=1000)
    first, second = tmp_path / "a.bokeh", tmp_path / "b.bokeh"
    docs(server, "export", docid, str(first))
    docs(server, "import", str(first), "--title", "imported")
    docs(server, "export", "imported", str(second))
    one, buffers = unpack(first.read_bytes())
    two, copied = unpack(second.read_bytes())
    assert list(buffers.values()) == list(copied.values())
    assert json.loads(one)["doc"]["roots"][0]["id"] == json.loads(two)["doc"]["roots"][0]["id"]


def test_log_restore_and_export_of_a_revision(server: RunningServer, tmp_path: Path) -> None:
    """What was done is listed in words; any revision is exported, or restored beside the server."""
    docid = publish(server, "with a past")
    first = content(server, docid)["title"]
    for number in (2, 3):
        event = {"kind": "TitleChanged", "title": f"title {number}"}
        url = f"{server.url}/bokeh/doc/{docid}/changes"
        assert requests.post(url, json={"events": [event]}, timeout=10).status_code == 200
    lines = docs(server, "log", "with a past").splitlines()
    assert lines[0].split() == ["revision", "when", "who", "what"]
    assert lines[1].startswith("2-3 ")
    assert lines[1].endswith("defaultuser  Title set to “title 3”")
    assert "Plot “a plot” added" in lines[2]
    assert lines[-1] == "Revisions 0 to 3 can be opened."
    assert len(docs(server, "log", docid, "--limit", "1").splitlines()) == 3
    assert "title" not in docs(server, "log", docid, "--before", "2")

    file = tmp_path / "then.bokeh"
    assert "at change 2 to" in docs(server, "export", docid, str(file), "--revision", "2")
    assert json.loads(unpack(file.read_bytes())[0])["doc"]["title"] == "title 2"

    said = docs(server, "restore", docid, "1")
    assert "Restored revision 1 of 'with a past' as change 4." in said
    assert f"bokeh-server docs restore {docid} 3" in said
    wait_until(lambda: content(server, docid)["title"], first)
    assert "is as it was at revision 1 already" in docs(server, "restore", docid, "1")
    with pytest.raises(UnknownRevision, match="Revisions 0 to 4 can be opened"):
        docs(server, "restore", docid, "9")
    with pytest.raises(UnknownRevision):
        docs(server, "export", docid, str(tmp_path / "b"), "--revision", "9")


def test_commands_forget_nothing(server: RunningServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """How much is kept is the business of the server, whose options a command does not know."""
    from bokeh_server.documents import Engine

    seen: list[int] = []
    made = Engine.__init__

    def note(self: Engine, *args: object, **options: object) -> None:
        made(self, *args, **options)  # type: ignore[arg-type]
        seen.append(self.limits.keep_changes)

    monkeypatch.setattr(Engine, "__init__", note)
    docs(server, "log", publish(server, "kept"))
    assert seen
    assert min(seen) > 2**62


def test_sites(server: RunningServer) -> None:
    """They are printed and chosen, and the running server knows within a second."""
    docid = publish(server, "embedded")
    assert docs(server, "sites", docid) == "every site\n"
    assert docs(server, "sites", docid, "https://A.org", "http://b.org:1") == (
        "https://a.org\nhttp://b.org:1\n"
    )
    assert docs(server, "sites", docid, "--none") == "no site\n"
    url = f"{server.url}/bokeh/doc/{docid}/grants"
    wait_until(lambda: requests.get(url, timeout=10).json()["sites"], [])
    assert docs(server, "sites", docid, "--every") == "every site\n"
    with pytest.raises(CallerError, match="with no path"):
        docs(server, "sites", docid, "https://a.org/b")


def test_titles_are_somebodys(tmp_path: Path) -> None:
    """A title that several have is told apart by its owner; the list says whose each is."""
    with closing(Store.open(f"sqlite:///{tmp_path / 'bokeh-server.sqlite3'}")) as store:
        for owner in ("ada", "grace"):
            store.documents.create(owner, "wind")
        theirs = store.documents.create("grace", "hers alone").docid

    def run(*words: str) -> str:
        where = ("--data-dir", str(tmp_path))
        command = ["docs", *words[:1], *where, *words[1:]]
        return CliRunner().invoke(bokeh_server, command, catch_exceptions=False).output

    assert "Revisions 0 to 0" in run("log", "hers alone")
    with pytest.raises(UnknownDocument, match="ada, grace have one of this title"):
        run("log", "wind")
    assert "Revisions 0 to 0" in run("log", "wind", "--owner", "Ada")
    with pytest.raises(UnknownDocument, match="no document has"):
        run("log", "hers alone", "--owner", "ada")
    listed = [line for line in run("list").splitlines() if theirs in line]
    assert listed[0].split()[1] == "grace"
    run("delete", "wind", "--owner", "grace", "--yes")
    assert "Revisions 0 to 0" in run("log", "wind")
