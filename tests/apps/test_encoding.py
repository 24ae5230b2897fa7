"""Documents as messages: what Bokeh's writer leaves of numpy's in them."""

from __future__ import annotations

import numpy as np
import orjson
from bokeh.document import Document
from bokeh.models import Range1d

from bokeh_server.apps.encoding import encode_document


def test_numbers_of_numpy() -> None:
    """They are numbers, as those of Python; Bokeh's writer leaves them as they are."""
    document = Document()
    document.add_root(Range1d(start=np.float64(0.5), end=np.int64(3)))
    sent = b"".join(encode_document(document).parts)
    doc = orjson.loads(sent[sent.index(b'{"doc"') :])["doc"]
    assert doc["roots"][0]["attributes"] == {"start": 0.5, "end": 3}
