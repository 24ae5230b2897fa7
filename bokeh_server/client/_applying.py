"""What comes from the server, into a local document whose models keep their identity.

The one place that touches Bokeh's deserializer and its handling of patch events.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any, cast

import bokeh.io.doc
import orjson
from bokeh.core.property.wrappers import PropertyValueContainer
from bokeh.core.serialization import Buffer, DeserializationError, Deserializer, Serialized
from bokeh.document import DEFAULT_TITLE, Document
from bokeh.document.events import DocumentPatchedEvent
from bokeh.events import ModelEvent  # importing it registers the events of browsers
from bokeh.model import Model

from bokeh_server.client._comparing import same_value
from bokeh_server.client._encoding import Encoder, data_models, is_source
from bokeh_server.client.batches import extras
from bokeh_server.client.link import Link
from bokeh_server.errors import InvalidPatch

__all__ = ["apply_patch", "merge_content"]

_log = logging.getLogger("bokeh_server.client")

Updates = dict[str, dict[str, Any]]
Buffers = Mapping[str, bytes]


def merge_content(
    link: Link, content: Any, buffers: Buffers, *, only: Model | None = None
) -> list[Exception]:
    """Bring the local document up to a whole stored document; local changes stay.

    :param content: the stored document in wire form, of which the parts are used up.
    :param only: bring up nothing but this model.
    :returns: what callbacks of the script raised.
    """
    local = _local_models(link)
    updates: Updates = {}
    seen: set[str] = set()
    roots = _split(content["roots"], local, updates, seen)
    if only is not None:
        updates = {key: value for key, value in updates.items() if key == only.id}
        roots = []
    unset = _unset_there(link, local, updates)
    updates = _really_changed(link, local, updates, buffers)
    decoder = Deserializer(list(local.values()), setter=link.setter)
    decoded = _decode(decoder, [_pairs(updates), roots], buffers)
    if only is None:
        _keep_title(link, content["title"])
        _note_extras(link, content)
        _merge_roots(link, decoded[1])
        _set_title(link, content["title"])
        _learn(link, seen)
    return _set_all(link, local, [*unset, *decoded[0]])


def apply_patch(link: Link, content: bytes, buffers: Buffers) -> list[Exception]:
    """Apply a patch of the server; one callback that fails does not stop the rest.

    :returns: what callbacks of the script raised.
    """
    local = _local_models(link)
    updates: Updates = {}
    seen: set[str] = set()
    events = _split(orjson.loads(content)["events"], local, updates, seen)
    updates = _really_changed(link, local, updates, buffers)
    decoder = Deserializer(list(local.values()), setter=link.setter)
    decoded = _decode(decoder, [_pairs(updates), events], buffers)
    errors = _set_all(link, local, decoded[0])
    for event in decoded[1]:
        errors += _attempt(_apply_event, link, event)
    _learn(link, seen | set(link.known))
    return errors


def _note_extras(link: Link, content: Any) -> None:
    """From here on only what changed is sent, if viewers know this program's classes."""
    if not link.synced:
        told = {each.get("name") for each in content.get("defs") or [] if isinstance(each, dict)}
        all_told = told.issuperset(cls.__qualified_model__ for cls in data_models())
        link.extras = extras(link) if all_told else b""
        link.synced = True


def _local_models(link: Link) -> dict[str, Model]:
    # models that left here may still be there
    return dict(link.known) | {model.id: model for model in link.document.models}


def _split(value: Any, local: Mapping[str, Model], updates: Updates, seen: set[str]) -> Any:
    """Turn models written in full that exist here into references; note their attributes."""
    if isinstance(value, list):
        return [_split(each, local, updates, seen) for each in value] if _nested(value) else value
    if not isinstance(value, dict):
        return value
    parts = {key: _split(each, local, updates, seen) for key, each in value.items()}
    if value.get("type") != "object" or "id" not in value:
        return parts
    seen.add(value["id"])
    if value["id"] not in local:
        return parts
    updates.setdefault(value["id"], parts.get("attributes", {}))
    return {"id": value["id"]}


def _nested(items: list[Any]) -> bool:
    kinds = set(map(type, items))
    return list in kinds or dict in kinds


def _really_changed(
    link: Link, local: Mapping[str, Model], updates: Updates, buffers: Buffers
) -> Updates:
    """Leave out what is the same here, and what has a local value that is not stored yet."""
    encoder = Encoder(set(local.values()).__contains__)
    changed: Updates = {}
    for model_id, attributes in updates.items():
        model = local[model_id]
        names = [
            name
            for name, value in attributes.items()
            if not link.touches(model_id, name)
            and model.lookup(name, raises=False) is not None
            and not _same(encoder, model, name, value, buffers)
        ]
        if names:
            changed[model_id] = {name: attributes[name] for name in names}
    return changed


def _unset_there(link: Link, local: Mapping[str, Model], updates: Updates) -> list[Any]:
    """The defaults of what was set here and there, and there no longer is."""
    found = []
    for model_id, attributes in updates.items():
        model = local[model_id]
        names = set(model._property_values) - attributes.keys() if link.knows(model) else set()
        pairs = [
            (name, model.lookup(name).instance_default(model))
            for name in sorted(names)
            if model.lookup(name).serialized and not link.touches(model_id, name)
        ]
        # A model that is a default would be another one here and there.
        found.append((model_id, [pair for pair in pairs if not isinstance(pair[1], Model)]))
    return found


