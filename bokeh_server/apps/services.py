"""What applications have of the server around them."""

from __future__ import annotations

from dataclasses import dataclass

from bokeh_server.apps.permits import Guard
from bokeh_server.apps.publishing import Publisher

__all__ = ["NO_SERVICES", "Services"]


@dataclass(frozen=True, slots=True)
class Services:
    """Each may be missing.

    :param publisher: stores what they publish.
    :param guard: knows whose login has ended.
    """

    publisher: Publisher | None = None
    guard: Guard | None = None


#: where applications run by themselves.
NO_SERVICES = Services()
