"""The tag that shows a plot in a page of any site."""

from __future__ import annotations

from html import escape

__all__ = ["autoload_tag"]

#: what stands in place of a plot whose server is away: there is no script of ours then.
#: (In a handler in HTML, ``URL`` alone is that of the document.)
_ON_ERROR = (
    "const note = document.createElement('p'); note.setAttribute('role', 'alert'); "
    "note.textContent = 'This plot could not be loaded: ' + new window.URL(this.src).origin + "
    "' does not deliver it. Reload the page to try again.'; "
    "if (document.body?.contains(this)) { this.replaceWith(note) } "
    "else { (document.body ?? document.documentElement).append(note) }"
)


def autoload_tag(url: str, element: str) -> str:
    """The tag for an address of ``autoload.js``; the plot takes its place.

    :param element: the id of the tag, which the address names as well.
    """
    failed = escape(_ON_ERROR)
    return f'<script src="{escape(url)}" id="{element}" async onerror="{failed}"></script>'
