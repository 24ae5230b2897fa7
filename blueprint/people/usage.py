"""What somebody's documents take."""

from __future__ import annotations

from bokeh_server.blocking import run_blocking
from bokeh_server.blueprint.state import current_state

__all__ = ["usage_of"]


def usage_of(name: str) -> dict[str, int]:
    """What somebody's documents take, and may take; 0: no limit."""
    state = current_state()
    usage = run_blocking(state.store.usage.of, name)
    documents, size = state.quotas.limits(usage)
    return {
        "documents": usage.documents if usage else 0,
        "bytes": usage.bytes if usage else 0,
        "most_documents": documents,
        "most_bytes": size,
    }
