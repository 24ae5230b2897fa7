"""Documents in parts: only what changed is written, and what is read again is the same."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from protocol.bokeh_documents import doc_json
from protocol.saved import Saved
from protocol.wire_documents import change, dashboard

from bokeh_server.errors import InvalidPatch
from bokeh_server.protocol import Patch, WireDocument
from bokeh_server.protocol.chunks import CHUNK_BYTES
from support.growth import ROWS, edits, inside, large_document, patch_of, said

#: an array chunk that is not full, a list chunk, and the parts around them.
FEW_CHUNKS = 3 * CHUNK_BYTES


def large() -> tuple[WireDocument, Saved]:
    """A large document, saved once after its data was first streamed to."""
    wire = WireDocument.from_json(*large_document())
    wire.apply(patch_of(("stream", 1, None)), seq=1)
    return wire, Saved().save(wire)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(edits, st.integers(0, 9)), max_size=12))
def test_what_was_saved_is_read_again(steps: list[tuple[tuple[str, int, object], int]]) -> None:
    """After any changes, refused ones among them, and saves between any of them."""
    wire, saved = WireDocument.from_json(*large_document()), Saved()
    again = wire
    for seq, (edit, luck) in enumerate(steps, 1):
        taken = [took(each, edit, seq) for each in {id(wire): wire, id(again): again}.values()]
        assert len(set(taken)) == 1  # what was read again takes and refuses the same
        if luck == 9:
            wire.draft(saved.chunks)  # one that could not be written: the next is whole
        if luck > 4:
            again = saved.save(wire, whole=luck == 9).load()
            assert said(again) == said(wire)
    assert said(saved.save(wire).load()) == said(wire) == said(again)


def took(wire: WireDocument, edit: tuple[str, int, object], seq: int) -> bool:
    """Whether a document took a change."""
    try:
        wire.apply(patch_of(edit), seq=seq)
    except InvalidPatch:
        return False
    return True


def test_types_that_browsers_do_not_have_are_kept() -> None:
    """Integers of 64 bits stay what they are, and cost a chunk as other numbers do."""
    wire, saved = WireDocument.from_json(*large_document()), Saved()
    for seq, edit in enumerate([("lists", ROWS, 7), ("stream arrays of integers", 1, None)], 1):
        wire.apply(patch_of(edit), seq=seq)
    again = saved.save(wire).load()
    assert inside(again) == inside(wire)
    assert inside(again)[1] == {"a": "int64", "l": "int64"}
    again.apply(patch_of(("patch", 3, 2**40)), seq=3)
    again.apply(patch_of(("stream arrays of integers", 1, ROWS)), seq=4)
    assert saved.save(again).written < FEW_CHUNKS
    assert inside(saved.load()) == inside(again)


def test_everything_bokeh_has_is_saved() -> None:
    """Layouts, callbacks, images and odd values come back as they were."""
    wire = WireDocument.from_json(*doc_json(dashboard()))
    again = Saved().save(wire).load()
    assert said(again) == said(wire)
    assert again.plots() == wire.plots()


def test_a_point_more_writes_a_chunk() -> None:
    """Neither appending, nor dropping rows, nor patching one writes the array again."""
    wire, saved = large()
    for seq, edit in enumerate(
        [("stream", 1, None), ("stream", 7, ROWS), ("patch", 5, 1), ("stream", 1, ROWS - 9)], 2
    ):
        wire.apply(patch_of(edit), seq=seq)
        assert 0 < saved.save(wire).written < FEW_CHUNKS
    assert saved.load().content() == wire.content()


def test_a_document_that_was_read_again_is_cut_where_it_was() -> None:
    """After a restart a point more writes a chunk or so of the array, though rows had gone."""
    wire, saved = large()
    wire.apply(patch_of(("stream", 7, ROWS)), seq=2)
    again = saved.save(wire).load()
    again.apply(patch_of(("stream", 1, ROWS)), seq=3)
    chunks = set(saved.chunks)
    saved.save(again)
    array_chunks = [each for each in saved.chunks.keys() - chunks if len(saved.chunks[each]) >= 800]
    assert len([each for each in array_chunks if saved.chunks[each][:1] != b"["]) <= 2


def test_nothing_changed_writes_nothing() -> None:
    """A save after a save finds nothing to do."""
    wire, saved = large()
    assert saved.save(wire).written == 0
    assert saved.save(wire, whole=True).written == 0


def test_a_change_elsewhere_leaves_the_data_alone() -> None:
    """What an other model's attribute costs does not depend on the data beside it."""
    wire, saved = large()
    wire.apply(Patch([change("r1", "text", "new")], {}), seq=2)
    assert saved.save(wire).written < 1_000


def test_a_part_that_is_missing_is_told() -> None:
    """A damaged snapshot is refused, not half read."""
    wire, saved = large()
    for name in list(saved.parts):
        parts = [body for key, body in saved.parts.items() if key != name]
        with pytest.raises(InvalidPatch, match="snapshot"):
            WireDocument.from_parts(parts, saved.chunks)
    with pytest.raises(InvalidPatch, match="snapshot"):
        WireDocument.from_parts(saved.parts.values(), {})
    assert wire.roots
