"""The Flask extension: pages, the JSON API, embedding and the WebSocket routes."""

from __future__ import annotations

from bokeh_server.blueprint.extension import BokehServer
from bokeh_server.blueprint.state import State, current_state

__all__ = ["BokehServer", "State", "current_state"]
