"""Scripts and styles: BokehJS of the installed bokeh and our own, compressed once.

Addresses carry the version or a hash of the content, so browsers may keep them for ever.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib import resources
from pathlib import Path

from bokeh_server.blocking import run_blocking
from bokeh_server.errors import NotFound

try:
    import brotli  # type: ignore[import-untyped]
except ImportError:
    brotli = None

__all__ = ["BUNDLES", "Asset", "Assets", "Links", "accepted_encodings"]

#: the parts of BokehJS that every page loads, in order; others follow when a model needs them.
BUNDLES = ("bokeh", "bokeh-widgets", "bokeh-tables")

_BOKEHJS_FILES = frozenset(
    f"bokeh{part}{form}.js"
    for part in ("", "-widgets", "-tables", "-gl", "-mathjax", "-api")
    for form in ("", ".min")
)
_TYPES = {
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
}
#: a proxy may tell any root it likes; no more are remembered.
_MOST_ROOTS = 64
_BOKEHJS = "bokehjs"
_OWN = "static"


@dataclass(frozen=True, slots=True)
class Asset:
    """One file as it is sent.

    :param encoding: ``br``, ``gzip`` or ``identity``.
    """

    data: bytes
    mimetype: str
    encoding: str


@dataclass(frozen=True, slots=True)
class Links:
    """The addresses that pages are made with, put together once: ``url_for`` would take longer
    than all the rest of a page.

    :param root: the path under which everything of ours stands, with no slash at the end.
    :param own: the address of each of our own scripts and styles.
    :param bokehjs: the folder of BokehJS's bundles, with a slash at the end.
    :param bundles: the addresses of the bundles that every page loads.
    """

    root: str
    own: Mapping[str, str]
    bokehjs: str
    bundles: tuple[str, ...]


class Assets:
    """The files that pages load; only names on its lists are ever opened.

    :param cache_dir: where compressed copies are kept between runs;
        when it cannot be written they are kept in memory only.
    """

    def __init__(self, cache_dir: Path) -> None:
        self._cache_dir = cache_dir
        self._kept: dict[tuple[str, str, str], Asset] = {}
        self._locks: dict[tuple[str, str, str], threading.Lock] = {}
        self._lock = threading.Lock()
        self._links: dict[str, Links] = {}

    @cached_property
    def bokeh_version(self) -> str:
        """The version of the installed bokeh."""
        import bokeh

        return str(bokeh.__version__)

    @cached_property
    def version(self) -> str:
        """A word that changes when one of our own files does."""
        digest = hashlib.sha256()
        for name, data in sorted(self._own.items()):
            digest.update(name.encode() + b"\0" + data)
        return digest.hexdigest()[:16]

    def links(self, root: str) -> Links:
        """The addresses of the files, under a path."""
        known = self._links.get(root)
        return self._make_links(root) if known is None else known

    def _make_links(self, root: str) -> Links:
        bokehjs = f"{root}/bokeh/bokehjs/{self.bokeh_version}/"
        made = Links(
            root,
            {name: f"{root}/bokeh/static/{self.version}/{name}" for name in self._own},
            bokehjs,
            tuple(f"{bokehjs}{bundle}.min.js" for bundle in BUNDLES),
        )
        if len(self._links) < _MOST_ROOTS:
            self._links[root] = made
        return made

    @cached_property
    def _own(self) -> Mapping[str, bytes]:
        folder = resources.files("bokeh_server.blueprint") / "static"
        files = (each for each in folder.iterdir() if Path(each.name).suffix in _TYPES)
        return {each.name: each.read_bytes() for each in files}

    @cached_property
    def _bokehjs_dir(self) -> Path:
        import bokeh

        return Path(bokeh.__file__).parent / "server" / "static" / "js"

    def bokehjs(self, version: str, name: str, accepted: frozenset[str]) -> Asset:
        """A file of BokehJS.

        :param accepted: the encodings that the browser takes.
        :raises NotFound: another version than the installed one, or no such file.
        """
        if version != self.bokeh_version or name not in _BOKEHJS_FILES:
            raise NotFound(
                "send this file of BokehJS",
                f"version {self.bokeh_version} has no such file",
                "Reload the page",
            )
        return self._find(_BOKEHJS, name, accepted)

    def own(self, name: str, accepted: frozenset[str]) -> Asset:
        """A file of ours.

        :raises NotFound: there is no such file.
        """
        if name not in self._own:
            raise NotFound("send this file", "there is no such file", "Reload the page")
        return self._find(_OWN, name, accepted)

    def _find(self, kind: str, name: str, accepted: frozenset[str]) -> Asset:
        encoding = next(each for each in _encodings() if each in accepted or each == "identity")
        key = (kind, name, encoding)
        kept = self._kept.get(key)
        return self._make(key) if kept is None else kept

    def _make(self, key: tuple[str, str, str]) -> Asset:
        with self._lock:
            lock = self._locks.setdefault(key, threading.Lock())
        with lock:
            if key not in self._kept:
                self._kept[key] = run_blocking(self._load, *key)
            return self._kept[key]

    def _load(self, kind: str, name: str, encoding: str) -> Asset:
        raw = self._own[name] if kind == _OWN else (self._bokehjs_dir / name).read_bytes()
        data = raw if encoding == "identity" else self._compressed(raw, encoding)
        return Asset(data, _TYPES[Path(name).suffix], encoding)

    def _compressed(self, raw: bytes, encoding: str) -> bytes:
        path = self._cache_dir / f"{hashlib.sha256(raw).hexdigest()[:32]}.{encoding}"
        try:
            return path.read_bytes()
        except OSError:
            data = _compress(raw, encoding)
        _keep(path, data)
        return data


def accepted_encodings(header: str) -> frozenset[str]:
    """The encodings that an ``Accept-Encoding`` header allows."""
    accepted = set()
    for item in header.lower().split(","):
        name, _, parameters = item.strip().partition(";")
        if parameters.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000"):
            accepted.add(name.strip())
    return frozenset(accepted)


def _encodings() -> tuple[str, ...]:
    return ("br", "gzip", "identity") if brotli is not None else ("gzip", "identity")


def _compress(raw: bytes, encoding: str) -> bytes:
    if encoding == "gzip":
        return gzip.compress(raw, compresslevel=9, mtime=0)
    # Quality 11 takes 4 s for the main bundle and saves 8 % over 9, which takes 0.3 s.
    data: bytes = brotli.compress(raw, quality=9)
    return data


def _keep(path: Path, data: bytes) -> None:
    draft = path.with_name(f"{path.name}.{os.getpid()}.{threading.get_ident()}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft.write_bytes(data)
        draft.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)
