"""What scripts and notebooks use: sessions, and documents that follow their stored copies."""

from __future__ import annotations

from bokeh_server.client.history import Change
from bokeh_server.client.session import Session
from bokeh_server.client.subscription import Subscription

__all__ = ["Change", "Session", "Subscription"]
