"""Pages and scripts as they are on the other end of a line."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Mapping
from typing import Any

from bokeh_server.errors import BokehServerError, CallerError, InvalidPatch
from bokeh_server.protocol import Patch, WireDocument, parse_patch
from bokeh_server.protocol.messages import Message
from support.simulation.edits import Editor, Event
from support.simulation.rules import Rules, brings_models, is_whole, key_of
from support.simulation.server import Peer, Server
from support.simulation.world import Line, World

__all__ = ["Client", "Page", "PlainPage", "Script"]

SEND_EVERY = 0.03
NUMBER = re.compile(r"\d{1,12}(\.\d{3})?")
PULL_AGAIN = 4001


class Client:
    """What all have in common: a connection that may be lost, and a document.

    :ivar document: as it is shown here.
    :ivar jumped: what was shown during a drag in place of what was dragged.
    """

    options: Mapping[str, Any] = {}

    def __init__(self, world: World, server: Server, name: str, *, slowest: float) -> None:
        self.world = world
        self.server = server
        self.name = name
        self.slowest = slowest
        self.window = world.dice.choice([1 << 30, 1 << 30, 4000, 1000])
        self.editor = Editor(name, world.dice)
        self.document = WireDocument.empty()
        self.live = False
        self.pulls = 0
        self.jumped: list[str] = []
        self._dragged: tuple[str, Any] | None = None
        self._numbers = itertools.count(1)
        self._peer: Peer | None = None
        self._up = self._down = Line(world, slowest)
        self._tries = 0
        self.connect()

    # ---- the connection ----

    def connect(self) -> None:
        """Connect and pull."""
        down = Line(self.world, self.slowest, self.window)
        up = Line(self.world, self.slowest)
        self._up, self._down = up, down
        worker = self.world.dice.choice(self.server.workers)

        def arrive() -> None:
            peer = Peer(self.server, worker, down, right="write", **self._options())
            self._peer = peer
            peer.on_message = lambda message: self._hear(peer, message)
            peer.on_close = lambda code: self.lost(peer, code)

        up.send(1, arrive)

    def _options(self) -> dict[str, Any]:
        return {**self.options, "inline": self.pulls > 0}

    def _hear(self, peer: Peer, message: Message) -> None:
        if peer is not self._peer:
            return
        if message.msgtype == "ACK":
            self.pull(peer)
        elif message.msgtype == "PULL-DOC-REPLY":
            doc = json.loads(message.content)["doc"]
            self.document = WireDocument.from_json(doc, message.buffers)
            self.pulls += 1
            self._tries = 0
            self.live = True
            self.pulled(int(message.msgid))
        elif message.msgtype == "PATCH-DOC":
            self.patched(message)
        elif message.msgtype in ("OK", "ERROR"):
            self.answered(message)
        self._look()

    def pull(self, peer: Peer) -> None:
        """Ask for the document."""
        if peer is self._peer:
            self._send("PULL-DOC-REQ", "{}")

    def drop(self) -> None:
        """Lose the connection; both ends learn of it at some time, or at once."""
        peer, dice = self._peer, self.world.dice
        if peer is None:
            return
        self._up.cut = self._down.cut = True
        self.world.later(dice.choice([0, 0, 1, 10]) * dice.random(), peer.hang_up)
        here = dice.choice([0, 0, 0.5, 5]) * dice.random()
        self.world.later(here, lambda: self.lost(peer, 1006))

    def lost(self, peer: Peer, code: int) -> None:
        """Learn that the connection is over; connect again."""
        if peer is not self._peer:
            return
        self._peer = None
        self.live = False
        self._up.cut = self._down.cut = True
        self.world.later(0.1, peer.hang_up)
        self.closed()
        wait = 0.0 if code == PULL_AGAIN else min(8.0, 0.25 * 2**self._tries)
        self._tries += 1
        self.world.later(wait * (0.5 + self.world.dice.random() / 2), self.connect)

    def pull_again(self) -> None:
        """Give the connection up, because what is shown is not what is stored."""
        if self._peer is not None:
            self.lost(self._peer, PULL_AGAIN)

    def _send(self, msgtype: str, content: str, **metadata: Any) -> str:
        msgid, peer = f"{self.name}-{next(self._numbers)}", self._peer
        parts = (json.dumps({"msgid": msgid, "msgtype": msgtype}), json.dumps(metadata), content)
        if peer is not None:
            self._up.send(1, lambda: peer.receive(*parts))
        return msgid

    # ---- what kinds of clients differ in ----

    def pulled(self, seq: int) -> None:
        """The document has come whole."""

    def closed(self) -> None:
        """The connection is lost."""

    def patched(self, message: Message) -> None:
        """A patch has come."""
        self.show(json.loads(message.content)["events"], message.buffers)

    def answered(self, message: Message) -> None:
        """An answer has come."""

    def hold(self, is_held: bool) -> None:
        """Somebody takes something into his hand, or lets go of it."""

    def changed(self, events: list[Event]) -> None:
        """Something was changed here: have it sent."""
        raise NotImplementedError

    # ---- the document ----

    def show(self, events: list[Event], buffers: Mapping[str, bytes]) -> bool:
        """Apply what others did; where that fails, pull again."""
        try:
            self.document.apply(parse_patch(json.dumps({"events": events}).encode(), buffers))
        except InvalidPatch:
            self.pull_again()
            return False
        return True

    def edit(self) -> None:
        """Do something at random."""
        if self.pulls:
            self.make(self.editor.edit(self.document))

    def drag(self) -> None:
        """Begin to drag something; it ends by itself."""
        if not self.pulls or self._dragged is not None:
            return
        steps = self.editor.drag()

        def step() -> None:
            event = next(steps, None)
            if event is None:
                self._dragged = None
                self.hold(False)
                return
            self._dragged = (key_of(event) or "", event["new"])
            self.make([event])
            rests = self.world.dice.random() < 0.02  # and everybody else's values wait
            self.world.later(0.6 if rests else 0.016, step)

        self.hold(True)
        step()

    def make(self, events: list[Event]) -> None:
        """Change the document here, as a person or a script does."""
        if not events:
            return
        try:
            self.document.apply(Patch(events, {}))
        except InvalidPatch:
            return  # what is shown does not allow it
        for event in events:
            if self._dragged is not None and key_of(event) == self._dragged[0]:
                self._dragged = (self._dragged[0], event["new"])
        self.changed(events)

    def _look(self) -> None:
        """Note when something jumps while it is dragged."""
        if self._dragged is not None:
            key, value = self._dragged
            model_id, attr = key.split()
            shown = self.document.model_json(model_id)["attributes"][attr]
            if shown != value:
                self.jumped.append(f"{self.name} at {self.world.now:.3f}: {shown} for {value}")


class PlainPage(Client):
    """A page of BokehJS as it comes: sends at once, shows at once.

    Where it could show something no more it is loaded again by hand.
    """

    def changed(self, events: list[Event]) -> None:
        """Send it; offline it is lost, and the next pull puts that right."""
        if self.live:
            self._send("PATCH-DOC", json.dumps({"events": events}))


class Page(Client):
    """A page of this server: ``session.js``, ``outbox.js`` and ``crossing.js``."""

    options = {"ranges": True}

    def __init__(self, world: World, server: Server, name: str, *, slowest: float) -> None:
        self.rules = Rules(world.time)
        self._queue: dict[object, Event] = {}
        self._offline: dict[object, Event] = {}
        self._unanswered: dict[str, list[Event]] = {}
        self._timer = False
        super().__init__(world, server, name, slowest=slowest)

    def pulled(self, seq: int) -> None:
        """Make again what was done while nobody listened."""
        self.rules.start(seq)
        events, self._offline = list(self._offline.values()), {}
        if self._dragged is not None and self._dragged[0] not in map(key_of, events):
            # all of the drag was stored, and the pointer rests: what others did since is shown
            model_id, attr = self._dragged[0].split()
            shown = self.document.model_json(model_id)["attributes"][attr]
            self._dragged = (self._dragged[0], shown)
        for event in events:
            if event["model"]["id"] in self.document.models:
                self.make([event])

    def closed(self) -> None:
        """Keep what has no answer, and what was not sent."""
        for events in (*self._unanswered.values(), list(self._queue.values())):
            self._keep(events)
        self._unanswered, self._queue = {}, {}

    def hold(self, is_held: bool) -> None:
        """What is dragged is shown as it is dragged; then what others did meanwhile."""
        self.rules.press(is_held)
        if not is_held and self.live:
            self._show_due()

    def changed(self, events: list[Event]) -> None:
        """Put it into the outbox."""
        if not self.live:
            return self._keep(events)
        for event in events:
            self._put_last(self._queue, event)
            self.rules.edited(key_of(event) or "", is_whole(event))
        if not self._timer:
            self._flush()
            self._timer = True
            self.world.later(SEND_EVERY, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = False
        self._flush()

    def _flush(self) -> None:
        if self._queue and self.live:
            events, self._queue = list(self._queue.values()), {}
            number = f"{self.name}-{next(self._numbers)}"
            seen = self.rules.sent(number)
            self._unanswered[number] = events
            header = json.dumps({"msgid": number, "msgtype": "PATCH-DOC"})
            peer, content = self._peer, json.dumps({"events": events})
            if peer is not None:
                self._up.send(1, lambda: peer.receive(header, json.dumps({"seen": seen}), content))

    def patched(self, message: Message) -> None:
        """Show what may be shown now."""
        events = json.loads(message.content)["events"]
        seq = float(message.msgid) if NUMBER.fullmatch(message.msgid) else self.rules.seen
        shown = self.rules.incoming(seq, events, message.buffers)
        if shown is None:
            self.pull_again()
        elif self.show(shown, message.buffers):
            self._show_due()

    def answered(self, message: Message) -> None:
        """Take an answer."""
        if not json.loads(message.content).get("retry"):
            self._unanswered.pop(message.reqid or "", None)
        if message.msgtype == "ERROR":
            self.pull_again()
        else:
            self.rules.answered(message.reqid or "", int(message.msgid))
            self._show_due()

    def _show_due(self) -> None:
        for each in self.rules.due():
            if not self.show([each.event], each.buffers):
                return
        wait = self.rules.wait()
        if wait is not None:
            self.world.later(wait + 1e-6, self._show_later)

    def _show_later(self) -> None:
        if self.live:
            self._show_due()
            self._look()

    def _keep(self, events: list[Event]) -> None:
        for event in events:
            if event["kind"] == "ModelChanged" and not brings_models(event["new"]):
                self._put_last(self._offline, event)

    @staticmethod
    def _put_last(queue: dict[object, Event], event: Event) -> None:
        key = key_of(event) if event["kind"] == "ModelChanged" else object()
        queue.pop(key, None)
        queue[key] = event


class Script(Client):
    """A script: writes over HTTP, one request after another; hears of others on its socket."""

    def __init__(self, world: World, server: Server, name: str, *, slowest: float) -> None:
        self._busy = False
        super().__init__(world, server, name, slowest=slowest)

    def _options(self) -> dict[str, Any]:
        return {"script": True, "origin": f"origin-{self.name}"}

    def pull(self, peer: Peer) -> None:
        """What has no answer comes first, as with ``Subscription``."""
        if self._busy:
            self.world.later(0.05, lambda: self.pull(peer))
        else:
            super().pull(peer)

    def edit(self) -> None:
        """A script waits for the answer before it goes on."""
        if self.live and not self._busy:
            super().edit()

    def drag(self) -> None:
        """Scripts do not drag."""
        self.edit()

    def changed(self, events: list[Event]) -> None:
        """Send it until there is an answer."""
        self._busy = True
        key, dice = f"origin-{self.name}:{next(self._numbers)}", self.world.dice
        worker = dice.choice(self.server.workers)

        def post() -> None:
            try:
                worker.document.apply(
                    Patch(events, {}), actor="ada", origin=f"origin-{self.name}", key=key
                )
            except CallerError:
                # its program hears of it, and goes on from what is stored
                self.world.later(dice.random() * self.slowest, self._refused)
            except BokehServerError:
                self.world.later(0.5 + dice.random(), post)
            else:
                if dice.random() < 0.05:  # the answer gets lost: the same again
                    self.world.later(1.0, post)
                else:
                    self.world.later(dice.random() * self.slowest, self._done)

        self.world.later(dice.random() * self.slowest, post)

    def _done(self) -> None:
        self._busy = False

    def _refused(self) -> None:
        self._busy = False
        self.pull_again()
