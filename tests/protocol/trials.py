"""One wire document under test, with Bokeh's own documents that judge it."""

from __future__ import annotations

import warnings
from typing import Any

import orjson
from bokeh.core.serialization import UnknownReferenceError
from bokeh.document import Document
from hypothesis import event
from protocol.bokeh_documents import (
    Content,
    Sender,
    apply,
    assert_same,
    doc_json,
    from_json,
    value_view,
)
from protocol.page_patches import PagePatch
from protocol.saved import Saved
from protocol.sender_operations import Operation, Workbench

from bokeh_server.errors import InvalidPatch
from bokeh_server.protocol import Applied, WireDocument, parse_patch
from bokeh_server.protocol.models import inline_buffers

__all__ = ["Trial"]


class Trial:
    """A wire document, a judge that gets the same patches, and a follower of what is sent on.

    :ivar log: all patches so far.
    :ivar pulled: what a follower has pulled, last.
    :ivar sent: what it was sent since then.
    :ivar over: one of them refused a patch, so that there is no more to compare.
    """

    def __init__(self, document: Workbench) -> None:
        self.sender = Sender(document)
        doc, buffers = doc_json(document)
        self.wire = WireDocument.from_json(doc, buffers)
        self.callbacks = self._events_with_callbacks()
        self.saved = Saved().save(self.wire)
        self.seq = 0
        self.over = False
        self.log: list[Content] = []
        self.heard: dict[str, list[Any]] = {"judge": [], "follower": []}
        self._judge(from_json(doc, buffers))
        self._pull()

    def change(self, operation: Operation) -> None:
        """Let the sender change; what it refuses itself is no change."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                operation(self.sender.document)  # type: ignore[arg-type]
            except _REFUSALS as fault:
                event(f"refused by the sender: {type(fault).__name__}")

    def deliver(self) -> None:
        """Give everything that waits to all, as one patch."""
        patch = self.sender.take()
        if patch is not None and self.offer(*patch) is None:
            self.over = True

    def patch(self, make: PagePatch) -> None:
        """Give a patch of a browser to all."""
        self.offer(*make(self.wire, self.seq))

    def reload(self, *, parts: bool) -> None:
        """Go on with the document as a snapshot has it."""
        self.saved.save(self.wire)
        state = self.wire.state()
        self.wire = self.saved.load() if parts else WireDocument.from_state(*state)
        self.saved = self.saved if parts else Saved().save(self.wire)

    def offer(self, content: Content, buffers: dict[str, bytes]) -> Applied | None:
        """Give a patch to all; ``None`` when somebody refuses it, and all are as before."""
        self.log.append(content)
        before = self.wire.state()
        refusal = self._refusal_of_the_judge(content, buffers)
        applied = self._apply(content, buffers)
        if isinstance(applied, str):
            assert refusal is not None or _is_stricter(applied), (applied, content)
            event("refused by us")
        if refusal is not None or isinstance(applied, str):
            event(f"refused by Bokeh: {type(refusal).__name__}")
            self._go_back(before)
            return None
        if applied.resync:
            self._pull()
        self.sent.append(_to_follower(applied))
        self._follow(*self.sent[-1])
        return applied

    def _follow(self, content: bytes, buffers: dict[str, bytes]) -> None:
        try:
            apply(self.follower, content, buffers)
        except UnknownReferenceError as fault:
            # Bokeh in Python forgets what only a field or an expression holds; BokehJS does not.
            if self.wire.type_of(fault.id) not in _FORGOTTEN:
                raise
            event("Bokeh has forgotten a transform")
            self._load_follower(self.wire.content())

    def _pull(self) -> None:
        self.pulled, self.sent = self.wire.content(), []
        self._load_follower(self.pulled)

    def _load_follower(self, pulled: tuple[bytes, dict[str, bytes]]) -> None:
        self.follower = from_json(*pulled)
        self.follower.on_message("mine", self.heard["follower"].append)

    def _go_back(self, state: tuple[bytes, dict[str, bytes]]) -> None:
        self.wire = WireDocument.from_state(*state)
        self.saved = Saved().save(self.wire)
        self._judge(from_json(*self.wire.content()))
        del self.heard["judge"][len(self.heard["follower"]) :]

    def _judge(self, document: Document) -> None:
        self.judge = document
        self.judge.on_message("mine", self.heard["judge"].append)

    def _apply(self, content: Content, buffers: dict[str, bytes]) -> Applied | str:
        """Apply to the wire document, or say why it cannot be, with nothing changed.

        It is applied, taken back and applied again.
        """
        before = self.wire.state()
        self.seq += 1
        try:
            patch = parse_patch(orjson.dumps(content), buffers)
            first = self.wire.apply(patch)
        except InvalidPatch as fault:
            assert self.wire.state() == before
            return str(fault)
        assert first.undo is not None
        first.undo()
        assert self.wire.state() == before
        applied = self.wire.apply(patch, seq=self.seq)
        assert applied == first
        return applied

    def _refusal_of_the_judge(
        self, content: Content, buffers: dict[str, bytes]
    ) -> Exception | None:
        try:
            apply(self.judge, content, buffers)
        except Exception as fault:
            return fault
        return None

    def check(self) -> None:
        """Everybody says the same, in every form."""
        content = self.wire.content()
        assert_same(from_json(*content), self.judge)
        assert_same(self.follower, self.judge)
        assert inline_buffers(*content) == self.wire.content(inline=True)[0]
        self._check_heard()
        self._check_reloaded()
        assert {str(model.id) for model in self.judge.models} <= self.wire.models.keys()
        assert self._events_with_callbacks() == self.callbacks

    def _check_heard(self) -> None:
        judged, followed = (list(map(value_view, each)) for each in self.heard.values())
        assert followed == judged

    def _check_reloaded(self) -> None:
        content = self.wire.content()
        assert WireDocument.from_state(*self.wire.state()).content() == content
        assert WireDocument.from_json(orjson.loads(content[0]), content[1]).content() == content
        assert self.saved.save(self.wire).load().content() == content

    def _events_with_callbacks(self) -> list[tuple[str, list[str]]]:
        callbacks = orjson.loads(self.wire.content(inline=True)[0]).get("callbacks", {})
        return [
            (name, [each["id"] for each in some]) for name, some in callbacks.get("entries", ())
        ]


_REFUSALS = (ValueError, TypeError, AttributeError, IndexError, KeyError, RuntimeError,
             OverflowError, RecursionError)  # fmt: skip


_FORGOTTEN = ("CategoricalColorMapper", "CumSum", "Jitter")
#: columns would differ in length, or hold what only this processor makes of a number.
_STRICTER = (
    "invalid value encountered in cast",
    "only flat arrays can be streamed",
    "differ in length",
    "for a slice of",
    "a slice needs a list of values",
)


def _to_follower(applied: Applied) -> tuple[bytes, dict[str, bytes]]:
    if applied.resync:
        return orjson.dumps({"events": applied.messages}), {}
    content, buffers = applied.shown
    events = orjson.loads(content)["events"]
    return orjson.dumps({"events": [*events, *applied.messages]}), buffers


def _is_stricter(why: str) -> bool:
    """Whether we refuse on purpose what Bokeh takes."""
    return any(each in why for each in _STRICTER)
