"""Pages of applications, and the scripts by which other pages embed them, by Bokeh's templates."""

from __future__ import annotations

import functools
import hashlib
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlparse

import bokeh
from bokeh.core.templates import AUTOLOAD_JS
from bokeh.core.types import ID
from bokeh.embed.bundle import Script, ScriptRef, bundle_for_objs_and_resources
from bokeh.embed.elements import html_page_for_render_items, script_for_render_items
from bokeh.embed.util import RenderItem
from bokeh.resources import Resources

from bokeh_server.apps.opening import Opened
from bokeh_server.errors import BadRequest

__all__ = ["Embedding", "PageFiles", "bokehjs_folder", "render_page", "render_script"]


@dataclass(frozen=True, slots=True)
class Embedding:
    """Where an application is embedded, as ``server_document`` asks for it.

    :param element: the id of the element that it is drawn in.
    :param app_path: the application's path, prefix and all.
    :param absolute_url: its whole address.
    :param with_resources: whether BokehJS is to be loaded, too.
    """

    element: str
    app_path: str = "/"
    absolute_url: str | None = None
    with_resources: bool = True


@dataclass(frozen=True, slots=True)
class PageFiles:
    """Where pages find what they load.

    :param root: the address of the folder with BokehJS, with a slash at the end.
    :param scripts: addresses of scripts that are loaded after it.
    """

    root: str
    scripts: tuple[str, ...] = ()


def render_page(opened: Opened, files: PageFiles) -> str:
    """The page of a session; to be called with its document's lock."""
    document = opened.document
    bundle = bundle_for_objs_and_resources(None, _resources(files.root))
    for url in files.scripts:
        bundle.add(ScriptRef(url))
    item = RenderItem(token=opened.token, roots=document.roots, use_for_title=True)
    html: str = html_page_for_render_items(
        bundle,
        {},
        [item],
        document.title,
        template=document.template,
        template_variables=document.template_variables,
    )
    return html


def render_script(opened: Opened, files: PageFiles, embedding: Embedding) -> str:
    """The script that draws a session in an element of somebody's page.

    :param files: their addresses are paths.
    """
    server = _server_of(embedding.absolute_url)
    resources = _resources(server + files.root) if embedding.with_resources else None
    bundle = bundle_for_objs_and_resources(None, resources)
    item = RenderItem(token=opened.token, elementid=ID(embedding.element), use_for_title=False)
    for url in files.scripts if embedding.with_resources else ():
        bundle.add(ScriptRef(server + url))
    drawing = script_for_render_items(
        {}, [item], app_path=embedding.app_path, absolute_url=embedding.absolute_url
    )
    bundle.add(Script(drawing))
    script: str = AUTOLOAD_JS.render(bundle=bundle, elementid=embedding.element)
    return script


def _server_of(url: str | None) -> str:
    if not url:
        return ""
    try:
        parsed = urlparse(url)
    except ValueError:
        parsed = urlparse("")
    if parsed.scheme not in ("http", "https") or not parsed.netloc:
        raise BadRequest("embed an application", "bokeh-absolute-url is no address of a server")
    return f"{parsed.scheme}://{parsed.netloc}"


def _resources(root: str) -> Resources:
    return Resources(mode="server", root_url=root, path_versioner=_versioned)


@functools.cache
def bokehjs_folder() -> Path:
    """Where the installed bokeh has what pages load, in folders such as ``js``."""
    return Path(bokeh.__file__).parent / "server" / "static"


@functools.cache
def _versioned(path: str) -> str:
    """The path of a file of BokehJS with a word that changes when the file does."""
    try:
        data = (bokehjs_folder() / path).read_bytes()
    except OSError:
        return path
    return f"{path}?v={hashlib.sha256(data).hexdigest()[:32]}"
