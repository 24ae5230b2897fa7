"""Large arrays and lists in chunks, so that a snapshot writes what changed and nothing else.

A chunk is named by the digest of its bytes. Chunks are cut at fixed distances from where an
array once began, so that neither rows appended nor rows dropped change those in between.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import TypeAlias

__all__ = ["CHUNK_BYTES", "CHUNK_ROWS", "Chunk", "Cuts", "Digests", "Stretch", "digest_of"]

#: bytes of a chunk of an array; a multiple of the size of every number.
CHUNK_BYTES = 65_536
#: items of a chunk of a list.
CHUNK_ROWS = 4_096

#: digests of the chunks that need not be written again.
Digests: TypeAlias = Collection[bytes]


def digest_of(data: bytes | memoryview) -> bytes:
    """Name some bytes: 32 bytes, never the same for others."""
    return sha256(data).digest()


@dataclass(slots=True)
class Chunk:
    """Some bytes that will not change.

    :ivar digest: its name, once that is known.
    """

    digest: bytes | None = None


@dataclass(slots=True)
class Stretch:
    """An array or list as a row of chunks.

    :ivar skip: so much of the first chunk is no longer part of it: bytes, or items of a list.
    :ivar chunks: each with its data; ``None`` for those that are stored already.
    """

    skip: int
    chunks: list[tuple[Chunk, bytes | memoryview | None]]

    def digests(self) -> list[bytes]:
        """Give the chunks' digests; the slow part of saving, which needs no lock."""
        return [_name(chunk, data) for chunk, data in self.chunks]

    def data(self) -> Iterator[tuple[bytes, bytes | memoryview]]:
        """Give digest and data of the chunks that come with data."""
        for chunk, data in self.chunks:
            if data is not None:
                yield _name(chunk, data), data


def _name(chunk: Chunk, data: bytes | memoryview | None) -> bytes:
    if chunk.digest is None:
        if data is None:
            raise AssertionError("a chunk without a name came without its data")
        chunk.digest = digest_of(data)
    return chunk.digest


class Cuts:
    """Where something that grows at its end and shrinks at its beginning is cut.

    :param first: how much of it had been dropped from its beginning before.
    """

    __slots__ = ("_chunks", "first")

    def __init__(self, first: int = 0) -> None:
        self.first = first
        self._chunks: dict[int, Chunk] = {}

    def changed(self, at: int, size: int) -> None:
        """Note that what is at one place, counted from its beginning, changed.

        :param size: of a whole chunk.
        """
        self._chunks.pop((self.first + at) // size, None)

    def changed_all(self) -> None:
        """Note that nothing is as it was."""
        self._chunks.clear()

    def cut(
        self, length: int, size: int, known: Digests, take: Callable[[int, int], bytes | memoryview]
    ) -> Stretch:
        """Cut it into chunks.

        :param length: of all of it.
        :param size: of a whole chunk.
        :param take: gives what is between two places, counted from its beginning.
        """
        first, end = self.first, self.first + length
        stretch = Stretch(0, [])
        numbers = range(first // size, -(-end // size))
        for number in numbers:
            start, stop = number * size, (number + 1) * size
            chunk = self._chunks.get(number)
            if chunk is not None and chunk.digest in known:
                stretch.skip += max(0, first - start)
                stretch.chunks.append((chunk, None))
                continue
            chunk = Chunk()
            if first <= start and stop <= end:  # whole, and so the same until it is changed
                self._chunks[number] = chunk
            data = take(max(first, start) - first, min(end, stop) - first)
            stretch.chunks.append((chunk, data))
        self._forget_before(numbers.start)
        return stretch

    def _forget_before(self, number: int) -> None:
        for each in [each for each in self._chunks if each < number]:
            del self._chunks[each]
