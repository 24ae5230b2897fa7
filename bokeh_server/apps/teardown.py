"""Taking a session's document apart.

Bokeh's own way looks for whoever still refers to it through all of memory, and stops everybody else
meanwhile, for a tenth of a second and more.
"""

from __future__ import annotations

import sys

from bokeh.document import Document

__all__ = ["take_apart"]


def take_apart(document: Document) -> None:
    """Empty a document, and the modules that its scripts ran in."""
    modules = document.modules._modules
    for module in modules:
        sys.modules.pop(module.__name__, None)
        module.__dict__.clear()
    modules.clear()
    document.callbacks.destroy()
    document.models.destroy()
    document._session_context = None
