"""The key that signs tickets: generated once and kept beside the data, readable by its owner.

Its file has the key in the first line. Below it stand former keys that are good for a while
longer, each with the moment at which it ends; :func:`rotate` writes them. Whoever uses the file
looks whether it is still the same one, so a new key is taken up without a restart.
"""

from __future__ import annotations

import logging
import os
import secrets
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

from bokeh_server.errors import ConfigurationError

__all__ = ["FILE_NAME", "GivenKeys", "KeptKeys", "Keys", "load_keys", "make_key", "rotate"]

FILE_NAME = "secret"

_MIN_BYTES = 32
#: a longer file is none of ours.
_MOST_BYTES = 64 * 1024

_log = logging.getLogger("bokeh_server")


@dataclass(frozen=True, slots=True)
class _Former:
    key: bytes
    ends: datetime


class Keys(Protocol):
    """What signs tickets, and what they may have been signed with."""

    @property
    def current(self) -> bytes:
        """What signs."""

    @property
    def former(self) -> Sequence[bytes]:
        """What signed formerly, and is still good."""


class GivenKeys:
    """Keys that the settings give.

    :param key: the setting ``secret_key``.
    :param former: the setting ``former_secret_keys``.
    """

    def __init__(self, key: str, former: Iterable[str] = ()) -> None:
        self._key = key.encode("utf-8")
        self._former = tuple(each.encode("utf-8") for each in former)

    @property
    def current(self) -> bytes:
        """What signs."""
        return self._key

    @property
    def former(self) -> Sequence[bytes]:
        """What signed formerly: good for as long as the settings have it."""
        return self._former


class KeptKeys:
    """Keys in a file, which is made where there is none.

    :param former: more that are good still: the setting ``former_secret_keys``.
    :raises ConfigurationError: the file cannot be read or made, or holds too little.
    """

    def __init__(self, data_dir: Path, former: Iterable[str] = ()) -> None:
        self._path = data_dir / FILE_NAME
        self._given = tuple(each.encode("utf-8") for each in former)
        self._lock = threading.Lock()
        with _said("keep", self._path):
            if not self._path.exists():
                _create(self._path)
            self._seen = _identity(self._path)
            self._key, self._former = _read(self._path)

    @property
    def current(self) -> bytes:
        """What signs, as the file is now."""
        self._look()
        return self._key

    @property
    def former(self) -> Sequence[bytes]:
        """What signed formerly and has not ended, as the file is now."""
        self._look()
        now = datetime.now(UTC)
        return [*(each.key for each in self._former if each.ends > now), *self._given]

    def _look(self) -> None:
        """Read the file again when it is another one; a server that runs goes on without it."""
        try:
            seen = _identity(self._path)
        except OSError:
            return
        with self._lock:
            if seen == self._seen:
                return
            self._seen = seen
            try:
                self._key, self._former = _read(self._path)
            except (OSError, ConfigurationError) as error:
                _log.error("The secret key is used as it was: %s", error)


def load_keys(data_dir: Path, given: str = "", former: Iterable[str] = ()) -> Keys:
    """The keys of this installation.

    :param given: the setting ``secret_key``; empty where nobody set it.
    :raises ConfigurationError: the file cannot be read or made, or holds too little.
    """
    return GivenKeys(given, former) if given else KeptKeys(data_dir, former)


def make_key() -> str:
    """A new key, which nobody can guess."""
    return secrets.token_urlsafe(48)


def rotate(data_dir: Path, grace: timedelta) -> int:
    """Put a new key in the place of the one in the file.

    :param grace: for how long what the former one signed is good still; at 0 no former key is.
    :return: how many former keys are good still.
    :raises ConfigurationError: the file cannot be read or written, or somebody else does it too.
    """
    path = data_dir / FILE_NAME
    with _said("change", path):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = path.with_name(f".{FILE_NAME}-new")
        handle = _claim(draft)
        try:
            with os.fdopen(handle, "wb") as file:
                _give_to_owner(path, draft)
                kept = _kept(path, grace)
                file.write(_text(make_key().encode("ascii"), kept))
                file.flush()
                os.fsync(file.fileno())
            draft.replace(path)
        except BaseException:
            draft.unlink(missing_ok=True)  # ours still: after replace() it may be somebody else's
            raise
    return len(kept)


def _claim(draft: Path) -> int:
    """Open the file that is to become the key's: whoever has made it is the one who may."""
    try:
        return os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        why = f"somebody else is changing it: {draft} is there"
        remedy = "Try again; if nobody is, delete that file"
        raise ConfigurationError("change the secret key", why, remedy) from None


def _give_to_owner(path: Path, draft: Path) -> None:
    """Have the server's user own the file, though an administrator changes it."""
    if path.exists() and hasattr(os, "chown"):
        owner = path.stat()
        os.chown(draft, owner.st_uid, owner.st_gid)


def _kept(path: Path, grace: timedelta) -> list[_Former]:
    if grace <= timedelta(0) or not path.exists():
        return []
    key, former = _read(path)
    now = datetime.now(UTC)
    return [_Former(key, now + grace), *(each for each in former if each.ends > now)]


def _text(key: bytes, former: Iterable[_Former]) -> bytes:
    lines = [b"%b %b" % (each.key, each.ends.isoformat().encode("ascii")) for each in former]
    return b"\n".join([key, *lines, b""])


def _create(path: Path) -> None:
    """Several processes may start at once: the first link wins and all read the same key."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f".{FILE_NAME}-{os.getpid()}-{secrets.token_hex(4)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(_text(make_key().encode("ascii"), ()))
        _publish(draft, path)
    finally:
        draft.unlink(missing_ok=True)


def _publish(draft: Path, path: Path) -> None:
    try:
        os.link(draft, path)
    except FileExistsError:
        return
    except OSError:  # a file system without hard links
        if not path.exists():
            draft.replace(path)


def _identity(path: Path) -> tuple[int, int, int]:
    """What changes with the file: it is replaced as a whole."""
    found = path.stat()
    return found.st_ino, found.st_mtime_ns, found.st_size


def _read(path: Path) -> tuple[bytes, list[_Former]]:
    with path.open("rb") as file:
        first, *rest = file.read(_MOST_BYTES).strip().split(b"\n")
    key = first.strip()
    if len(key) < _MIN_BYTES:
        raise ConfigurationError(
            f"use the secret key in {path}",
            f"it has {len(key)} bytes and needs {_MIN_BYTES}",
            "Delete the file; a new one is made, and open pages connect again after a reload",
        )
    return key, [_former(path, line) for line in rest if line.strip()]


def _former(path: Path, line: bytes) -> _Former:
    key, _, ends = line.strip().partition(b" ")
    try:
        moment = datetime.fromisoformat(ends.strip().decode("ascii"))
    except ValueError:
        moment = None
    if len(key) < _MIN_BYTES or moment is None or moment.tzinfo is None:
        raise ConfigurationError(
            f"use the former keys in {path}",
            "a line below the first is not a key and the moment at which it ends",
            "Delete that line",
        )
    return _Former(key, moment)


@contextmanager
def _said(what: str, path: Path) -> Iterator[None]:
    """Say which file could not be used, whatever the system says of it."""
    try:
        yield
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        remedy = "Make the directory writable, or set secret_key"
        raise ConfigurationError(f"{what} the secret key in {path}", why, remedy) from None
