"""How applications are served."""

from __future__ import annotations

from dataclasses import dataclass, field

from bokeh_server.apps.requests import Filters
from bokeh_server.apps.tokens import Tokens

__all__ = ["HostOptions", "Lifetimes"]


@dataclass(frozen=True, slots=True)
class Lifetimes:
    """How long sessions are kept.

    :param unused: seconds without a connection.
    :param check: seconds between two looks.
    """

    unused: float = 15.0
    check: float = 5.0


@dataclass(frozen=True)
class HostOptions:
    """How applications are served.

    :param warm: how many sessions of each application are made ahead.
    :param patience: seconds that a request waits for a session, or a worker, that is busy.
    :param logout_url: what ``session_context.logout_url`` says.
    """

    tokens: Tokens = field(default_factory=Tokens)
    filters: Filters = field(default_factory=Filters)
    lifetimes: Lifetimes = field(default_factory=Lifetimes)
    logout_url: str | None = None
    warm: int = 0
    patience: float = 30.0
