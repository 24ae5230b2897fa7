"""Who may do what to a document, as pure functions.

A decision carries its reason, so that logs and messages can say why.

=================  ====  =====  ===
\\                  read  write  own
=================  ====  =====  ===
the owner          yes   yes    yes
an editor          yes   yes    no
a viewer           yes   no     no
anybody else       only if it is published
=================  ====  =====  ===

A token lets its holder do no more than its scope, whoever made it.

An admin looks after the server: its users, their limits, and what was done by everybody. That
gives no right to anybody's document.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

__all__ = [
    "SINGLE_USER",
    "Action",
    "Actor",
    "Decision",
    "Resource",
    "Role",
    "decide",
    "may_look_after",
]

#: the name everyone goes by on a server that knows no accounts.
SINGLE_USER = "defaultuser"


class Action(Enum):
    """What somebody wants to do to a document; who may do one may do those before it."""

    READ = "read"
    WRITE = "write"
    OWN = "own"

    @property
    def verb(self) -> str:
        """What it is called in a sentence."""
        return _VERBS[self]

    def within(self, most: Action) -> bool:
        """Whether somebody may do it who may do ``most``."""
        return _RANK[self] <= _RANK[most]


_VERBS = {Action.READ: "look at", Action.WRITE: "change", Action.OWN: "manage"}
_RANK = {action: rank for rank, action in enumerate(Action)}


class Role(Enum):
    """What an owner made somebody."""

    EDITOR = "editor"
    VIEWER = "viewer"

    @property
    def most(self) -> Action:
        """The most that they may do."""
        return Action.WRITE if self is Role.EDITOR else Action.READ


@dataclass(frozen=True, slots=True)
class Actor:
    """Somebody who asks.

    :param name: the user's name; ``None`` when nobody is logged in.
    :param single_user: whether the server knows only one user, who may do everything.
    :param scope: the most that what they are known by lets them do.
    :param admin: whether they look after the server; looked up where that is asked.
    """

    name: str | None
    single_user: bool = False
    scope: Action = Action.OWN
    admin: bool = False


@dataclass(frozen=True, slots=True)
class Resource:
    """What a decision needs to know about a document.

    :param roles: of those who have one, by name: ``editor`` or ``viewer``.
    """

    owner: str
    published: bool = False
    roles: Mapping[str, str] = field(default_factory=dict, hash=False)


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
    most, reason = _most(actor, resource)
    if most is None or not action.within(most):
        return Decision(False, _refusal(most, action))
    if not action.within(actor.scope):
        return Decision(False, f"the token may only {actor.scope.verb} documents")
    return Decision(True, reason)


def may_look_after(actor: Actor) -> Decision:
    """Decide whether ``actor`` may look after the server: users, limits, what everybody did."""
    if actor.single_user:
        return Decision(False, "this server knows no users")
    if actor.name is None or not actor.admin:
        return Decision(False, "only an admin may")
    if actor.scope is not Action.OWN:
        return Decision(False, f"the token may only {actor.scope.verb} documents")
    return Decision(True, "an admin looks after the server")


def _most(actor: Actor, resource: Resource) -> tuple[Action | None, str]:
    if actor.name is not None and actor.name == resource.owner:
        return Action.OWN, "the owner may do everything"
    role = resource.roles.get(actor.name) if actor.name is not None else None
    if role is not None:
        most = Role(role).most
        return most, f"the owner made them {role}"
    if resource.published:
        return Action.READ, "the document is published"
    return None, ""


def _refusal(most: Action | None, action: Action) -> str:
    if most is Action.WRITE:
        return f"an editor may change this document, and not {action.verb} it"
    return f"only the owner may {action.verb} this document"
