"""By what people use applications, and whether that is good still."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from bokeh_server.blocking import run_blocking
from bokeh_server.blueprint.people.callers import current_caller

if TYPE_CHECKING:
    from bokeh_server.blueprint.state import State

__all__ = ["LoginGuard", "present_permit"]


def present_permit() -> str | None:
    """What the sender of this request is known by: a login or token of ours, else nothing."""
    known = current_caller().known
    return None if known is None else known.digest.hex()


class LoginGuard:
    """Knows which logins and tokens have ended; see :class:`bokeh_server.apps.Guard`."""

    def __init__(self, state: State) -> None:
        self._state = state

    def lapsed(self, permits: Collection[str]) -> list[str]:
        """Those that have ended, or whose user is disabled."""
        digests = {each: bytes.fromhex(each) for each in permits}
        good = run_blocking(self._state.store.credentials.good, digests.values())
        return [each for each, digest in digests.items() if digest not in good]
