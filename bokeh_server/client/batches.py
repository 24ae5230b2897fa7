"""What a store sends, put together from a document and what waits."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from bokeh.model import Model

from bokeh_server.client._encoding import Encoder, data_models, document_parts, is_source
from bokeh_server.client._ids import make_loose_unique, make_unique
from bokeh_server.client.link import Batch, Link
from bokeh_server.client.pending import ColumnChanges, Pending, RootChange, Stream, refers

__all__ = [
    "changes_batch",
    "content_batch",
    "extras",
    "loose_models",
    "needs_content",
    "reaction_batch",
]

Event = dict[str, Any]


def content_batch(link: Link) -> Batch:
    """The whole document; it replaces the stored one."""
    with link.lock:  # what another thread changes is in the content, or waits
        return _content_batch(link)


def _content_batch(link: Link) -> Batch:
    document = link.document
    make_unique(document, link.knows)
    encoder = Encoder()
    parts = document_parts(document, encoder.encode)
    content = {"doc": {**parts, "title": document.title, "roots": encoder.encode(document.roots)}}
    body = encoder.pack(content)
    link.extras = extras(link)
    link.take()
    link.known.clear()
    attached = set(document.models)
    link.learn(model for model in encoder.fresh if model in attached)
    link.synced = True
    return Batch("content", body, list(document.models))


def needs_content(link: Link) -> bool:
    """Whether only sending the whole document tells viewers what changed."""
    return not link.synced or (link.extras is not None and link.extras != extras(link))


def extras(link: Link) -> bytes:
    """What no event tells of: configuration, document callbacks, data model classes."""
    document = link.document
    encoder = Encoder({*document.models, *document.config.references()}.__contains__)
    names = sorted(cls.__qualified_model__ for cls in data_models())
    config = document.config.properties_with_values(include_defaults=False)
    callbacks = document.callbacks.js_event_callbacks
    return encoder.pack([names, encoder.encode(config), encoder.encode(callbacks)])


def changes_batch(
    link: Link, objects: Sequence[Model] | None = None, *, dirty_only: bool = True
) -> Batch | None:
    """What waits, of the whole document or of some objects and what they refer to.

    :param dirty_only: send ``objects`` whole, whether they changed or not.
    :returns: ``None`` when there is nothing to send.
    """
    taken = link.take()
    if objects is not None:
        taken, rest = _select(link, taken, objects)
        link.give_back(rest)
        if not dirty_only:
            _mark_all(link, taken, objects)
    if not taken:
        link.give_back(taken)
        return None
    return _write(link, taken)


def reaction_batch(link: Link, reaction: Pending) -> Batch | None:
    """What callbacks changed, without what else waits, unless the structure changed."""
    if reaction.structural:
        reaction.give_back(link.take())
    return _write(link, reaction) if reaction else None


def loose_models(models: Sequence[Model]) -> tuple[list[Model], list[Any]]:
    """Models that are in no document, and what they refer to, each in full as JSON."""
    found = sorted(_reachable(models), key=lambda each: each.id)
    make_loose_unique(found)
    encoder = Encoder(set(found).__contains__, inline=True)
    return found, [_loose(encoder, model) for model in found]


def _loose(encoder: Encoder, model: Model) -> Any:
    attributes = {name: encoder.attribute(model, name) for name in _set_attributes(model)}
    name = type(model).__qualified_model__
    return {"type": "object", "name": name, "id": model.id, "attributes": attributes}


def _select(link: Link, taken: Pending, objects: Sequence[Model]) -> tuple[Pending, Pending]:
    """Part what concerns the objects from the rest; what changes the structure stays together."""
    if not taken.structural and _all_of(taken, objects):
        return taken, Pending()
    wanted = _reachable(objects)
    chosen, rest = Pending(), Pending(messages=taken.messages, title=taken.title)
    for key, model in taken.attributes.items():
        part = chosen if model in wanted else rest
        part.attributes[key] = model
    for model_id, changes in taken.sources.items():
        part = chosen if changes.model in wanted else rest
        part.sources[model_id] = changes
    rest.roots, rest.stale = taken.roots, taken.stale
    if _concerns_structure(link, chosen, rest, wanted, objects):
        _move_structure(rest, chosen)
    return chosen, rest


def _all_of(taken: Pending, objects: Sequence[Model]) -> bool:
    # saves looking for everything that the objects refer to, in loops that store one source
    ids = {each.id for each in objects}
    changed = {model_id for model_id, _ in taken.attributes} | taken.sources.keys()
    return changed <= ids and not taken.messages and not taken.title


def _reachable(objects: Sequence[Model]) -> set[Model]:
    found: set[Model] = set()
    for each in objects:
        found |= each.references()
    return found


def _concerns_structure(
    link: Link, chosen: Pending, rest: Pending, wanted: set[Model], objects: Sequence[Model]
) -> bool:
    return (
        any(refers(model, name) for (_, name), model in chosen.attributes.items())
        or any(change.model in wanted for change in rest.roots)
        or any(model in wanted for model in rest.stale.values())
        or not all(map(link.knows, objects))
    )


def _move_structure(rest: Pending, chosen: Pending) -> None:
    chosen.roots, rest.roots = rest.roots, []
    chosen.stale, rest.stale = rest.stale, {}
    for key in [key for key, model in rest.attributes.items() if refers(model, key[1])]:
        chosen.attributes[key] = rest.attributes.pop(key)


def _mark_all(link: Link, taken: Pending, objects: Sequence[Model]) -> None:
    for model in sorted(_reachable(objects), key=lambda each: each.id):
        if link.knows(model):
            _mark(taken, model)


def _mark(taken: Pending, model: Model) -> None:
    for name in _set_attributes(model):
        if name == "data" and is_source(model):
            taken.source(model).collapse()
        else:
            taken.attributes[model.id, name] = model


def _set_attributes(model: Model) -> Iterable[str]:
    return model.properties_with_values(include_defaults=False)


def _write(link: Link, taken: Pending) -> Batch | None:
    try:
        with link.lock:  # another thread's change of a new model is in it, or waits
            return _written(link, taken)
    except BaseException:  # a value that cannot be written: it waits until it is mended
        link.give_back(taken)
        raise


def _written(link: Link, taken: Pending) -> Batch | None:
    document = link.document
    if taken.structural:
        make_unique(document, link.knows)
        _send_returned_anew(link, taken)
    encoder = Encoder(link.knows)
    events = [*_root_events(link, encoder, taken), *_model_events(link, encoder, taken)]
    events += _loose_events(link, encoder)
    events += [dict(event.to_serializable(encoder.serializer)) for event in taken.messages]
    if taken.title:
        events.append({"kind": "TitleChanged", "title": document.title})
    if not events:
        return None
    body = encoder.pack({"events": events})
    link.forget_departed(taken)
    link.learn(encoder.fresh)
    batch = Batch("changes", body, [], encoder.fresh, taken)
    batch.models = _told(batch)
    return batch


def _send_returned_anew(link: Link, taken: Pending) -> None:
    for model in taken.stale.values():
        if model.document is link.document and link.knows(model):
            _mark(taken, model)


def _root_events(link: Link, encoder: Encoder, taken: Pending) -> list[Event]:
    return [
        {"kind": change.kind, "model": _root(encoder, change)}
        for change in taken.roots
        if change.kind == "RootAdded" or link.knows(change.model)
    ]


def _root(encoder: Encoder, change: RootChange) -> Any:
    return encoder.encode(change.model) if change.kind == "RootAdded" else change.model.ref


def _model_events(link: Link, encoder: Encoder, taken: Pending) -> list[Event]:
    events: list[Event] = []
    for (_, name), model in taken.attributes.items():
        if link.knows(model) and model.lookup(name).serialized:
            events.append(_attribute_event(encoder, model, name))
    for changes in taken.sources.values():
        if link.knows(changes.model):
            events += _column_events(encoder, changes)
    return events


def _loose_events(link: Link, encoder: Encoder) -> list[Event]:
    # stored before they were in the document: what is there may be old, and is not written over
    loose = [model for model in encoder.fresh if model.id in link.loose]
    link.loose.difference_update(model.id for model in loose)
    return [
        _attribute_event(encoder, each, name) for each in loose for name in _set_attributes(each)
    ]


def _attribute_event(encoder: Encoder, model: Model, name: str) -> Event:
    new = encoder.attribute(model, name)
    return {"kind": "ModelChanged", "model": model.ref, "attr": name, "new": new}


def _column_events(encoder: Encoder, changes: ColumnChanges) -> list[Event]:
    head = {"model": changes.model.ref, "attr": "data"}
    if changes.whole or changes.columns:
        return [{"kind": "ColumnDataChanged", **head, **_column_data(encoder, changes)}]
    return [
        {"kind": "ColumnsStreamed", **head, "data": encoder.encode(each.data()),
         "rollover": each.rollover}
        if isinstance(each, Stream)
        else {"kind": "ColumnsPatched", **head, "patches": encoder.encode(each)}
        for each in changes.operations
    ]  # fmt: skip


def _column_data(encoder: Encoder, changes: ColumnChanges) -> dict[str, Any]:
    data: dict[str, Any] = getattr(changes.model, "data")  # noqa: B009
    if changes.whole:
        return {"data": encoder.encode(dict(data)), "cols": None}
    cols = [name for name in changes.columns if name in data]
    return {"data": encoder.encode({name: data[name] for name in cols}), "cols": cols}


def _told(batch: Batch) -> list[Model]:
    told = dict.fromkeys(change.model for change in batch.sent.roots)
    told.update(dict.fromkeys(batch.sent.attributes.values()))
    told.update(dict.fromkeys(changes.model for changes in batch.sent.sources.values()))
    told.update(dict.fromkeys(batch.fresh))
    return list(told)
