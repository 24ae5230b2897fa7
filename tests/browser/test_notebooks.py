"""Applications in the cells of a Jupyter notebook, whose kernel is a real one."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from bokeh.resources import INLINE
from playwright.sync_api import Browser, Page

from support.browser import take_out, wait_until
from support.server import clean_environment
from support.site import Site

pytest.importorskip("ipykernel", reason="ipykernel is not installed: pip install ipykernel")
pytestmark = pytest.mark.browser

SECONDS = 60
#: what output_notebook() has put into the notebook's page.
LOADED = INLINE.render()
APPLICATION = """
from bokeh.io import show
from bokeh.layouts import column
from bokeh.models import Button, Div

def application(doc):
    button, said = Button(label="Press"), Div(text="not yet", name="said")
    def pressed():
        said.text = f"pressed in a kernel that knows {secret}"
    button.on_click(pressed)
    doc.on_session_destroyed(lambda context: ended.append(said.text))
    doc.add_root(column(button, said))

secret, ended = 42, []
"""


class Kernel:
    """A Jupyter kernel, as a notebook runs cells in it."""

    def __init__(self, home: Path) -> None:
        from jupyter_client.manager import KernelManager

        self.manager = KernelManager(kernel_name="python3")
        self.manager.start_kernel(env=clean_environment(home), cwd=str(home))
        self.client = self.manager.blocking_client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=SECONDS)

    def run(self, code: str) -> list[dict[str, Any]]:
        """Run a cell, which has to succeed; what it displays and prints."""
        messages: list[dict[str, Any]] = []
        reply = self.client.execute_interactive(
            code, timeout=SECONDS, output_hook=lambda message: messages.append(message["content"])
        )
        assert reply["content"]["status"] == "ok", "\n".join(reply["content"]["traceback"])
        return messages

    def printed(self, code: str) -> str:
        """Run a cell; what it prints."""
        return "".join(each.get("text", "") for each in self.run(code)).strip()

    def close(self) -> None:
        """End it."""
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)


# For all tests, and beside the browser's event loop: Jupyter's client starts a thread that stays.
@pytest.fixture(scope="module")
def kernel(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    """A kernel in which an application is defined."""
    kernel = Kernel(tmp_path_factory.mktemp("kernel"))
    kernel.run(APPLICATION)
    yield kernel
    kernel.close()


@pytest.fixture
def notebook() -> Iterator[Site]:
    """The server of the notebook, with the page that has the cells."""
    site = Site()
    yield site
    site.close()


def shown(messages: list[dict[str, Any]]) -> tuple[str, str]:
    """The script of an application that a cell displays, and the id to end it by."""
    (found,) = [each for each in messages if "server_id" in str(each.get("metadata"))]
    about: dict[str, Any] = next(iter(found["metadata"].values()))
    return found["data"]["text/html"], about["server_id"]


def test_show_runs_an_application_by_our_server(
    kernel: Kernel, notebook: Site, visit: Callable[[str], Page]
) -> None:
    """It lives in the cell, with the notebook's own variables, until the cell is cleared."""
    kernel.run("import bokeh_server; bokeh_server.output_notebook(hide_banner=True)")
    cell = f"show(application, notebook_url={notebook.url!r})"
    tag, server_id = shown(kernel.run(cell))
    page = visit(notebook.add("/notebook", LOADED + tag))
    page.click("text=Press")
    text = "() => Bokeh.documents[0].get_model_by_name('said').text"
    wait_until(lambda: page.evaluate(text), "pressed in a kernel that knows 42")
    assert kernel.printed("import sys; print('bokeh.server.server' in sys.modules)") == "False"
    page.close()

    kernel.run(f"import bokeh.io.notebook as it; it.destroy_server({server_id!r})")
    assert kernel.printed("print(ended)") == "['pressed in a kernel that knows 42']"
    port = int(tag.split("127.0.0.1:")[1].split("/")[0])
    with pytest.raises(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port)):
        pass


def test_only_the_notebooks_page_may_connect(
    kernel: Kernel, notebook: Site, visit: Callable[[str], Page], problems: list[str]
) -> None:
    """A page of another site draws nothing of it."""
    kernel.run("import bokeh_server; bokeh_server.output_notebook(hide_banner=True)")
    tag, _ = shown(kernel.run("show(application, notebook_url='127.0.0.1:1')"))
    page = visit(notebook.add("/other", LOADED + tag))
    while not problems:
        page.wait_for_timeout(50)
    assert page.locator(".bk-btn").count() == 0
    take_out(problems, "Could not open websocket")


def test_plots_are_drawn_as_ever(kernel: Kernel) -> None:
    """``show`` of a plot is as Bokeh has it, whose own way comes back when it is asked for."""
    kernel.run("import bokeh_server; bokeh_server.output_notebook(hide_banner=True)")
    plot = "from bokeh.plotting import figure; p = figure(); p.scatter([1], [1]); show(p)"
    displayed = kernel.run(plot)
    assert any("text/html" in each.get("data", {}) for each in displayed)
    kernel.run("from bokeh.io import output_notebook; output_notebook(hide_banner=True)")
    kernel.run("show(application)")
    assert kernel.printed("import sys; print('bokeh.server.server' in sys.modules)") == "True"
