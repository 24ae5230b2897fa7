"""A disk that loses power: what is left of a directory at any moment of a trace.

Kept is what was synced; of the rest nothing, or any part, sector by sector, as with a real disk's
cache. A file that is new is kept when its directory was synced, and one that was removed is back
when it was not.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from support.tracing import Call

__all__ = ["cut_power"]

SECTOR = 512


def cut_power(
    calls: Iterable[Call], at: int, source: Path, target: Path, dice: random.Random | None
) -> None:
    """Make a directory as it is found after a power cut.

    :param at: the moment, as in ``Call.began``.
    :param source: the directory, as it is in the trace.
    :param target: where to put what is left.
    :param dice: decides what else is left beside what was synced; ``None``: nothing.
    """
    disk = _Disk(str(source))
    for call in calls:
        if call.began < at:
            disk.take(call, done=call.ended < at)
    target.mkdir()
    for path, content in disk.left(dice).items():
        (target / Path(path).name).write_bytes(content)


@dataclass(slots=True)
class _File:
    content: bytearray = field(default_factory=bytearray)
    unsynced: list[Call] = field(default_factory=list)

    def sync(self, sync: Call) -> None:
        for call in self.unsynced:
            if call.ended < sync.began:
                _write(self.content, call, None)
        self.unsynced = [call for call in self.unsynced if call.ended >= sync.began]


class _Disk:
    """The files of one directory, by path; their contents live on when their names are gone."""

    def __init__(self, directory: str) -> None:
        self._directory = directory
        self._names: dict[str, _File] = {}
        self._synced: dict[str, _File] = {}

    def take(self, call: Call, *, done: bool) -> None:
        if call.synced and done and call.path == self._directory:
            self._synced = dict(self._names)
            return
        path = call.data.decode() if call.name == "unlink" else call.path
        if not path.startswith(self._directory + "/") or path.endswith("-shm"):
            return
        if call.name == "unlink":
            self._names.pop(path, None)
        elif call.name == "openat":
            self._names.setdefault(path, _File())
        elif call.synced and done:
            self._names[path].sync(call)
        elif call.name in ("pwrite64", "ftruncate"):
            self._names[path].unsynced.append(call)
        else:
            assert call.synced or call.name in ("write", "close"), f"a disk cannot {call}"

    def left(self, dice: random.Random | None) -> dict[str, bytes]:
        kept = self._synced | {p: f for p, f in self._names.items() if dice and dice.random() < 0.5}
        files = {}
        for path, file in kept.items():
            content = bytearray(file.content)
            for call in file.unsynced if dice else ():
                _write(content, call, dice)
            files[path] = bytes(content)
        return files


def _write(content: bytearray, call: Call, dice: random.Random | None) -> None:
    if call.name == "ftruncate":
        if dice is None or dice.random() < 0.5:
            size = int(call.rest.rpartition(",")[2])
            content[:] = content[:size].ljust(size, b"\0")
        return
    data = call.data[: call.result]
    for start in range(0, len(data), SECTOR):
        if dice is None or dice.random() < 0.5:
            part, offset = data[start : start + SECTOR], call.offset + start
            if len(content) < offset:
                content.extend(bytes(offset - len(content)))
            content[offset : offset + len(part)] = part
