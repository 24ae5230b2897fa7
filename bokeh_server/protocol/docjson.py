"""Whole documents: Bokeh's document JSON, and the form in which snapshots keep them."""

from __future__ import annotations

import functools
import importlib.metadata
from typing import Any

import orjson

from bokeh_server.protocol.contents import Contents
from bokeh_server.protocol.models import Ref, Writer
from bokeh_server.protocol.packing import Buffers
from bokeh_server.protocol.patches import invalid_patch
from bokeh_server.protocol.successors import Memory
from bokeh_server.protocol.values import MAX_DEPTH, Reader

__all__ = [
    "empty_contents",
    "read_contents",
    "read_frame",
    "read_state",
    "write_contents",
    "write_state",
]

_TITLE = "Bokeh Application"
_CONFIG = "bokeh-server-config"
_NOTIFICATIONS = "bokeh-server-notifications"
#: most bytes that one array inside a model definition may unpack to.
_MOST_DEFAULT = 16 * 1024 * 1024


@functools.cache
def _bokeh_version() -> str:
    return importlib.metadata.version("bokeh")


def empty_contents() -> Contents:
    """Give a document without roots, with the configuration that Bokeh's documents have."""
    reader = Reader({}, {})
    config = reader.value(_default_config(), "the configuration")
    reader.finish()
    return Contents(_bokeh_version(), _TITLE, config, models=dict(reader.new))


def _default_config() -> dict[str, Any]:
    # Readers in Python need a configuration; fixed ids, so that every process makes the same.
    notifications = {"type": "object", "name": "Notifications", "id": _NOTIFICATIONS}
    attributes = {"notifications": notifications}
    return {"type": "object", "name": "DocumentConfig", "id": _CONFIG, "attributes": attributes}


def read_contents(doc: Any, buffers: Buffers) -> Contents:
    """Read Bokeh's document JSON.

    :raises InvalidPatch: it is none, or refers to what it does not have.
    """
    if not isinstance(doc, dict):
        raise invalid_patch("the document is not an object")
    reader = Reader(buffers, {})
    contents = read_frame(doc, reader)
    reader.finish()
    contents.models = reader.new
    contents.check_columns(contents.models)
    reachable = contents.explore().order
    contents.models = {key: contents.models[key] for key in reachable}
    return contents


def read_frame(doc: dict[str, Any], reader: Reader) -> Contents:
    """Read everything but the models' attributes, which ``reader`` has afterwards.

    :raises InvalidPatch: it is of another shape.
    """
    config = reader.value(doc.get("config") or _default_config(), "the document's configuration")
    if not isinstance(config, Ref):
        raise invalid_patch("the document's configuration is not a model")
    contents = Contents(
        _string(doc, "version", _bokeh_version()), _string(doc, "title", _TITLE), config
    )
    contents.roots = _read_roots(doc.get("roots", []), reader)
    if doc.get("callbacks") is not None:
        contents.callbacks = _checked_callbacks(
            reader.value(doc["callbacks"], "the document's callbacks")
        )
        contents.callback_refs = tuple(reader.refs)
    contents.defs = _read_defs(doc.get("defs"), reader)
    return contents


def _checked_callbacks(value: Any) -> Any:
    pairs = value.get("entries", ()) if isinstance(value, dict) and "type" in value else ()
    if isinstance(value, dict) and "type" not in value:
        pairs = value.items()
    models = [callback for _, some in pairs if isinstance(some, list) for callback in some]
    sound = isinstance(value, dict) and all(isinstance(some, list) for _, some in pairs)
    if not sound or not all(isinstance(callback, Ref) for callback in models):
        raise invalid_patch("the document's callbacks are not lists of models by event")
    return value


def _string(doc: dict[str, Any], key: str, default: str) -> str:
    text = doc.get(key, default)
    if not isinstance(text, str):
        raise invalid_patch(f"the document's {key} is not a string")
    return text


