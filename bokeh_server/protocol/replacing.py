"""Replacing a document by another as a patch, wherever viewers can follow one."""

from __future__ import annotations

from typing import Any

from bokeh_server.protocol.arrays import Blob
from bokeh_server.protocol.contents import Contents
from bokeh_server.protocol.growing import ColumnBytes
from bokeh_server.protocol.models import Piece, Ref, WireModel, Writer, to_pieces
from bokeh_server.protocol.successors import explore

__all__ = ["replacing_events"]


def replacing_events(
    old: Contents, new: Contents, *, exact: bool = False
) -> tuple[bytes, dict[str, bytes]] | None:
    """Write the events that turn one document into another.

    Models that both have keep their ids and get their new values; the others go and come with
    the roots. The old configuration is kept where the new one says the same.

    :param exact: keep it only where it also has the same ids.
    :returns: the content of a patch and its buffers, or ``None`` where no patch can do it:
        a new version of Bokeh, other definitions, callbacks or configuration, an id that now
        belongs to a model of another type, or an attribute that goes back to its default.
    """
    if not _same_frame(old, new) or (exact and _config_ids(old) != _config_ids(new)):
        return None
    ours = explore((*new.roots, *new.callback_refs), new.models).order
    common = [each for each in ours if each in old.models]
    if not all(_can_become(old.models[each], new.models[each]) for each in common):
        return None
    fresh = {each: new.models[each] for each in ours if each not in old.models}
    events = [event for each in common for event in _changed(old.models[each], new.models[each])]
    events += _moved_roots(old.roots, new.roots)
    if old.title != new.title:
        events.append({"kind": "TitleChanged", "title": new.title})
    writer = Writer(fresh)
    writer.write({"events": events})
    return writer.text(), writer.buffers


def _same_frame(old: Contents, new: Contents) -> bool:
    return (
        old.version == new.version
        and _is_same(old.defs, new.defs)
        and _is_same(old.callbacks, new.callbacks)
        and _shape(old.config, old.models) == _shape(new.config, new.models)
    )


def _config_ids(contents: Contents) -> list[str]:
    return list(explore([contents.config.id], contents.models).order)


def _shape(config: Ref, models: dict[str, WireModel]) -> list[Any]:
    """Give what a configuration says, apart from ids."""
    order = explore([config.id], models).order
    numbers = {model_id: number for number, model_id in enumerate(order)}
    return [
        [numbers[p.id] if isinstance(p, Ref) else _comparable(p) for p in to_pieces(said)]
        for said in ({models[each].name: models[each].attributes} for each in order)
    ]


def _can_become(old: WireModel, new: WireModel) -> bool:
    return old.name == new.name and old.attributes.keys() <= new.attributes.keys()


def _changed(old: WireModel, new: WireModel) -> list[dict[str, Any]]:
    model = Ref(old.id)
    return [
        {"kind": "ModelChanged", "model": model, "attr": attr, "new": value}
        for attr, value in new.attributes.items()
        if attr not in old.attributes or not _is_same(old.attributes[attr], value)
    ]


def _is_same(old: Any, new: Any) -> bool:
    ours, theirs = to_pieces(old), to_pieces(new)
    return len(ours) == len(theirs) and all(
        _comparable(one) == _comparable(other) for one, other in zip(ours, theirs, strict=True)
    )


def _comparable(piece: Piece) -> object:
    if isinstance(piece, Ref):
        return piece.id
    return piece.raw() if isinstance(piece, Blob | ColumnBytes) else (piece,)


def _moved_roots(old: list[str], new: list[str]) -> list[dict[str, Any]]:
    kept = [root for root in old if root in new]
    if kept != new[: len(kept)]:
        kept = []
    gone = [{"kind": "RootRemoved", "model": Ref(root)} for root in old if root not in kept]
    come = [{"kind": "RootAdded", "model": Ref(root)} for root in new[len(kept) :]]
    return [*gone, *come]
