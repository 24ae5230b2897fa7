"""One trial: clients at work for a while, then quiet; all have to show what is stored."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, field
from typing import Any

from bokeh_server.documents import Engine, Limits
from bokeh_server.protocol import WireDocument
from bokeh_server.storage import Store
from support.simulation.clients import Client, Page, PlainPage, Script
from support.simulation.edits import BASE
from support.simulation.server import Server
from support.simulation.world import World

__all__ = ["Outcome", "run_trial"]

WORK_SECONDS = 12.0
QUIET_SECONDS = 120.0


@dataclass
class Outcome:
    """How a trial went.

    :ivar wrong: clients that do not show what is stored, and what is different.
    :ivar jumped: what jumped while a page of ours dragged it.
    """

    seed: int
    changes: int = 0
    pulls: int = 0
    clients: int = 0
    wrong: list[str] = field(default_factory=list)
    jumped: list[str] = field(default_factory=list)

    @property
    def is_good(self) -> bool:
        """Whether all is as it should be."""
        return not self.wrong and not self.jumped


def run_trial(seed: int, store: Store) -> Outcome:
    """Run a trial, which is the same for the same seed."""
    world = World(seed)
    dice = world.dice
    limits = Limits(
        ring_entries=dice.choice([1024, 1024, 64, 16]),
        watch_seconds=1e6,
        housekeeping_seconds=1e6,
        idle_seconds=1e6,
    )
    docid = _make(store)
    server = Server(world, store, docid, workers=dice.choice([1, 1, 2]), limits=limits)
    try:
        clients = _clients(world, server)
        _plan(world, server, clients)
        world.after = server.tick
        _run(world, server, WORK_SECONDS)
        _run(world, server, WORK_SECONDS + QUIET_SECONDS, until_quiet=True)
        return _compare(seed, server, clients)
    finally:
        server.close()


def _make(store: Store) -> str:
    engine = Engine(store)
    docid = engine.create("ada", f"trial {uuid.uuid4()}").docid
    engine.open(docid).replace(json.loads(json.dumps(BASE)), {}, actor="ada")
    engine.close()
    return docid


def _clients(world: World, server: Server) -> list[Client]:
    dice = world.dice
    slowest = dice.choice([0.01, 0.2, 1.0, 4.0])
    kinds: list[type[Client]] = [Page, Page, *dice.choices([Page, PlainPage, Script], k=3)]
    return [
        kind(world, server, f"c{number}-", slowest=slowest * dice.choice([0.2, 1, 2]))
        for number, kind in enumerate(kinds[: dice.randint(2, 5)])
    ]


def _plan(world: World, server: Server, clients: list[Client]) -> None:
    """Decide who does what when."""
    dice = world.dice
    for client in clients:
        for _ in range(dice.randint(5, 25)):
            world.at(dice.uniform(0.5, WORK_SECONDS), client.edit)
        for _ in range(dice.randint(1, 6)):
            world.at(dice.uniform(0.5, WORK_SECONDS - 1), client.drag)
        for _ in range(dice.choice([0, 0, 1, 3])):
            world.at(dice.uniform(0.5, WORK_SECONDS), client.drop)
    if dice.random() < 0.2:
        world.at(dice.uniform(1, WORK_SECONDS), lambda: _fail(server))


def _fail(server: Server) -> None:
    server.world.dice.choice(server.workers).fail_next = True


def _run(world: World, server: Server, end: float, *, until_quiet: bool = False) -> None:
    while world.now < end and not (until_quiet and world.is_quiet and server.is_settled):
        world.run(world.now + 0.05)
        server.settle()
        server.pump()


def _compare(seed: int, server: Server, clients: list[Client]) -> Outcome:
    stored = _shown(server.workers[0].document._wire)
    outcome = Outcome(seed, server.workers[0].document.seq, clients=len(clients))
    for worker in server.workers[1:]:
        if _shown(worker.document._wire) != stored:
            outcome.wrong.append(f"worker: {_difference(_shown(worker.document._wire), stored)}")
    for client in clients:
        outcome.pulls += client.pulls
        if not client.live:
            outcome.wrong.append(f"{client.name} is not connected")
        shown = _shown(client.document)
        if shown != stored:
            kind = type(client).__name__
            outcome.wrong.append(f"{kind} {client.name}: {_difference(shown, stored)}")
        if isinstance(client, Page):
            outcome.jumped += client.jumped
    return outcome


def _shown(document: WireDocument | None) -> dict[str, Any]:
    assert document is not None
    models = {each: document.model_json(each).get("attributes") for each in document.models}
    return {"title": document.title, "roots": document.roots, **models}


def _difference(shown: dict[str, Any], stored: dict[str, Any]) -> str:
    keys = sorted(shown.keys() | stored.keys())
    parts = [
        f"{key}: {shown.get(key)} is stored as {stored.get(key)}"
        for key in keys
        if shown.get(key) != stored.get(key)
    ]
    return "; ".join(parts)[:800]
