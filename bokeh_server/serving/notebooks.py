"""Applications in Jupyter notebooks: ``bokeh.io.show`` runs them by our :class:`Server`."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import bokeh.io
from bokeh.embed import server_document
from bokeh.io.notebook import (
    DEFAULT_JUPYTER_URL,
    EXEC_MIME_TYPE,
    HTML_MIME_TYPE,
    _update_notebook_url_from_env,
    install_notebook_hook,
    load_notebook,
    publish_display_data,
    show_doc,
)
from bokeh.io.state import State, curstate
from bokeh.resources import Resources

from bokeh_server.apps import Loadable
from bokeh_server.serving.server import Server

__all__ = ["output_notebook"]

#: how Bokeh's state names a notebook whose applications we run.
_TYPE: Any = "bokeh-server"
#: gives the address of a port as browsers reach it; of ``None``, that of the notebook.
Proxy = Callable[[int | None], str]


def output_notebook(
    resources: Resources | None = None,
    verbose: bool = False,
    hide_banner: bool = False,
    load_timeout: int = 5000,
) -> None:
    """Have ``bokeh.io.show`` draw in cells, as ``bokeh.io.output_notebook`` does, and run
    applications by our :class:`Server`, on a port and in threads of the notebook's kernel.

    ``show(application, notebook_url="localhost:8888", port=0)`` takes what Bokeh's takes, and what
    :class:`Server` takes; the application ends when its cell is run again or cleared.

    :param resources: where the notebook has BokehJS from; the CDN, unless Bokeh is set otherwise.
    :param verbose: whether to tell what is loaded.
    :param hide_banner: whether to say nothing at all.
    :param load_timeout: milliseconds after which a plot tells that BokehJS did not come.
    """
    install_notebook_hook(_TYPE, load_notebook, show_doc, _show_application, overwrite=True)
    bokeh.io.output_notebook(resources, verbose, hide_banner, load_timeout, _TYPE)


def _show_application(
    app: Loadable,
    state: State,
    notebook_url: str | Proxy = DEFAULT_JUPYTER_URL,
    port: int = 0,
    **options: Any,
) -> None:
    """Run an application, and show it in the cell that is being run."""
    notebook_url = _update_notebook_url_from_env(notebook_url)
    origin = notebook_url(None) if callable(notebook_url) else notebook_url
    allowed = [_host_of(origin), *options.pop("allow_websocket_origin", ())]
    server = Server(app, port=port, allow_websocket_origin=allowed, **options)
    server_id: Any = uuid.uuid4().hex
    # Bokeh's script in the notebook has the kernel end it by this id.
    curstate().uuid_to_server[server_id] = server  # type: ignore[assignment]
    server.start()
    tag = server_document(_address(notebook_url, server), resources=None)
    data, about = {HTML_MIME_TYPE: tag, EXEC_MIME_TYPE: ""}, {"server_id": server_id}
    publish_display_data(data, metadata={EXEC_MIME_TYPE: about})


def _host_of(url: str) -> str:
    return urlsplit(url).netloc if "//" in url else url


def _address(notebook_url: str | Proxy, server: Server) -> str:
    """Where the notebook's browser finds the server: on the same machine as the notebook."""
    if callable(notebook_url):
        return notebook_url(server.port)
    parts = urlsplit(notebook_url if "//" in notebook_url else f"//{notebook_url}")
    name = parts.hostname or "localhost"
    host = f"[{name}]" if ":" in name else name
    return f"{server.settings.scheme}://{host}:{server.port}{server.prefix}/"
