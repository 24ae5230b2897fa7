"""Where plots go: :func:`output_server`, :func:`show`, :func:`push` and the like.

Everything of :mod:`bokeh.io` that they do not replace works beside them.
"""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Iterable, Sequence
from typing import Any, Literal

import bokeh.io
from bokeh.core.types import PathLike
from bokeh.document import Document
from bokeh.io import curdoc, output_file, save
from bokeh.io.doc import set_curdoc
from bokeh.io.state import curstate
from bokeh.model import Model
from bokeh.util.browser import view

from bokeh_server.client import Session
from bokeh_server.client._state import published
from bokeh_server.errors import ConnectionFailed

__all__ = [
    "curdoc",
    "cursession",
    "output_file",
    "output_notebook",
    "output_server",
    "push",
    "reset_output",
    "save",
    "show",
]


def output_server(
    docname: str,
    session: Session | None = None,
    url: str = "default",
    name: str | None = None,
    clear: bool = True,
    key: str | None = None,
) -> None:
    """Publish what follows as a document of a server.

    From here on :func:`curdoc` is a new document, and :func:`cursession` sends it.

    :param docname: its title; a document that we have under this title is used again.
    :param session: a session to use instead of a new one.
    :param url: the server; ``"default"`` is ``BOKEH_SERVER_URL`` or ``http://localhost:5006/``.
    :param name: the name of a saved server.
    :param clear: begin anew: the next :func:`push` or :func:`show` replaces what is stored.
        ``False``: what is stored stays, and what is new is added.
    :param key: the key of this document, where it is somebody else's.
    :raises ConnectionFailed: no server answers.
    """
    if session is None:
        session = Session(name=name, root_url=None if url == "default" else url, key=key)
    try:
        session.use_doc(docname)
    except ConnectionFailed as error:
        raise error.with_traceback(None) from None  # a script shows all of it: one sentence will do
    document = Document(title=docname)
    session.link(document, pinned=True)
    if not clear:
        session.load_document(document)
    set_curdoc(document)
    published().use(document, session)


def output_notebook(
    url: str | None = None,
    docname: str | None = None,
    session: Session | None = None,
    name: str | None = None,
    hide_banner: bool | None = None,
    **options: Any,
) -> None:
    """Show plots in notebook cells; live from a server if one is named.

    :param url: a server, or ``"default"``.
    :param docname: the document's title; ``IPython Session at <time>`` when not given.
    :param options: as for :func:`bokeh.io.output_notebook`.
    """
    if url is None and session is None and name is None and docname is None:
        bokeh.io.output_notebook(hide_banner=bool(hide_banner), **options)
        return
    title = docname or f"IPython Session at {time.ctime()}"
    output_server(title, session=session, url=url or "default", name=name)
    curstate().output_notebook()


def cursession() -> Session | None:
    """The session of the current document, after :func:`output_server`."""
    return published().of(None)


def push(
    session: Session | None = None, document: Document | None = None, state: object = None
) -> None:
    """Send what changed in a document to the server.

    :param session: :func:`cursession` when not given.
    :param document: :func:`curdoc` when not given.
    :param state: taken for old scripts' sake and not used.
    """
    document = document if document is not None else curdoc()
    session = session if session is not None else published().of(document)
    if session is None:
        warnings.warn(
            "push() called but no session was supplied and output_server(...) was never called, "
            "nothing pushed",
            stacklevel=2,
        )
        return
    session.store_document(document)


def show(
    obj: Model | Sequence[Model] | None = None,
    browser: str | None = None,
    new: Literal["same", "window", "tab"] = "tab",
    **options: Any,
) -> Any:
    """Push and open the live page of an object, of several, or of the whole document.

    :param obj: a plot, widget or layout, a list of them, or ``None`` for the whole document.
    :param browser: which browser; ``"none"``, or ``BOKEH_BROWSER=none``, opens nothing.
    :param options: as for :func:`bokeh.io.show`, where no server is used.
    """
    objects = _objects(obj)
    document = objects[0].document if objects and objects[0].document else curdoc()
    session = published().of(document)
    if session is None:
        return bokeh.io.show(_required(obj), browser=browser, new=new, **options)
    _add(document, objects)
    session.store_document(document)
    if curstate().notebook:
        session.show(*(objects or document.roots))
    else:
        view(_page(session, document, objects), browser=browser, new=new)
    if curstate().file is not None:
        _show_file(_required(obj if obj is not None else document.roots), browser, new)
    return None


def reset_output(state: object = None) -> None:
    """Forget servers, files and notebooks, and begin a new document."""
    place = published()
    place.session = None
    place.sessions.clear()
    bokeh.io.reset_output()


def _objects(obj: Model | Sequence[Model] | None) -> list[Model]:
    if obj is None:
        return []
    if isinstance(obj, Model):
        return [obj]
    objects = list(_flat(obj)) if isinstance(obj, list | tuple) else [obj]
    if not objects or not all(isinstance(each, Model) for each in objects):
        raise ValueError(
            f"Could not show {obj!r}: it is not a plot, widget or layout, nor a list of them."
        )
    return objects  # type: ignore[return-value]


def _flat(items: Iterable[Any]) -> Iterable[Any]:
    for each in items:
        if isinstance(each, list | tuple):
            yield from _flat(each)
        else:
            yield each


def _required(obj: Any) -> Any:
    return curdoc().roots if obj is None else obj


def _add(document: Document, objects: list[Model]) -> None:
    for each in objects:
        if each.document is not document:
            document.add_root(each)
            _drop_parts(document, each)


def _drop_parts(document: Document, layout: Model) -> None:
    # a plot that was shown alone and is now in a layout would be there twice
    for part in _parts(layout):
        if part in document.roots:
            document.remove_root(part)


def _parts(layout: Model) -> Iterable[Model]:
    held = [getattr(layout, name, None) for name in ("children", "tabs", "child")]
    for part in _flat(held):
        if isinstance(part, Model):
            yield part
            yield from _parts(part)


def _page(session: Session, document: Document, objects: list[Model]) -> str:
    if len(objects) == 1:
        return session.object_link(objects[0])
    home = session.home(document)
    return home.http.url("doc", home.link_for(document).docid, "show")


def _show_file(obj: Any, browser: str | None, new: Literal["same", "window", "tab"]) -> None:
    filename: PathLike = save(obj)
    view(os.fspath(filename), browser=browser, new=new)
