"""Live plots in any page: a ``<script>`` tag that draws where it stands."""

from __future__ import annotations

from urllib.parse import urlencode

from bokeh.model import Model
from bokeh.util.serialization import make_globally_unique_css_safe_id

from bokeh_server.client import Session
from bokeh_server.errors import UnknownModel
from bokeh_server.tags import autoload_tag

__all__ = ["autoload_server"]


def autoload_server(
    model: Model, session: Session, public: bool = False, revision: int | None = None
) -> str:
    """A ``<script>`` tag that shows a stored object, live, in a page of any site.

    :param model: a plot, widget or layout that was pushed.
    :param public: show the published document, each viewer with a copy of their own.
    :param revision: show it as it was after this change, for good, instead of live.
    :raises UnknownModel: the stored document, or that revision of it, does not have it.
    """
    session = session.home(model)
    docid = session.docid_of(model)
    pinned = {} if revision is None else {"revision": revision}
    _check_stored(model, session, docid, pinned)
    element = make_globally_unique_css_safe_id()
    arguments = {"docid": docid, "modelid": model.id} | ({"public": "true"} if public else {})
    url = f"{session.http.url('autoload.js', element)}?{urlencode({**arguments, **pinned})}"
    return autoload_tag(url, element)


def _check_stored(model: Model, session: Session, docid: str, pinned: dict[str, int]) -> None:
    name = type(model).__qualified_model__
    url = session.http.url("bb", docid, name, model.id, slash=True)
    try:
        session.http.get(f"{url}?{urlencode(pinned)}")
    except UnknownModel:
        raise UnknownModel(
            f"embed {name}({model.id})", "the stored document does not have it",
            "Store it first, by push() or session.store_document(document)",
        ) from None  # fmt: skip
