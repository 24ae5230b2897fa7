"""Publishing from applications: what a session has becomes a stored document."""

from __future__ import annotations

from typing import Any, Protocol

from bokeh.document import Document
from bokeh.embed.util import OutputDocumentFor
from bokeh.io import curdoc
from bokeh.model import Model

from bokeh_server.apps.encoding import plain_document
from bokeh_server.errors import BadRequest

__all__ = ["Publisher", "publish"]


class Publisher(Protocol):
    """Stores documents for applications: in this process, or by asking another."""

    def publish(self, user: str | None, title: str, doc: dict[str, Any]) -> str:
        """Store a document, in the place of the owner's of this title if there is one.

        :param user: the name of whoever the session is of, where the server knows people.
        :param doc: the document, as Bokeh writes it, without buffers.
        :returns: where its page is at this server, prefix and all.
        :raises BadRequest: the title is none.
        :raises Forbidden: nobody is there whose document it could be.
        :raises ServerFault: it cannot be stored now.
        """


def publish(what: Model | Document, title: str) -> str:
    """Store a model, or a whole document, as ``output_server`` and ``show`` do.

    To be called in an application: as it is made, or in a callback that has the document's lock.
    The document is that of whoever the session is of with ``multi_user``, else everybody's;
    one of the same title is replaced, and its open pages follow.

    :param title: what it is called.
    :returns: where its page is at this server, such as ``/bokeh/doc/<docid>/show``.
    :raises BadRequest: no application runs here, or it runs where nothing can be stored.
    """
    attempted = f"publish {title[:80]!r}"
    context = getattr(curdoc(), "session_context", None)
    publisher: Publisher | None = getattr(
        getattr(context, "server_context", None), "publisher", None
    )
    if context is None:
        why = "this is not a session of an application, or an unlocked callback of one"
        remedy = "Use output_server in scripts, and add_next_tick_callback in such callbacks"
        raise BadRequest(attempted, why, remedy)
    if publisher is None:
        why = "what runs this application stores no documents"
        remedy = "Use output_server with the address of a server"
        raise BadRequest(attempted, why, remedy)
    return publisher.publish(context.user, title, _written(what, title))


def _written(what: Model | Document, title: str) -> dict[str, Any]:
    if isinstance(what, Document):
        return {**plain_document(what), "title": title}
    with OutputDocumentFor([what], always_new=True) as document:
        document.title = title
        return plain_document(document)
