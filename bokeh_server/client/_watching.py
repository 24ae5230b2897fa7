"""Hearing of models that leave a document: the one place that hooks Bokeh's model index.

Bokeh tells nobody, and a model that left is changed without an event.
When it comes back before the next store, the server's copy of it is out of date.
"""

from __future__ import annotations

from collections.abc import Callable

from bokeh.document import Document
from bokeh.model import Model

__all__ = ["watch_departures"]


def watch_departures(document: Document, callback: Callable[[set[Model]], None]) -> None:
    """Call ``callback(models)`` whenever models leave the document."""
    manager = document.models
    recompute = manager.recompute

    def recompute_and_tell() -> None:
        before = set(manager)
        recompute()
        gone = before.difference(manager)
        if gone:
            callback(gone)

    manager.recompute = recompute_and_tell  # type: ignore[method-assign]
