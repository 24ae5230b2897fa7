"""What models may have, as the installed Bokeh knows it: its BokehJS fails with anything else."""

from __future__ import annotations

import threading
import unicodedata
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

from bokeh_server.protocol.patches import invalid_patch

if TYPE_CHECKING:
    from bokeh.core.property.bases import Property
    from bokeh.model import Model

__all__ = ["BokehSchema"]

_TITLE_LENGTH = 1000
_SIMPLE = (str, int, float, bool, type(None))
#: what no object of JavaScript may be given.
_FORBIDDEN = frozenset({"__proto__"})
#: control characters, surrogates, separators of lines and of paragraphs.
_REFUSED = frozenset(("Cc", "Cs", "Zl", "Zp"))

#: elements that are drawn by what has them, and not alone.
_INNER = frozenset(("Canvas", "Toolbar", "ToolMenu"))

Properties = Mapping[str, "Property[Any]"]


class BokehSchema:
    """Bokeh's own models, looked up when they are first met; any other type may have anything.

    :ivar when_loaded: called once, when Bokeh's modules were imported.
    """

    def __init__(self) -> None:
        self.when_loaded: Callable[[], None] = lambda: None
        self._lock = threading.Lock()
        self._classes: Mapping[str, type[Model]] | None = None
        self._known: dict[str, tuple[type[Model], Properties]] = {}

    def prepare(self) -> None:
        """Import Bokeh's modules."""
        self._load()

    def check_attributes(self, type_name: str, attributes: Mapping[str, Any]) -> None:
        """Check names, and such values as are text, numbers, true, false or null.

        :raises InvalidPatch: Bokeh itself would refuse it.
        """
        known = self._known.get(type_name) or self._look_up(type_name)
        for attr, value in attributes.items():
            if attr in _FORBIDDEN or (known is not None and attr not in known[1]):
                raise invalid_patch(f"a {type_name[:100]} has no attribute {attr[:100]!r}")
            if known is not None and isinstance(value, _SIMPLE):
                _check_value(*known, attr, value)
            elif known is not None and _is_primitive(known[1][attr]) and not _is_number(value):
                kind = value.get("type", "object") if isinstance(value, dict) else "list or model"
                raise invalid_patch(f"{attr!r} of a {type_name[:100]} cannot be a {kind}")

    def check_title(self, title: str) -> None:
        """Check the title of a page, which may be empty.

        :raises InvalidPatch: too long, or with characters that control something.
        """
        if len(title) > _TITLE_LENGTH:
            why = f"the title has {len(title):,} characters"
            raise invalid_patch(why, f"Use at most {_TITLE_LENGTH:,}")
        if any(unicodedata.category(character) in _REFUSED for character in title):
            raise invalid_patch("the title has control characters or separators of lines")

    def model_class(self, type_name: str) -> type[Model] | None:
        """Bokeh's class of this name; ``None`` where it is somebody else's."""
        known = self._known.get(type_name) or self._look_up(type_name)
        return None if known is None else known[0]

    def is_drawable(self, type_name: str) -> bool:
        """Whether a page can show it alone; of types that Bokeh does not have, one may hope so."""
        found = self.model_class(type_name)
        if found is None:
            return True
        from bokeh.models.ui import UIElement

        return issubclass(found, UIElement) and found.__name__ not in _INNER

    def _look_up(self, type_name: str) -> tuple[type[Model], Properties] | None:
        found = self._load().get(type_name)
        # The JavaScript of a model that is not Bokeh's may have more than its Python knows.
        if found is None or not found.__module__.startswith("bokeh."):
            return None
        self._known[type_name] = found, cast("Properties", found.properties(_with_props=True))
        return self._known[type_name]

    def _load(self) -> Mapping[str, type[Model]]:
        if self._classes is not None:
            return self._classes
        with self._lock:
            if self._classes is None:
                # Each registers its own when it is imported.
                import_module("bokeh.models")
                import_module("bokeh.plotting")
                model = import_module("bokeh.model").Model
                self._classes = cast("Mapping[str, type[Model]]", model.model_class_reverse_map)
                self.when_loaded()
            return self._classes


def _is_primitive(prop: Property[Any]) -> bool:
    """Whether it takes nothing but text, numbers, true, false or null."""
    from bokeh.core.property.bases import PrimitiveProperty
    from bokeh.core.property.nullable import Nullable
    from bokeh.core.property.required import Required

    while isinstance(prop, Nullable | Required):
        prop = prop.type_param
    return isinstance(prop, PrimitiveProperty)


def _is_number(value: object) -> bool:
    return isinstance(value, dict) and value.get("type") == "number"


def _check_value(owner: type[Model], properties: Properties, attr: str, value: object) -> None:
    try:
        properties[attr].prepare_value(owner, attr, value)
    except ImportError:  # without pandas Bokeh cannot even look whether it is a table
        raise invalid_patch(_cannot_be(owner, attr, value)) from None
    except ValueError as error:
        why = str(error).partition(": ")[2][:200]
        raise invalid_patch(f"{_cannot_be(owner, attr, value)} ({why})") from None


def _cannot_be(owner: type[Model], attr: str, value: object) -> str:
    return f"{attr!r} of a {owner.__name__} cannot be {str(value)[:40]!r}"
