"""What is asked about models and titles before a patch is applied, by whoever knows the models."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from bokeh_server.protocol.models import WireModel

__all__ = ["Schema", "check_models"]


class Schema(Protocol):
    """Knows what models may have; asked of changes as they come, not of what is stored."""

    def prepare(self) -> None:
        """Load what it needs: called before the first question, never in a native thread."""

    def check_attributes(self, type_name: str, attributes: Mapping[str, Any]) -> None:
        """Check attributes that a model of this type is to get, as kept values.

        :raises InvalidPatch: the type has no such attribute, or not with such a value.
        """

    def check_title(self, title: str) -> None:
        """Check the title of a page.

        :raises InvalidPatch: it cannot be one.
        """


def check_models(schema: Schema | None, models: Iterable[WireModel]) -> None:
    """Check models that are new.

    :raises InvalidPatch: one has an attribute that it cannot have.
    """
    if schema is not None:
        for model in models:
            schema.check_attributes(model.name, model.attributes)
