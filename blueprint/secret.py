"""The key that signs tickets: generated once and kept beside the data, readable by its owner."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from bokeh_server.errors import ConfigurationError

__all__ = ["FILE_NAME", "load_secret"]

FILE_NAME = "secret"

_MIN_BYTES = 32


def load_secret(data_dir: Path, given: str = "") -> bytes:
    """The key of this installation.

    :param given: the setting ``secret_key``; empty where nobody set it.
    :raises ConfigurationError: the file cannot be read or made, or holds too little.
    """
    if given:
        return given.encode("utf-8")
    path = data_dir / FILE_NAME
    try:
        return _checked(path, _read_or_create(path))
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise ConfigurationError(
            f"keep the secret key in {path}", why, "Make the directory writable, or set secret_key"
        ) from None


def _read_or_create(path: Path) -> bytes:
    if not path.exists():
        _create(path)
    return path.read_bytes().strip()


def _create(path: Path) -> None:
    """Several processes may start at once: the first link wins and all read the same key."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f".{FILE_NAME}-{os.getpid()}-{secrets.token_hex(4)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(secrets.token_urlsafe(48).encode("ascii") + b"\n")
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


def _checked(path: Path, key: bytes) -> bytes:
    if len(key) < _MIN_BYTES:
        raise ConfigurationError(
            f"use the secret key in {path}",
            f"it has {len(key)} bytes and needs {_MIN_BYTES}",
            "Delete the file; a new one is made, and open pages connect again after a reload",
        )
    return key
