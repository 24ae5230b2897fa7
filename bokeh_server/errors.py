"""Every error this project raises, in one tree.

.. code-block:: text

    BokehServerError
    ├── CallerError                 the caller erred (4xx): mend the request
    │   ├── BadRequest              400
    │   │   ├── InvalidMessage      not a message of Bokeh's protocol
    │   │   └── InvalidPatch        a patch that the document cannot take
    │   ├── NotAuthenticated        401
    │   ├── Forbidden               403
    │   │   ├── OriginRefused       a WebSocket from a page of another site
    │   │   ├── SessionExpired      a token too old for a session to begin with
    │   │   └── QuotaReached        the owner has stored all that they may
    │   ├── NotFound                404
    │   │   ├── UnknownDocument
    │   │   ├── UnknownModel
    │   │   └── UnknownRevision
    │   ├── Conflict                409
    │   │   └── TitleTaken
    │   ├── NoLongerKept            410
    │   ├── SessionGone             410
    │   ├── TooLarge                413
    │   ├── KeyReused               422
    │   └── TooMany                 429
    ├── ServerFault                 the server cannot (5xx): try again later
    │   ├── ApplicationFailed       500: an application's own code
    │   ├── ApplicationUnavailable  503: its session or worker is busy, or has ended
    │   ├── StorageUnavailable      503
    │   └── StorageFull             507
    ├── ConfigurationError          the server cannot start as configured
    │   └── SchemaMismatch          the database is older or newer than this release
    └── ConnectionFailed            a client found no server, or lost it

A message has three parts: what was attempted, why it cannot be, what to do.
"""

from __future__ import annotations

from typing import ClassVar

__all__ = [
    "ApplicationFailed",
    "ApplicationUnavailable",
    "BadRequest",
    "BokehServerError",
    "CallerError",
    "ConfigurationError",
    "Conflict",
    "ConnectionFailed",
    "Forbidden",
    "InvalidMessage",
    "InvalidPatch",
    "KeyReused",
    "NoLongerKept",
    "NotAuthenticated",
    "NotFound",
    "OriginRefused",
    "QuotaReached",
    "SchemaMismatch",
    "ServerFault",
    "SessionExpired",
    "SessionGone",
    "StorageFull",
    "StorageUnavailable",
    "TitleTaken",
    "TooLarge",
    "TooMany",
    "UnknownDocument",
    "UnknownModel",
    "UnknownRevision",
]


class BokehServerError(Exception):
    """The root of the tree.

    :param attempted: what was attempted, as a verb phrase: ``"open document abc"``.
    :param why: why it cannot be: ``"there is no such document"``.
    :param remedy: what to do: ``"Check the address"``; empty where there is nothing to say.
    """

    #: HTTP status of an answer that reports this error.
    status: ClassVar[int] = 500
    #: the word for this error in JSON answers, stable across releases.
    code: ClassVar[str] = "error"

    def __init__(self, attempted: str, why: str, remedy: str = "") -> None:
        self.attempted = attempted
        self.why = why
        self.remedy = remedy
        super().__init__(attempted, why, remedy)

    def __str__(self) -> str:
        sentence = f"Could not {self.attempted}: {self.why}."
        return f"{sentence} {self.remedy.rstrip('.')}." if self.remedy else sentence


class CallerError(BokehServerError):
    """The caller erred; the same request would fail again."""

    status = 400
    code = "bad_request"


class BadRequest(CallerError):
    """The request is not well formed."""


class InvalidMessage(BadRequest):
    """Bytes that are not a message of Bokeh's protocol."""

    code = "invalid_message"


class InvalidPatch(BadRequest):
    """A patch that the document cannot take; nothing of it was applied."""

    code = "invalid_patch"


class NotAuthenticated(CallerError):
    """Nobody is logged in and somebody has to be."""

    status = 401
    code = "not_authenticated"


class Forbidden(CallerError):
    """The caller is known and may not do this."""

    status = 403
    code = "forbidden"


class SessionExpired(Forbidden):
    """The session of a token has ended, and the token is too old to begin another."""

    code = "session_expired"


class OriginRefused(Forbidden):
    """A request sent by a page of another site."""

    code = "origin_refused"


class QuotaReached(Forbidden):
    """The owner has as many documents, or as much in them, as they may; nothing was stored."""

    code = "quota_reached"


class NotFound(CallerError):
    """There is nothing here, or nothing that the caller may see."""

    status = 404
    code = "not_found"


class UnknownDocument(NotFound):
    """No readable document has this docid or title."""

    code = "unknown_document"


class UnknownModel(NotFound):
    """The document has no model of this id or name."""

    code = "unknown_model"


class UnknownRevision(NotFound):
    """The document has no change of this number yet."""

    code = "unknown_revision"


class NoLongerKept(CallerError):
    """A change or revision that was there, and is older than what is kept."""

    status = 410
    code = "no_longer_kept"


class SessionGone(CallerError):
    """The session of an application that has ended."""

    status = 410
    code = "session_gone"


class Conflict(CallerError):
    """The request disagrees with what is stored."""

    status = 409
    code = "conflict"


class TitleTaken(Conflict):
    """The owner already has a document of this title."""

    code = "title_taken"


class TooLarge(CallerError):
    """The body or message is over the limit."""

    status = 413
    code = "too_large"


class KeyReused(CallerError):
    """An idempotency key that another request has used; nothing was stored."""

    status = 422
    code = "key_reused"


class TooMany(CallerError):
    """The same was tried too often; the answer says when to try again.

    :param seconds: after so long.
    """

    status = 429
    code = "too_many"

    def __init__(self, attempted: str, why: str, remedy: str = "", seconds: int = 0) -> None:
        super().__init__(attempted, why, remedy)
        self.seconds = seconds


class ServerFault(BokehServerError):
    """The server cannot do this now; the request may be sent again."""

    status = 503
    code = "unavailable"


class ApplicationFailed(ServerFault):
    """The code of an application that failed while a session was made."""

    status = 500
    code = "application_failed"


class ApplicationUnavailable(ServerFault):
    """A session, or the process that runs it, is busy, or has ended."""

    status = 503
    code = "application_unavailable"


class StorageUnavailable(ServerFault):
    """The database does not answer."""


class StorageFull(ServerFault):
    """The disk is full; nothing was stored."""

    status = 507
    code = "storage_full"


class ConfigurationError(BokehServerError):
    """The server cannot start as it is configured."""

    code = "configuration"


class SchemaMismatch(ConfigurationError):
    """The database was made by an older or newer release."""

    code = "schema_mismatch"


class ConnectionFailed(BokehServerError):
    """A client found no server at the address, or lost it."""

    code = "connection_failed"
