"""Events as they are sent and kept: those of a patch, messages, and newest values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from bokeh_server.protocol.columns import Columns
from bokeh_server.protocol.contents import MAX_NESTING, Contents
from bokeh_server.protocol.events import Step
from bokeh_server.protocol.models import Ref, WireModel, Writer
from bokeh_server.protocol.patches import invalid_patch

__all__ = ["newest_values", "write_events", "write_message"]

TITLE = ("", "title")


def newest_values(
    contents: Contents, keys: Iterable[tuple[str, str]], born: Iterable[str] = ()
) -> tuple[bytes, dict[str, bytes]]:
    """Give content and buffers of a patch; what is gone is left out.

    :param keys: model id and attribute, and ``("", "title")``, as in ``Applied``.
    :param born: ids of models that are given in full, as the follower does not know them.
    """
    writer = Writer({model_id: contents.models[model_id] for model_id in born})
    writer.write({"events": [_event(contents, *key) for key in keys if _is_there(contents, *key)]})
    return writer.text(), writer.buffers


def _is_there(contents: Contents, model_id: str, attr: str) -> bool:
    model = contents.models.get(model_id)
    return (model_id, attr) == TITLE if model is None else attr in model.attributes


def _event(contents: Contents, model_id: str, attr: str) -> dict[str, Any]:
    if not model_id:
        return {"kind": "TitleChanged", "title": contents.title}
    value, head = contents.models[model_id].attributes[attr], {"model": Ref(model_id), "attr": attr}
    if isinstance(value, Columns):
        return {"kind": "ColumnDataChanged", **head, "data": value, "cols": None}
    return {"kind": "ModelChanged", **head, "new": value}


def write_events(steps: list[Step], new: Mapping[str, WireModel]) -> tuple[bytes, dict[str, bytes]]:
    """Give content and buffers of a patch.

    :param new: the models that are given in full where they are first referred to.
    :raises InvalidPatch: it is nested too deep.
    """
    # Before anything is applied: a new data source is written as it came, and streamed to after.
    writer = Writer(new)
    try:
        writer.write({"events": [step.event for step in steps]})
    except TypeError as fault:
        raise invalid_patch(f"it holds what JSON cannot say ({fault})") from None
    text = writer.text()
    if writer.deepest > MAX_NESTING:
        raise invalid_patch(
            f"its models are nested more than {MAX_NESTING} levels deep",
            "Let fewer models refer to each other in a chain",
        )
    return text, writer.buffers


def write_message(event: dict[str, Any], new: Mapping[str, WireModel]) -> dict[str, Any]:
    """Give a message that is complete in itself, arrays inline.

    :raises InvalidPatch: it is nested too deep.
    """
    writer = Writer(new, inline=True)
    writer.write(event)
    value: dict[str, Any] = orjson.loads(writer.text())
    try:
        orjson.dumps({"events": [value]})
    except TypeError as fault:
        why = f"a message in it is nested too deep ({fault})"
        raise invalid_patch(why, "Let fewer models refer to each other in a chain") from None
    return value
