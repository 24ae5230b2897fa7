"""Documents in parts, for snapshots: a head, a memory, one part a model, and chunks of arrays.

:class:`Draft` is what changed, taken while nobody changes the document; naming and packing it
needs no lock. :func:`read_parts` makes a document of all parts again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from bokeh_server.protocol.arrays import Blob
from bokeh_server.protocol.chunks import Digests, Stretch
from bokeh_server.protocol.columns import Columns
from bokeh_server.protocol.contents import Contents
from bokeh_server.protocol.growing import ColumnBytes, GrowingArray, GrowingList
from bokeh_server.protocol.models import Ref
from bokeh_server.protocol.packing import pack
from bokeh_server.protocol.successors import Memory

__all__ = ["HEAD", "KEPT", "MEMORY", "ROWS", "Draft", "Part", "Unsaved", "make_draft"]

#: the parts that are no models.
HEAD, MEMORY = "", "memory"
#: how a long list stands in a part, and an array of a type that BokehJS does not have; nothing of
#: Bokeh's is called so.
ROWS, KEPT = "rows", "kept"
#: fewer bytes than this stand in the part itself.
_SMALL = 8_192


@dataclass(slots=True)
class Part:
    """One part, taken but not packed.

    :param key: :data:`HEAD`, :data:`MEMORY`, or ``":"`` and the id of a model.
    :param content: JSON, in which bytes and long lists are called by numbers.
    :param buffers: the bytes that are short.
    :param stretches: the bytes and lists that are long.
    """

    key: str
    content: bytes
    buffers: dict[str, bytes]
    stretches: dict[str, Stretch]

    def packed(self) -> tuple[bytes, list[bytes]]:
        """Give its body, and the digests of the chunks that it needs."""
        digests = {number: each.digests() for number, each in self.stretches.items()}
        table = {
            number: [self.stretches[number].skip, *(each.hex() for each in digests[number])]
            for number in digests
        }
        head = orjson.dumps({"key": self.key, "stretches": table})[:-1]
        body = b'%b,"part":%b}' % (head, self.content)
        return pack(body, self.buffers), [each for some in digests.values() for each in some]

    def data(self) -> Iterable[tuple[bytes, bytes | memoryview]]:
        """Give digest and data of the chunks that may have to be stored."""
        for stretch in self.stretches.values():
            yield from stretch.data()


@dataclass(slots=True)
class Draft:
    """What a snapshot has to write.

    :param parts: those that may have changed since the last draft, or all.
    :param gone: keys of the models that are no longer there.
    :param whole: ``parts`` are all that there are.
    """

    parts: list[Part]
    gone: list[str]
    whole: bool


class Unsaved:
    """Which models changed since the last draft."""

    def __init__(self) -> None:
        self._ids: set[str] | None = set()

    def note(self, ids: Iterable[str]) -> None:
        """Note that models changed, came or went."""
        if self._ids is not None:
            self._ids.update(ids)

    def note_all(self) -> None:
        """Note that everything may have changed."""
        self._ids = None

    def take(self) -> set[str] | None:
        """Give the ids since the last time; ``None`` for all."""
        taken, self._ids = self._ids, set()
        return taken


def make_draft(contents: Contents, memory: Memory, ids: set[str] | None, known: Digests) -> Draft:
    """Take what a snapshot needs; nobody may change the document meanwhile.

    :param ids: models that changed, came or went; ``None`` for all.
    :param known: chunks that are stored already, and come without data.
    """
    models = contents.models
    chosen = models.keys() if ids is None else ids & models.keys()
    parts = [_head(contents, known), Part(MEMORY, orjson.dumps(memory.to_json()), {}, {})]
    parts += [_part(key_of(each), models[each].definition(), known) for each in chosen]
    gone = [] if ids is None else [key_of(each) for each in ids - models.keys()]
    return Draft(parts, gone, ids is None)


def key_of(model_id: str) -> str:
    """The key of a model's part."""
    return f":{model_id}"


def _head(contents: Contents, known: Digests) -> Part:
    head: dict[str, Any] = {"version": contents.version, "title": contents.title}
    if contents.defs is not None:
        head["defs"] = contents.defs
    if contents.callbacks is not None:
        head["callbacks"] = contents.callbacks
    return _part(HEAD, {**head, "config": contents.config, "roots": contents.roots}, known)


def _part(key: str, value: Mapping[str, Any], known: Digests) -> Part:
    part = Part(key, b"", {}, {})
    part.content = orjson.dumps(value, default=_hook(part, known))
    return part


def _hook(part: Part, known: Digests) -> Callable[[Any], Any]:
    def write(item: Any) -> Any:
        if isinstance(item, Ref):
            return {"id": item.id}
        if isinstance(item, Blob | ColumnBytes):
            return {"type": "bytes", "data": {"id": _keep_bytes(part, item, known)}}
        if isinstance(item, Columns):
            return item.saved()
        if isinstance(item, GrowingArray):
            return item.wire() if item.is_shown_as_it_is else _own_form(item)
        if isinstance(item, GrowingList):
            return _write_list(part, item, known)
        raise TypeError(f"a snapshot cannot hold a {type(item).__name__}")

    return write


def _own_form(item: GrowingArray) -> dict[str, Any]:
    values = item.values
    head = {"type": KEPT, "dtype": values.dtype.str, "shape": list(values.shape)}
    return {**head, "array": ColumnBytes(item)}


def _keep_bytes(part: Part, item: Blob | ColumnBytes, known: Digests) -> str:
    number = str(len(part.buffers) + len(part.stretches))
    if len(item) < _SMALL:
        part.buffers[number] = item.raw()
    else:
        part.stretches[number] = item.stretch(known)
    return number


def _write_list(part: Part, item: GrowingList, known: Digests) -> Any:
    stretch = item.stretch(known)
    if stretch is None:
        return item.wire()
    number = str(len(part.buffers) + len(part.stretches))
    part.stretches[number] = stretch
    return {"type": ROWS, "id": number}
