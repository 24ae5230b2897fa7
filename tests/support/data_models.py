"""Data models for the tests that want them.

Bokeh writes every data model of a process into every document, so the others are spared them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from bokeh.core.has_props import _default_resolver
from bokeh.model import DataModel

__all__ = ["data_models"]


def data_models(*models: type[DataModel]) -> Callable[[], Iterator[None]]:
    """Have Bokeh forget these, and give the fixture that makes it know them in one module."""
    for model in models:
        _default_resolver.remove(model)

    @pytest.fixture(scope="module", autouse=True)
    def with_data_models() -> Iterator[None]:
        """The module's data models."""
        for model in models:
            _default_resolver.add(model)
        yield
        for model in models:
            _default_resolver.remove(model)

    return with_data_models
