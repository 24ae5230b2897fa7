"""Models given one by one, as the events of one patch."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any, TypeAlias

from bokeh_server.errors import BadRequest

__all__ = ["Event", "attribute_events", "upsert_events"]

Event: TypeAlias = dict[str, Any]


def attribute_events(model_id: str, attributes: dict[str, Any]) -> list[Event]:
    """The events that set attributes of one model, each value in Bokeh's wire form."""
    model = {"id": model_id}
    return [
        {"kind": "ModelChanged", "model": model, "attr": attr, "new": value}
        for attr, value in attributes.items()
    ]


def upsert_events(models: object, known: Collection[str]) -> list[Event]:
    """The events that make a document agree with a list of models.

    A known model gets the attributes given.
    A new one is written out where another first refers to it;
    one that nothing refers to becomes a root.

    :param models: ``{"type": "object", "name", "id", "attributes"}`` each.
    :param known: the ids of the models that the document has.
    :raises BadRequest: not such a list.
    """
    items = _checked(models)
    writer = _Writer({key: item for key, item in items.items() if key not in known})
    events: list[Event] = []
    for key, item in items.items():
        if key in known:
            events += attribute_events(key, writer.expanded(item.get("attributes", {})))
    return events + [
        {"kind": "RootAdded", "model": writer.write(key)} for key in writer.unreferenced()
    ]


def _checked(models: object) -> dict[str, dict[str, Any]]:
    if not isinstance(models, list):
        raise BadRequest("store these models", "the body is not a list of models")
    items = {}
    for model in models:
        if not _is_model(model):
            raise BadRequest(
                "store these models",
                'one is not {"type": "object", "name", "id", "attributes"}',
            )
        if model["id"] in items:
            raise BadRequest("store these models", f"two have the id {model['id'][:100]!r}")
        items[model["id"]] = model
    return items


def _is_model(model: object) -> bool:
    return (
        isinstance(model, dict)
        and isinstance(model.get("id"), str)
        and isinstance(model.get("name"), str)
        and isinstance(model.get("attributes", {}), dict)
    )


class _Writer:
    """Writes new models out in full, each once."""

    def __init__(self, new: dict[str, dict[str, Any]]) -> None:
        self._new = new
        self._written: set[str] = set()

    def unreferenced(self) -> Iterator[str]:
        """New models that are not written yet; first those that no other new one refers to."""
        inner = {
            key
            for owner, item in self._new.items()
            for key in _references(item.get("attributes", {}))
            if key != owner
        }
        for key in sorted(self._new, key=lambda key: key in inner):
            if key not in self._written:
                yield key

    def write(self, key: str) -> Any:
        """The new model ``key``, written out with the new ones that it leads to."""
        return self.expanded({"id": key})

    def expanded(self, value: Any) -> Any:
        """``value`` with new models written out where it refers to them first.

        However deep it is: what is too deep for the document is its own to say.
        """
        result: list[Any] = [None]
        left: list[tuple[Any, Any, Any]] = [(result, 0, value)]
        while left:
            target, place, each = left.pop()
            if isinstance(each, list):
                made: Any = [None] * len(each)
                left += reversed([(made, index, inner) for index, inner in enumerate(each)])
            elif isinstance(each, dict):
                made = {}
                inner = self._definition(each)
                left += reversed([(made, name, inner[name]) for name in inner])
            else:
                made = each
            target[place] = made
        return result[0]

    def _definition(self, value: dict[str, Any]) -> dict[str, Any]:
        """The new model that ``value`` is the first to refer to; else ``value`` itself."""
        if not _refers(value) or value["id"] not in self._new or value["id"] in self._written:
            return value
        self._written.add(value["id"])
        item = self._new[value["id"]]
        head = {"type": "object", "name": item["name"], "id": item["id"]}
        return {**head, "attributes": item.get("attributes", {})}


def _refers(value: dict[str, Any]) -> bool:
    return len(value) == 1 and isinstance(value.get("id"), str)


def _references(value: Any) -> Iterator[str]:
    left = [value]
    while left:
        each = left.pop()
        if isinstance(each, dict):
            if _refers(each):
                yield each["id"]
            left += each.values()
        elif isinstance(each, list):
            left += each
