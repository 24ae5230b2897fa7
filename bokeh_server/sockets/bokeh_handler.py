"""Bokeh's protocol over one connection, for anything that is a live document."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable
from typing import Any

from bokeh_server.blocking import run_sized
from bokeh_server.channels import Cursor
from bokeh_server.errors import (
    BokehServerError,
    InvalidPatch,
    NotAuthenticated,
    ServerFault,
    TooLarge,
    UnknownDocument,
)
from bokeh_server.protocol.messages import (
    Body,
    Message,
    Receiver,
    ack,
    encode_with,
    error,
    ok,
    server_info,
)
from bokeh_server.protocol.patches import parse_json, parse_patch
from bokeh_server.sockets.connection import Connection
from bokeh_server.sockets.limits import Limits
from bokeh_server.sockets.source import LiveSource
from bokeh_server.sockets.tickets import Right
from bokeh_server.sockets.writing import PULL_AGAIN

__all__ = ["DELETED", "LAPSED", "BokehHandler"]

log = logging.getLogger(__name__)

#: the document was deleted: there is no use in connecting again.
DELETED = 4004
#: who opened it may do no more what it is for: ask for a new ticket, which says what they may.
LAPSED = 4003


class BokehHandler:
    """Serve a live document to one connection.

    :param right: who may only read is answered as if it had written, for BokehJS sends
        what it computes by itself; nothing of it is kept.
    :param check: called before every change; raises when it may no longer be made.
    :param leave: called at the end.
    :param actor: the user's name, for the log.
    :param origin: the name under which it sends changes, which it does not get back.
    :param script: it is a script, not a browser.
    :param inline: it has lost a connection before, so it cannot take buffers.
    :param ranges: range changes it sends were made by a person.
    """

    __slots__ = (
        "_actor",
        "_check",
        "_connection",
        "_follows",
        "_inline",
        "_leave",
        "_limits",
        "_ranges",
        "_receiver",
        "_right",
        "_source",
    )

    def __init__(
        self,
        connection: Connection,
        source: LiveSource,
        *,
        right: Right,
        actor: str,
        origin: str | None = None,
        script: bool = False,
        inline: bool = False,
        ranges: bool = False,
        limits: Limits | None = None,
        check: Callable[[], object] = lambda: None,
        leave: Callable[[], None] = lambda: None,
    ) -> None:
        connection.origin = origin or secrets.token_hex(8)
        connection.is_script = script
        connection.person = actor or None
        self._connection = connection
        self._source = source
        self._right = right
        self._actor = actor
        self._check = check
        self._leave = leave
        self._inline = inline
        self._ranges = ranges
        self._limits = limits or connection.limits
        self._receiver: Receiver | None = None
        self._follows = False

    # ---- what happens on the connection ----

    def opened(self) -> None:
        """Queue the ``ACK``, which comes before everything else."""
        self._connection.send(ack())

    def received(self, data: str | bytes) -> None:
        """Take a WebSocket message, and answer the message of Bokeh that it completes."""
        if self._receiver is None:
            self._receiver = Receiver(max_size=self._max_size())
        try:
            message = self._receiver.feed(data)
        except TooLarge as reason:
            return self._connection.close(1009, reason.why)
        except BokehServerError as reason:
            return self._connection.close(1003 if isinstance(data, bytes) else 1002, reason.why)
        if message is not None:
            self._receiver = None
            self._answer(message)

    def behind(self, cursor: Cursor) -> None:
        """Send the newest values instead of every step, or have it pull again."""
        try:
            data, following = self._source.resume(self._connection, cursor.seq)
        except UnknownDocument:
            return self._connection.close(DELETED, "the document was deleted")
        if data is None or len(data) > self._limits.max_backlog:
            following.channel.unfollow(following)
            return self._connection.close(PULL_AGAIN, "fell too far behind")
        self._connection.send(data)
        self._connection.follow(following)

    def closed(self) -> None:
        """Tell who wants to know; the connection has left the channel already."""
        self._leave()

    # ---- messages ----

    def _answer(self, message: Message) -> None:
        answer = self._answers().get(message.msgtype)
        if answer is None:
            reason = f"{message.msgtype[:40]!r} is no message for a server"
            return self._connection.close(1002, reason)
        try:
            answer(message)
        except UnknownDocument:
            self._connection.close(DELETED, "the document was deleted")
        except BokehServerError as reason:
            fault = isinstance(reason, ServerFault)
            self._connection.send(error(message.msgid, str(reason), retry=fault))
            if fault and not self._connection.is_script:
                # the browser shows a value that is not stored; pulling again mends it
                self._connection.close(PULL_AGAIN, "a change could not be stored")
        except Exception:
            log.exception("A %s failed", message.msgtype)
            text = "The server failed to do this; its log says why. Nothing was changed."
            self._connection.send(error(message.msgid, text))

    def _answers(self) -> dict[str, Callable[[Message], None]]:
        return {
            "PULL-DOC-REQ": self._pull,
            "PATCH-DOC": self._patch,
            "PUSH-DOC": self._push,
            "SERVER-INFO-REQ": self._tell_server_info,
        }

    def _pull(self, message: Message) -> None:
        # What the old cursor has left would come after the reply, which holds it already.
        self._connection.unfollow()
        snapshot, cursor = self._source.join(self._connection, inline=self._inline)
        body = snapshot.body
        header = Body((), body.num_buffers)
        self._connection.send(
            encode_with(header, "PULL-DOC-REPLY", reqid=message.msgid, msgid=str(snapshot.seq)),
            *body.parts,
            shared=True,
        )
        self._follow(cursor)

    def _patch(self, message: Message) -> None:
        seq = None
        if self._right == "write":
            if not self._may_still():
                return
            seq = self._source.apply(
                run_sized(len(message.content), parse_patch, message.content, message.buffers),
                actor=self._actor,
                origin=self._connection.origin,
                browser=not self._connection.is_script,
                ranges=self._ranges,
                seen=_seen(message),
            )
        self._connection.send(ok(message.msgid, seq))

    def _push(self, message: Message) -> None:
        if self._right != "write":
            text = "Could not replace the document: you may only read it."
            return self._connection.send(error(message.msgid, text))
        if not self._may_still():
            return
        seq = self._source.replace(
            _doc(message),
            message.buffers,
            actor=self._actor,
            origin=self._connection.origin,
        )
        if not self._follows:
            self._follow(self._source.channel.follow(self._connection, seq=seq))
        self._connection.send(ok(message.msgid))

    def _may_still(self) -> bool:
        """Whether a change may still be made; closes where the document is hidden by now."""
        try:
            self._check()
        except (UnknownDocument, NotAuthenticated):
            self._connection.close(LAPSED, "who opened it may change nothing more")
            return False
        return True

    def _tell_server_info(self, message: Message) -> None:
        self._connection.send(server_info(message.msgid))

    def _follow(self, cursor: Cursor) -> None:
        self._follows = True
        self._connection.follow(cursor)

    def _max_size(self) -> int:
        limits = self._limits
        return limits.max_protocol_message if self._right == "write" else limits.max_message


def _seen(message: Message) -> float | None:
    seen = message.metadata.get("seen")
    return seen if isinstance(seen, int | float) and not isinstance(seen, bool) else None


def _doc(message: Message) -> dict[str, Any]:
    raw = message.content
    content = run_sized(len(raw), parse_json, raw, "the content of a PUSH-DOC")
    doc = content.get("doc") if isinstance(content, dict) else None
    if not isinstance(doc, dict):
        raise InvalidPatch("replace the document", "the message has no 'doc' that is an object")
    return doc
