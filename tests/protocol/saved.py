"""A snapshot in memory: what storage keeps of a document, kept in dictionaries."""

from __future__ import annotations

from bokeh_server.protocol import WireDocument

__all__ = ["Saved"]


class Saved:
    """The parts of one document, written draft by draft.

    :ivar written: bytes that the last :meth:`save` had to write.
    """

    def __init__(self) -> None:
        self.parts: dict[str, bytes] = {}
        self.chunks: dict[bytes, bytes] = {}
        self.written = 0

    def save(self, wire: WireDocument, *, whole: bool = False) -> Saved:
        """Write what changed."""
        draft = wire.draft(self.chunks, whole=whole or not self.parts)
        self.written = 0
        gone = self.parts.keys() - {each.key for each in draft.parts} if draft.whole else draft.gone
        for key in gone:
            self.parts.pop(key, None)
        for part in draft.parts:
            self._write(part.key, part.packed()[0])
            for digest, data in part.data():
                self.written += 0 if digest in self.chunks else len(data)
                self.chunks[digest] = bytes(data)
        return self

    def _write(self, key: str, body: bytes) -> None:
        if self.parts.get(key) != body:
            self.parts[key] = body
            self.written += len(body)

    def load(self) -> WireDocument:
        """Read it again."""
        return WireDocument.from_parts(self.parts.values(), self.chunks)
