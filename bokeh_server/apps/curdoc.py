"""``curdoc()`` for each greenlet, thread and task, and not one for the whole process.

Bokeh keeps the documents of running callbacks in a list of its module ``bokeh.io.doc``, as if there
were one thread; an exception leaves a document there for ever, and whoever waits in between sees
the document of somebody else. The list is replaced by one that every context has for itself.
"""

from __future__ import annotations

import contextvars
import weakref
from collections.abc import Callable
from typing import Any, TypeVar

import bokeh.io.doc
from bokeh.document import Document
from bokeh.document.locking import UnlockedDocumentProxy

__all__ = ["call_with", "install"]

T = TypeVar("T")

Current = Document | UnlockedDocumentProxy

_stack: contextvars.ContextVar[tuple[weakref.ReferenceType[Any], ...]] = contextvars.ContextVar(
    "bokeh_server_documents", default=()
)


class _Stack:
    """What Bokeh takes for its list."""

    def append(self, reference: weakref.ReferenceType[Any]) -> None:
        """Begin to run something for a document."""
        _stack.set((*_stack.get(), reference))

    def pop(self) -> weakref.ReferenceType[Any]:
        """End it."""
        *rest, last = _stack.get()
        _stack.set(tuple(rest))
        return last

    def __len__(self) -> int:
        return len(_stack.get())

    def __getitem__(self, index: int) -> weakref.ReferenceType[Any]:
        return _stack.get()[index]


def install() -> None:
    """Have Bokeh use it; doing it twice does no harm."""
    if not isinstance(bokeh.io.doc._PATCHED_CURDOCS, _Stack):
        bokeh.io.doc._PATCHED_CURDOCS = _Stack()  # type: ignore[assignment]


def call_with(document: Current, function: Callable[..., T], *args: Any) -> T:
    """Call a function for which ``curdoc()`` is ``document``, and nothing is left of that after.

    What it starts, such as a task, keeps the document.
    """
    context = contextvars.copy_context()
    return context.run(_call, document, function, args)


def _call(document: Current, function: Callable[..., T], args: tuple[Any, ...]) -> T:
    _keep.set(document)
    _stack.set((weakref.ref(document),))
    return function(*args)


#: Bokeh's list holds weakly, and somebody has to hold the proxy of an unlocked document.
_keep: contextvars.ContextVar[Current | None] = contextvars.ContextVar(
    "bokeh_server_kept", default=None
)