def _read_roots(raw: Any, reader: Reader) -> list[str]:
    if not isinstance(raw, list):
        raise invalid_patch("the document's roots are not a list")
    roots = [reader.value(root, f"root {number}") for number, root in enumerate(raw, 1)]
    ids = [root.id for root in roots if isinstance(root, Ref)]
    if len(ids) != len(roots):
        raise invalid_patch("a root of the document is not a model")
    if len(set(ids)) != len(ids):
        raise invalid_patch("a root of the document occurs twice")
    return ids


def _read_defs(raw: Any, reader: Reader) -> Any:
    if raw is None or (isinstance(raw, list) and all(isinstance(each, dict) for each in raw)):
        return None if raw is None else _opaque(raw, reader, 0)
    raise invalid_patch("the document's definitions of models are not a list")


def _opaque(raw: Any, reader: Reader, depth: int) -> Any:
    """Keep definitions as they are but for bytes: an id in them is the name of a type."""
    if depth > MAX_DEPTH:
        raise invalid_patch(f"the document's definitions are nested more than {MAX_DEPTH} deep")
    if isinstance(raw, list):
        return [_opaque(item, reader, depth + 1) for item in raw]
    if not isinstance(raw, dict):
        return raw
    if raw.get("type") == "bytes":
        return reader.value(raw, "the document's definitions of models")
    return {key: _opaque(value, reader, depth + 1) for key, value in raw.items()}


def write_contents(
    contents: Contents, *, inline: bool = False, only: str | None = None
) -> tuple[bytes, dict[str, bytes]]:
    """Write Bokeh's document JSON.

    :param inline: arrays as text in the JSON instead of buffers.
    :param only: the id of a model to be its only root; callbacks of the document are left out.
    """
    writer = Writer(contents.models, inline=inline)
    _write_head(contents, writer)
    writer.write(b',"config":')
    writer.write(contents.config)
    writer.write(b',"roots":')
    writer.write([Ref(root) for root in (contents.roots if only is None else [only])])
    if contents.callbacks is not None and only is None:
        writer.write(b',"callbacks":')
        writer.write(contents.callbacks)
    writer.write(b"}")
    return writer.text(), writer.buffers


def _write_head(contents: Contents, writer: Writer) -> None:
    head = {"version": contents.version, "title": contents.title}
    writer.write(orjson.dumps(head)[:-1])
    if contents.defs is not None:
        writer.write(b',"defs":')
        writer.write(contents.defs)


def write_state(contents: Contents, memory: Memory) -> tuple[bytes, dict[str, bytes]]:
    """Write a document for a snapshot: models in one flat list, and what it remembers.

    However deeply models refer to each other, this can be read again.
    """
    writer = Writer({})
    _write_head(contents, writer)
    kept = {"config": contents.config, "roots": contents.roots, "memory": memory.to_json()}
    if contents.callbacks is not None:
        kept["callbacks"] = contents.callbacks
    writer.write(b',"kept":')
    writer.write(kept)
    separator = b',"models":['
    for model in contents.models.values():
        writer.write(separator)
        writer.write_model(model)
        separator = b","
    writer.write(b"]}" if contents.models else b',"models":[]}')
    return writer.text(), writer.buffers


def read_state(state: dict[str, Any], buffers: Buffers) -> tuple[Contents, Memory]:
    """Read what :func:`write_state` wrote.

    :raises InvalidPatch: it is something else.
    """
    kept, models = state.get("kept"), state.get("models")
    if not isinstance(kept, dict) or not isinstance(models, list):
        raise invalid_patch("it is not the snapshot of a document")
    reader = Reader(buffers, {})
    for number, model in enumerate(models, 1):
        reader.value(model, f"model {number}")
    flat = {**state, "config": kept.get("config"), "callbacks": kept.get("callbacks")}
    contents = read_frame({**flat, "roots": [{"id": root} for root in kept["roots"]]}, reader)
    reader.finish()
    contents.models = reader.new
    return contents, Memory.from_json(kept["memory"])
