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
A pass, which is a share link or a document key, makes its holder a viewer or an editor of
one document, whoever they are; one that is pinned to a revision shows that one alone.

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
    "Pass",
    "Resource",
    "Role",
    "decide",
    "may_look_after",
    "rights_in",
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
class Pass:
    """A share link, or a document key, that is good.

    :param kind: ``link`` or ``key``.
    :param revision: the only one that it shows; ``None``: the document as it is, and its history.
    """

    id: str
    docid: str
    role: Role
    kind: str = "link"
    revision: int | None = None

    @property
    def bearer(self) -> str:
        """What its holder is called where nobody knows who that is."""
        return f"{self.kind} {self.id}"


@dataclass(frozen=True, slots=True)
class Actor:
    """Somebody who asks.

    :param name: the user's name; ``None`` when nobody is logged in.
    :param single_user: whether the server knows only one user, who may do everything.
    :param scope: the most that what they are known by lets them do.
    :param passes: what they hold besides.
    :param admin: whether they look after the server; looked up where that is asked.
    """

    name: str | None
    single_user: bool = False
    scope: Action = Action.OWN
    passes: tuple[Pass, ...] = ()
    admin: bool = False

    def signature(self, docid: str | None) -> str:
        """What they sign with: the name, else the pass for a document, one to edit it first."""
        if self.name is not None:
            return self.name
        fitting = [each for each in self.passes if each.docid == docid]
        fitting.sort(key=lambda each: each.role is not Role.EDITOR)
        return fitting[0].bearer if fitting else ""


@dataclass(frozen=True, slots=True)
class Resource:
    """What a decision needs to know about a document.

    :param roles: of those who have one, by name: ``editor`` or ``viewer``.
    :param docid: for which passes are good.
    """

    owner: str
    published: bool = False
    roles: Mapping[str, str] = field(default_factory=dict, hash=False)
    docid: str = ""


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether it is allowed, and why; true when it is."""

    allowed: bool
    reason: str

    def __bool__(self) -> bool:
        return self.allowed


def decide(
    actor: Actor, action: Action, resource: Resource, revision: int | None = None
) -> Decision:
    """Decide whether ``actor`` may do ``action`` to ``resource``.

    :param revision: the one that alone is to be seen; ``None``: the document as it is.
    """
    if actor.single_user:
        return Decision(True, "single-user server: everyone may do everything")
    most, reason = _most(actor, resource)
    if most is None or not action.within(most):
        if action is Action.READ and _shows(actor, resource, revision):
            return Decision(True, f"a link shows revision {revision}")
        return Decision(False, _refusal(most, reason, action))
    if not action.within(actor.scope):
        return Decision(False, f"the token may only {actor.scope.verb} documents")
    return Decision(True, reason)


def rights_in(resource: Resource, actor: Actor) -> list[str]:
    """What ``actor`` may do to ``resource``: of ``read``, ``write`` and ``own``."""
    return [action.value for action in Action if decide(actor, action, resource)]


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
    most, reason = _by_name(actor.name, resource)
    for held in actor.passes:
        if held.docid != resource.docid:
            continue
        if held.revision is not None:
            reason = reason or f"the {held.kind} shows revision {held.revision} alone"
        elif most is None or not held.role.most.within(most):
            most, reason = held.role.most, f"the {held.kind} makes its holder {held.role.value}"
    return most, reason


def _by_name(name: str | None, resource: Resource) -> tuple[Action | None, str]:
    if name is not None:
        if name == resource.owner:
            return Action.OWN, "the owner may do everything"
        role = resource.roles.get(name)
        if role is not None:
            return Role(role).most, f"the owner made them {role}"
    if resource.published:
        return Action.READ, "the document is published"
    return None, ""


def _shows(actor: Actor, resource: Resource, revision: int | None) -> bool:
    """Whether a pass is pinned to this revision."""
    return revision is not None and any(
        held.docid == resource.docid and held.revision == revision for held in actor.passes
    )


def _refusal(most: Action | None, reason: str, action: Action) -> str:
    if most is None and reason:
        return reason
    if most is Action.WRITE:
        return f"an editor may change this document, and not {action.verb} it"
    return f"only the owner may {action.verb} this document"
