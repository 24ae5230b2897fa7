"""Writing models as JSON."""

from __future__ import annotations

from bokeh.layouts import column
from bokeh.model import Model
from bokeh.models import Slider

from bokeh_server.client._encoding import Encoder


def test_only_what_is_met_is_asked_about() -> None:
    """A store costs the same however many models the server has: none is asked about in vain."""
    layout = column([Slider(start=0, end=1, value=0) for _ in range(3)])
    asked: list[Model] = []

    def knows(model: Model) -> bool:
        asked.append(model)
        return model is layout.children[1]

    encoder = Encoder(knows)
    written = encoder.encode(layout.children[:2])
    assert [rep.keys() == {"id"} for rep in written] == [False, True]
    assert set(asked) == set(layout.children[:2])
    assert encoder.fresh == [layout.children[0]]
