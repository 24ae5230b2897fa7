"""What models and values are called in plain words."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from bokeh_server.protocol import WireDocument
from bokeh_server.protocol.models import Ref, WireModel

__all__ = ["label_of_json", "labels_in", "length_of", "short_value"]

_LONGEST = 40
_PLAIN = dict.fromkeys(("Figure", "Plot", "GMap"), "plot")
_PLAIN |= dict.fromkeys(("Range1d", "DataRange1d", "FactorRange"), "range")


def labels_in(wire: WireDocument, ids: Iterable[str]) -> dict[str, str]:
    """What models of a document are called; those that it does not have are left out."""
    found = {each: wire.models[each] for each in ids if each in wire.models}
    users = _renderers(wire) if any(map(_is_source, found.values())) else {}
    return {
        each: _label(wire, users.get(each, model), _text_of(wire, model))
        for each, model in found.items()
    }


def label_of_json(model: Mapping[str, Any]) -> str:
    """The same for a model as it is written in full."""
    attributes = model.get("attributes", {})
    texts = (attributes.get(attr) for attr in ("name", "title", "label"))
    return _say(str(model.get("name")), next((each for each in texts if isinstance(each, str)), ""))


def _renderers(wire: WireDocument) -> dict[str, WireModel]:
    """What draws the data of each source."""
    users: dict[str, WireModel] = {}
    for model in wire.models.values():
        source = model.attributes.get("data_source")
        if isinstance(source, Ref):
            users.setdefault(source.id, model)
    return users


def _is_source(model: WireModel) -> bool:
    return model.name.endswith("DataSource")


def _label(wire: WireDocument, shown: WireModel, own: str) -> str:
    glyph = shown.attributes.get("glyph")
    drawn = wire.models.get(glyph.id) if isinstance(glyph, Ref) else None
    return _say(drawn.name if drawn else shown.name, own or _text_of(wire, shown))


def _text_of(wire: WireDocument, model: WireModel) -> str:
    for attr in ("name", "title", "label"):
        value = model.attributes.get(attr)
        titled = wire.models.get(value.id) if isinstance(value, Ref) else None
        value = titled.attributes.get("text") if titled else value
        if isinstance(value, str) and value.strip():
            return value
    return ""


def _say(type_name: str, text: str) -> str:
    words = _PLAIN.get(type_name) or _split(type_name.rpartition(".")[2])
    return f"{words} {_quoted(text)}" if text.strip() else words


def _split(type_name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", type_name).lower()


def _quoted(text: str) -> str:
    text = " ".join(text.split())
    return f"“{text if len(text) <= _LONGEST else text[: _LONGEST - 1] + '…'}”"


def length_of(columns: Any) -> int | None:
    """How many rows columns have that are written as JSON; ``None`` where that cannot be seen."""
    pairs = columns.get("entries", columns.items()) if isinstance(columns, dict) else columns
    # Data of a model that is not Bokeh's may be anything.
    for pair in pairs if isinstance(pairs, Iterable) and not isinstance(pairs, str) else ():
        column = pair[1] if isinstance(pair, list | tuple) and len(pair) == 2 else None
        if isinstance(column, list):
            return len(column)
        shape = column.get("shape") if isinstance(column, dict) else None
        if isinstance(shape, list) and shape and isinstance(shape[0], int):
            return shape[0]
    return None


def short_value(value: Any) -> str | None:
    """A value in a few words; ``None`` where it takes more."""
    if isinstance(value, dict) and value.get("type") in ("value", "number"):
        value = value.get("value")
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, int | float):
        return f"{value:.6g}" if isinstance(value, float) else str(value)
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, list) and 0 < len(value) <= 3:
        parts = [short_value(each) for each in value if not isinstance(each, list | dict)]
        return " to ".join(map(str, parts)) if len(parts) == len(value) == 2 else None
    return None
