"""Transactions that lock one document: they wait for each other, and never in a ring."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from contextlib import closing
from datetime import datetime
from hashlib import sha256

from bokeh_server.storage import NewChange, Store, Stored
from support.documents import run_together

TURNS = 60


def test_renames_and_snapshots_wait_in_no_ring(ready_url: str) -> None:
    """Two processes rename, change, stage, sweep and forget at once: nobody is sent away."""
    with (
        closing(Store.open(ready_url)) as here,
        closing(Store.open(ready_url, tidy=False)) as there,
    ):
        documents = [here.documents.create("ada", f"document {n}") for n in range(2)]
        work: list[Callable[[], object]] = []
        for record in documents:
            work += [
                changing(here, record.docid, record.created),
                staging(there, record.docid),
                staging(here, record.docid),
                sweeping(there, record.docid),
            ]
        run_together(work)
        assert [here.documents.get(each.docid).seq for each in documents] == [TURNS] * 2  # type: ignore[union-attr]


def changing(store: Store, docid: str, created: datetime) -> Callable[[], None]:
    """Rename a document again and again."""

    def work() -> None:
        for seq in range(1, TURNS + 1):
            title = f"{docid} {seq}"
            change = NewChange(docid, seq, "ada", b"x" * 20_000, title=title, created=created)
            (outcome,) = store.changes._append([change])
            assert isinstance(outcome, Stored)

    return work


def staging(store: Store, docid: str) -> Callable[[], None]:
    """Put bytes where a snapshot would find them."""

    def work() -> None:
        for _ in range(TURNS):
            data = secrets.token_bytes(50_000)
            assert store.snapshots.stage(docid, [(sha256(data).digest(), data)])

    return work


def sweeping(store: Store, docid: str) -> Callable[[], None]:
    """Drop what no snapshot has, and changes that need not be kept."""

    def work() -> None:
        for _ in range(TURNS):
            store.snapshots.sweep(docid, 100)
            store.changes.forget(docid, 10**6)

    return work