def _same(encoder: Encoder, model: Model, name: str, value: Any, buffers: Buffers) -> bool:
    return same_value(encoder.attribute(model, name), value, buffers)


def _pairs(updates: Updates) -> list[Any]:
    # lists, because Bokeh would take a mapping with a key "type" or "id" for something else
    return [[model_id, list(map(list, each.items()))] for model_id, each in updates.items()]


def _decode(decoder: Deserializer, value: Any, buffers: Buffers) -> Any:
    parts = [Buffer(key, data) for key, data in buffers.items()]  # type: ignore[arg-type]
    try:
        return decoder.deserialize(Serialized(value, parts))
    except DeserializationError as error:
        raise InvalidPatch(
            "read what the server sent", str(error), "Import the module that defines this model"
        ) from None


def _set_all(link: Link, local: Mapping[str, Model], pairs: list[Any]) -> list[Exception]:
    errors: list[Exception] = []
    for model_id, attributes in pairs:
        for name, value in attributes:
            errors += _attempt(_set, link, local[model_id], name, value)
    return errors


def _set(link: Link, model: Model, name: str, value: Any) -> None:
    descriptor = model.lookup(name)
    before = descriptor.get_value(model)
    model.set_from_json(name, value, setter=link.setter)
    if descriptor.get_value(model) is before:
        _set_exactly(link, model, name, value)


def _set_exactly(link: Link, model: Model, name: str, value: Any) -> None:
    """Set what Bokeh takes for the same: ``1`` for ``1.0``, a list for an array."""
    descriptor = model.lookup(name)
    before = descriptor.get_value(model)
    value = descriptor.property.prepare_value(model, name, value)
    encode = Encoder(lambda _model: True).encode
    if same_value(encode(before), encode(value), {}):
        return
    if isinstance(before, PropertyValueContainer):
        before._unregister_owner(model, descriptor)
    descriptor._set_value(model, value)
    descriptor._trigger(model, before, value, setter=link.setter)


def _attempt(function: Callable[..., None], *args: Any) -> list[Exception]:
    stack = bokeh.io.doc._PATCHED_CURDOCS
    depth = len(stack)
    try:
        function(*args)
    except Exception as error:
        # Bokeh leaves curdoc() replaced when a callback raises
        del stack[depth:]
        return [error]
    return []


def _apply_event(link: Link, event: dict[str, Any]) -> None:
    document = link.document
    kind, model = event.get("kind"), event.get("model")
    message = event.get("msg_data")
    if isinstance(message, ModelEvent) and isinstance(message.model, Model):
        # Bokeh overlooks callbacks that were added when the model was in the document already
        message.model._update_event_callbacks()
    if kind == "TitleChanged":
        _set_title(link, event["title"])
        return
    if isinstance(model, Model):
        if kind == "ModelChanged":
            if not link.touches(model.id, event["attr"]):
                _set(link, model, event["attr"], event["new"])
            return
        if kind == "ColumnDataChanged":
            _set_columns(link, model, event)
            return
        if is_source(model):
            # the server has these points before ours; only the whole columns are sure to agree
            link.collapse(model)
    DocumentPatchedEvent.handle_event(document, cast(Any, event), link.setter)


def _set_columns(link: Link, model: Model, event: dict[str, Any]) -> None:
    data, cols = event["data"], event.get("cols")
    if link.touches(model.id, "data"):
        return
    if cols is not None:
        current: Mapping[str, Any] = getattr(model, "data")  # noqa: B009
        data = {**current, **data}
    _set(link, model, "data", data)


def _merge_roots(link: Link, stored: list[Model]) -> None:
    document = link.document
    waiting = link.pending.roots
    added = [change.model for change in waiting if change.kind == "RootAdded"]
    removed = {change.model for change in waiting if change.kind == "RootRemoved"}
    target = [model for model in stored if model not in removed or model in added]
    target += [model for model in document.roots if model in added and model not in target]
    _set_roots(document, link, target)


def _keep_title(link: Link, stored: str) -> None:
    """Where the stored document has no title, one that was given here is yet to be stored."""
    if not link.synced and stored == DEFAULT_TITLE != link.document.title:
        with link.lock:
            link.pending.title = True


def _set_title(link: Link, title: str) -> None:
    if not link.titled and title != link.document.title:
        link.document.set_title(title, link.setter)


def _set_roots(document: Document, link: Link, target: list[Model]) -> None:
    current = document.roots
    same = 0
    while same < min(len(current), len(target)) and current[same] is target[same]:
        same += 1
    with document.models.freeze():
        for model in current[same:]:
            document.remove_root(model, link.setter)
        for model in target[same:]:
            document.add_root(model, link.setter)


def _learn(link: Link, stored: set[str]) -> None:
    models = {str(model.id): model for model in link.document.models}
    for model_id in list(link.known):
        if model_id not in stored:
            del link.known[model_id]
    for model_id in stored & models.keys():
        if link.known.get(model_id) is not models[model_id]:
            link.learn([models[model_id]])
