"""Who may do what to a document, as pure functions.

A decision carries its reason, so that logs and messages can say why.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

__all__ = ["SINGLE_USER", "Action", "Actor", "Decision", "Resource", "decide"]

#: the name everyone goes by on a server that knows no accounts.
SINGLE_USER = "defaultuser"


class Action(Enum):
    """What somebody wants to do to a document."""

    READ = "read"
    WRITE = "write"
    OWN = "own"


@dataclass(frozen=True, slots=True)
class Actor:
    """Somebody who asks.

    :param name: the user's name; ``None`` when nobody is logged in.
    :param single_user: whether the server knows only one user, who may do everything.
    """

    name: str | None
    single_user: bool = False


@dataclass(frozen=True, slots=True)
class Resource:
    """What a decision needs to know about a document."""

    owner: str
    published: bool = False


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether it is allowed, and why; true when it is."""

    allowed: bool
    reason: str

    def __bool__(self) -> bool:
        return self.allowed


def decide(actor: Actor, action: Action, resource: Resource) -> Decision:
    """Decide whether ``actor`` may do ``action`` to ``resource``."""
    if actor.single_user:
        return Decision(True, "single-user server: everyone may do everything")
    if actor.name is not None and actor.name == resource.owner:
        return Decision(True, "the owner may do everything")
    if action is Action.READ and resource.published:
        return Decision(True, "the document is published")
    return Decision(False, f"only the owner may {action.value} this document")
