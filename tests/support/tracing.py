"""The system calls of a server, seen by strace: what went to which file and socket, and when."""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from support.server import PROGRAM

__all__ = ["Call", "read_trace", "traced"]

#: everything that changes a file or a directory, makes it durable, or reaches a peer.
CALLS = (
    "openat,close,write,pwrite64,writev,pwritev,ftruncate,fallocate,unlink,unlinkat,rename,"
    "fsync,fdatasync,sendto,sendmsg,recvfrom,recvmsg"
)
MISSING = "there is no strace; on Debian and Ubuntu: sudo apt install strace"
END_SECONDS = 30.0

_LINE = re.compile(r"(\d+) +(.*)")
_CALL = re.compile(r"(\w+)\((.*)\) += (-?\d+|\?)(?:<([^>]*)>)?.*", re.DOTALL)
_FILE = re.compile(r"(\d+)<([^>]*)>")
_TEXT = re.compile(r'"((?:\\x[0-9a-f]{2})*)"(?:\.\.\.)?')
_RESUMED = re.compile(r"<\.\.\. \w+ resumed>")
_UNFINISHED = " <unfinished ...>"


@dataclass(frozen=True, slots=True)
class Call:
    """One system call that succeeded.

    :param began: its place among all beginnings and ends.
    :param ended: the same; other calls may have begun in between, in other threads.
    :param file: number of the open file; that of the new one for ``openat``.
    :param path: the file's path, or ``socket:[...]``.
    :param data: what was written, sent, or received; the path for ``openat`` and ``unlink``.
    :param rest: the arguments after the data, as strace shows them.
    """

    began: int
    ended: int
    name: str
    file: int
    path: str
    data: bytes
    rest: str
    result: int

    @property
    def synced(self) -> bool:
        """Whether it has made a file durable."""
        return self.name in ("fsync", "fdatasync")

    @property
    def offset(self) -> int:
        """Where ``pwrite64`` wrote."""
        return int(self.rest.rpartition(",")[2])


def traced(trace: Path, program: Sequence[str] = PROGRAM) -> list[str]:
    """The command that runs a program under strace; its process is the program's own.

    Skips the test where strace is not installed, except in CI.
    """
    if shutil.which("strace") is None:
        pytest.fail(MISSING) if os.environ.get("CI") else pytest.skip(MISSING)
    options = ["-D", "-f", "-y", "-xx", "-s", "1000000", "--seccomp-bpf", "-o", str(trace)]
    return ["strace", *options, "-e", f"trace={CALLS}", "--", *program]


def read_trace(trace: Path) -> list[Call]:
    """All calls, in the order in which they ended; waits for the traced program's end."""
    _wait_for_end(trace)
    with trace.open() as lines:
        return sorted(_calls(lines), key=lambda call: call.ended)


def _wait_for_end(trace: Path) -> None:
    with trace.open("rb") as lines:
        pid = lines.read(20).partition(b" ")[0]
    # strace pads short numbers with spaces
    end = re.compile(rb"^%b +\+\+\+ (exited|killed)" % pid, re.MULTILINE)
    deadline = time.monotonic() + END_SECONDS
    while not end.search(_last_bytes(trace)):
        assert time.monotonic() < deadline, "the trace does not end"
        time.sleep(0.05)


def _last_bytes(trace: Path) -> bytes:
    with trace.open("rb") as lines:
        lines.seek(max(0, trace.stat().st_size - 4000))
        return lines.read()


def _calls(lines: Iterator[str]) -> Iterator[Call]:
    begun: dict[str, tuple[int, str]] = {}
    for number, line in enumerate(lines):
        found = _LINE.match(line.rstrip("\n"))
        if found is None:
            continue
        pid, text = found.groups()
        began = number
        if text.endswith(_UNFINISHED):
            begun[pid] = (number, text.removesuffix(_UNFINISHED))
            continue
        resumed = _RESUMED.match(text)
        if resumed is not None:
            began, start = begun.pop(pid)
            text = start + text[resumed.end() :]
        call = _read(began, number, text)
        if call is not None:
            yield call


def _read(began: int, ended: int, text: str) -> Call | None:
    found = _CALL.fullmatch(text)
    if found is None or not found[3].isdigit():
        return None
    name, arguments, result, opened = found.groups()
    texts = list(_TEXT.finditer(arguments))
    data = b"".join(map(_bytes, texts))
    if name == "openat":
        file, path = int(result), opened or ""
    else:
        first = _FILE.match(arguments)
        file, path = (int(first[1]), first[2]) if first else (-1, "")
    rest = arguments[texts[-1].end() :] if texts else arguments
    return Call(began, ended, name, file, _path(path), data, rest, int(result))


def _bytes(found: re.Match[str]) -> bytes:
    return bytes.fromhex(found[1].replace("\\x", ""))


def _path(text: str) -> str:
    return bytes.fromhex(text.replace("\\x", "")).decode() if text.startswith("\\x") else text
