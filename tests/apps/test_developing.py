"""``--dev``: an application is loaded again when a file of it changes, and so are its pages."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from apps.conftest import wait_for
from playwright.sync_api import Browser

from support.browser import chromium, wait_until
from support.server import RunningServer, running_server

MAIN = """
from bokeh.io import curdoc
from bokeh.models import Div
from helper_of_this_test import TEXT
curdoc().add_root(Div(text="x"))
curdoc().title = TEXT
"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A Chromium."""
    with chromium() as started:
        yield started


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An application with a module of its own."""
    made = tmp_path / "dash"
    made.mkdir()
    (made / "main.py").write_text(MAIN)
    (made / "helper_of_this_test.py").write_text("TEXT = 'first'")
    (tmp_path / "data.csv").write_text("1")
    return made


def write(path: Path, text: str) -> None:
    """Change a file, at another time than before."""
    before = path.stat().st_mtime_ns
    path.write_text(text)
    os.utime(path, ns=(before + 10**9, before + 10**9))


def test_pages_follow_the_files(folder: Path, browser: Browser) -> None:
    """A module, a broken script, the script mended, and a file that was named: the page follows."""
    data = folder.parent / "data.csv"
    with running_server(str(folder), "--dev", str(data)) as server:
        page = browser.new_page()
        page.goto(f"{server.url}/dash")
        wait_until(page.title, "first")
        wait_for_script(page)
        write(folder / "helper_of_this_test.py", "TEXT = 'second'")
        wait_until(page.title, "second")
        write(folder / "main.py", "def (")
        wait_for(lambda: "SyntaxError" in server.log)
        wait_until(page.title, "second")
        mended = f"{MAIN}curdoc().title = TEXT + open({str(data)!r}).read()\n"
        write(folder / "main.py", mended)
        wait_until(page.title, "second1")
        wait_for_script(page)
        write(data, "2")
        wait_until(page.title, "second2")
        server.tracebacks_expected = True
        page.close()


def test_a_page_with_an_error_comes_back(folder: Path, browser: Browser) -> None:
    """What fails as it runs gives an error page, which is loaded again when it is mended."""
    with running_server(str(folder), "--dev") as server:
        page = browser.new_page()
        page.goto(f"{server.url}/dash")
        wait_until(page.title, "first")
        wait_for_script(page)
        write(folder / "main.py", MAIN + "1 / 0\n")
        page.wait_for_selector("text=its code failed")
        wait_for_script(page)
        write(folder / "main.py", MAIN.replace("title = TEXT", "title = 'mended'"))
        wait_until(page.title, "mended")
        server.tracebacks_expected = True
        page.close()


def test_a_script_and_a_package_side_by_side(tmp_path: Path) -> None:
    """A change in one is no change of the other, and both go on."""
    package = tmp_path / "pack"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "helper.py").write_text("TEXT = 'first'")
    (package / "main.py").write_text(
        "from bokeh.io import curdoc\nfrom . import helper\ncurdoc().title = helper.TEXT\n"
    )
    script = tmp_path / "alone.py"
    script.write_text("from bokeh.io import curdoc\ncurdoc().title = 'alone'\n")
    with running_server(str(script), str(package), "--dev") as server:

        def title(name: str) -> str:
            page = requests.get(f"{server.url}/{name}", timeout=20).text
            return page.partition("<title>")[2].partition("</title>")[0]

        assert (title("pack"), title("alone")) == ("first", "alone")
        write(package / "helper.py", "TEXT = 'second'")
        wait_for(lambda: title("pack") == "second")
        time.sleep(1.2)
        assert (title("pack"), title("alone")) == ("second", "alone")
        assert server.log.count("Loaded /pack again") == 1
        assert "Loaded /alone again" not in server.log


def wait_for_script(page: object) -> None:
    """Wait until the page has asked once what there is."""
    page.wait_for_load_state("networkidle")  # type: ignore[attr-defined]
    with page.expect_response("**/bokeh/dev"):  # type: ignore[attr-defined]
        pass


def test_without_it_pages_have_no_such_script(folder: Path, tmp_path: Path) -> None:
    """Nothing looks and nothing asks."""
    import requests

    with running_server(str(folder)) as server:
        assert "dev.js" not in requests.get(f"{server.url}/dash", timeout=30).text
        assert requests.get(f"{server.url}/bokeh/dev", timeout=30).status_code == 404


def test_there_has_to_be_an_application(tmp_path: Path) -> None:
    """Alone it is refused, with the reason."""
    server = RunningServer(("--dev",), {**os.environ, "HOME": str(tmp_path)}, tmp_path / "data")
    with pytest.raises(AssertionError, match="there is none"):
        server.start()
