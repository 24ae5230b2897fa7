"""Globally unique ids for models: the one place that touches how Bokeh numbers them.

Bokeh calls models p1001, p1002, … in every process.
Two scripts that add to one stored document, or two runs of one script,
would then give one id to different models.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from bokeh.document import Document
from bokeh.model import Model
from bokeh.settings import settings
from bokeh.util.serialization import make_globally_unique_id

__all__ = ["is_simple", "make_loose_unique", "make_unique", "use_unique_ids"]

_SIMPLE = re.compile(r"p\d+\Z")


def use_unique_ids() -> None:
    """Make Bokeh give globally unique ids to the models of this process from now on."""
    settings.simple_ids.set_value(False)


def is_simple(model_id: str) -> bool:
    """Whether this id comes from Bokeh's counter, so that other processes use it too."""
    return _SIMPLE.match(model_id) is not None


def make_unique(document: Document, is_stored: Callable[[Model], bool]) -> list[Model]:
    """Give new ids to the document's models that have ids of Bokeh's counter.

    :param is_stored: says whether the server knows this very model, under the id it has.
    :returns: the models that have a new id now.
    """
    renamed = [model for model in _models(document) if _is_unsafe(model, is_stored)]
    for model in renamed:
        _rename(model)
    if renamed:
        document.models.recompute()
    return renamed


def make_loose_unique(models: Iterable[Model]) -> None:
    """Give new ids to models that are in no document and have ids of Bokeh's counter."""
    for model in models:
        if model.document is None and is_simple(model.id):
            _rename(model)


def _rename(model: Model) -> None:
    model._id = make_globally_unique_id()  # type: ignore[attr-defined]


def _models(document: Document) -> Iterable[Model]:
    # from the roots, not document.models: of two models with one id that holds only one
    found: set[Model] = set(document.config.references())
    for root in document.roots:
        found |= root.references()
    return found


def _is_unsafe(model: Model, is_stored: Callable[[Model], bool]) -> bool:
    return is_simple(model.id) and not is_stored(model)
