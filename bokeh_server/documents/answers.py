"""What a writer is answered: the first time, and whenever it asks again with the same key."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import orjson

from bokeh_server.blocking import run_sized
from bokeh_server.errors import BadRequest, KeyReused
from bokeh_server.protocol import Patch, WireDocument, unpack
from bokeh_server.protocol.patches import KEY_LENGTH
from bokeh_server.storage import ChangeRecord

__all__ = ["Answer", "Missing", "check_key", "check_same", "first_answer", "missing", "with_notes"]

Missing: TypeAlias = Callable[[WireDocument], tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a change.

    :param seq: the number it is committed as; where it changes nothing, that of the last change.
    :param gone: ids of models that it was for, and that the document did not have then.
    :param request: fingerprint of the request that it was an answer to, where that is known.
    """

    seq: int
    gone: tuple[str, ...] = ()
    request: str | None = None


def check_key(key: str | None) -> None:
    """Refuse what cannot be stored as an idempotency key.

    :raises BadRequest: it cannot.
    """
    if key is None:
        return
    if not key or len(key) > KEY_LENGTH or not key.isprintable():
        raise BadRequest(
            "store a change",
            "its idempotency key is empty, too long or not printable",
            f"Use 1 to {KEY_LENGTH} printable characters",
        )


def check_same(answer: Answer, request: str | None) -> Answer:
    """Give back an answer, if it was one to the same request.

    :raises KeyReused: it was given to another.
    """
    if request is not None and answer.request is not None and request != answer.request:
        raise KeyReused(
            "store a change",
            f"its idempotency key was used for another request, stored as change {answer.seq}",
            "Make a new key for every change, and use one again only to send the same again",
        )
    return answer


def missing(patch: Patch) -> Missing:
    """Tell of a document which models a patch is for that it does not have.

    Bokeh drops events for models that are gone, so their sender has to be told.
    """
    models = (event.get("model") for event in patch.events if "attr" in event)
    ids = (model.get("id") for model in models if isinstance(model, dict))
    targets = sorted({model_id for model_id in ids if isinstance(model_id, str)})
    return lambda wire: tuple(each for each in targets if each not in wire.models)


def with_notes(events: bytes, **notes: Any) -> bytes:
    """A change as it is logged: its events, and before them what else is to be remembered.

    :param notes: those that are ``None`` or empty are left out.
    """
    wanted = {name: value for name, value in notes.items() if value not in (None, ())}
    return orjson.dumps(wanted)[:-1] + b"," + events[1:] if wanted else events


def first_answer(record: ChangeRecord) -> Answer:
    """What the writer of a stored change was answered."""
    return run_sized(len(record.body), _read, record)


def _read(record: ChangeRecord) -> Answer:
    content, _ = unpack(record.body, "a stored change")
    notes = orjson.loads(content)
    return Answer(record.seq, tuple(notes.get("gone", ())), notes.get("request"))
