"""The documents of one server: find, make, choose, share, and their models as JSON."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from urllib.parse import urlencode

from bokeh_server.client._browser import Browsing
from bokeh_server.errors import (
    BadRequest,
    BokehServerError,
    Conflict,
    ConnectionFailed,
    NotFound,
    TitleTaken,
    UnknownDocument,
)

__all__ = ["Documents"]

#: how often to look for a document and to make it, while other programs do so too.
TRIES = 3


class Documents(Browsing):
    """The documents of one server, of which one is in use.

    :ivar docid: the document in use, after :meth:`use_doc`.
    """

    docid: str | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._titles: dict[str, str] = {}

    @property
    def userinfo(self) -> dict[str, Any]:
        """Who the server takes us for, and our documents: ``{"username", "docs": [...]}``."""
        info: dict[str, Any] = self.http.get(self.http.url("userinfo", slash=True))
        return info

    def find_doc(self, name: str) -> str:
        """The docid of our document of this title, which is made if there is none.

        :raises Conflict: others make and delete it all the time.
        """
        for _ in range(TRIES):
            info = self._find(name) or self._made(name)
            if info is not None:
                return str(info["docid"])
        raise Conflict(
            f"use the document {name!r}",
            "it is neither found nor can it be made, as if others made and deleted it meanwhile",
            "Try again, or choose another title",
        )

    def _made(self, title: str) -> dict[str, Any] | None:
        try:
            return self.make_doc(title)
        except TitleTaken:  # another program was faster
            return None

    def make_doc(self, title: str) -> dict[str, Any]:
        """Make a document.

        :returns: what the server says about it.
        :raises TitleTaken: we have one of this title.
        """
        url = self.http.url("doc", slash=True)
        info: dict[str, Any] = self.http.post(url, {"title": title})
        return self._noted(info)

    def use_doc(self, name: str | None = None, docid: str | None = None) -> str:
        """Use our document of a title, made if need be, or any by its docid.

        With a document key: the document of the key, whose title may be left out.

        :returns: its docid.
        :raises UnknownDocument: there is no document of this docid, or the key is for another.
        """
        if self.key is not None and docid is None:
            url = self.http.url("doc", slash=True)
            info = self.http.get(url) if name is None else self.http.get(url, title=name)
            self.docid = str(self._noted(info)["docid"])
            return self.docid
        if (name is None) == (docid is None):
            raise ValueError("Could not use a document: give either its name or its docid.")
        if docid is not None:
            self.info(docid)
        self.docid = docid if docid is not None else self.find_doc(str(name))
        return self.docid

    def _find(self, title: str) -> dict[str, Any] | None:
        url = self.http.url("doc", slash=True)
        try:
            answer = self.http.get(url, retries=(), title=title)
        except NotFound as error:
            if type(error) is not UnknownDocument:
                raise self._not_ours(error) from None
            return None
        return self._noted(answer)

    def _not_ours(self, error: NotFound) -> BokehServerError:
        return ConnectionFailed(
            f"use {self.root_url}", "something answers there, but it is not a bokeh-server",
            "Check the address and its prefix",
        )  # fmt: skip

    def info(self, docid: str) -> dict[str, Any]:
        """What the server says about a document.

        :raises UnknownDocument: there is none of this docid.
        """
        info: dict[str, Any] = self.http.get(self.http.url("doc", docid, slash=True))
        return self._noted(info)

    def _noted(self, info: dict[str, Any]) -> dict[str, Any]:
        self._titles[info["docid"]] = info["title"]
        return info

    def publish(self) -> None:
        """Let everybody see the document."""
        self.http.post(self.http.url(self.used(), "publish"))

    def unpublish(self) -> None:
        """Let only its owner see the document."""
        self.http.post(self.http.url(self.used(), "unpublish"))

    def share(self, username: str, role: str = "viewer") -> None:
        """Let somebody else use the document.

        :param role: ``"viewer"`` to look at it, ``"editor"`` to change it, too.
        :raises NotFound: nobody there has this name.
        """
        self.http.post(self._grant_url(username), {"role": role}, method="PUT")

    def unshare(self, username: str) -> None:
        """Take back what :meth:`share` gave.

        :raises NotFound: they have no right in it.
        """
        self.http.request("DELETE", self._grant_url(username), retries=())

    @property
    def shares(self) -> dict[str, str]:
        """Who may use the document besides its owner: role by name."""
        answer: dict[str, Any] = self.http.get(self.http.url("doc", self.used(), "grants"))
        return {each["username"]: each["role"] for each in answer["grants"]}

    def allow_sites(self, sites: Iterable[str] | None) -> None:
        """Let pages of these sites alone embed the document, besides those of the server.

        :param sites: origins, as ``https://example.org``, ``https://*.example.org`` or
            ``http://localhost:8000``; ``None``: every site.
        :raises BadRequest: one of them is none.
        """
        if isinstance(sites, str):
            sites = [sites]
        body = {"sites": None if sites is None else list(sites)}
        self.http.post(self.http.url("doc", self.used(), "sites"), body, method="PUT")

    @property
    def sites(self) -> list[str] | None:
        """The sites whose pages may embed the document; ``None``: every one."""
        answer: dict[str, Any] = self.http.get(self.http.url("doc", self.used(), "grants"))
        return answer["sites"]  # type: ignore[no-any-return]

    def events(
        self,
        docid: str | None = None,
        *,
        action: str | None = None,
        actor: str | None = None,
        before: int | None = None,
        limit: int = 100,
    ) -> list[dict[str, Any]]:
        """Who did what to your documents and your account, the newest first.

        :param docid: only to this document, which may be deleted by now.
        :param action: only this, such as ``"share"``.
        :param actor: only what this user did.
        :param before: only what was noted before the event with this ``"id"``.
        :returns: for each ``"at"``, ``"actor"``, ``"action"``, ``"docid"``, ``"title"`` and more.
        """
        given = {"docid": docid, "action": action, "actor": actor, "before": before}
        asked = {name: str(value) for name, value in given.items() if value is not None}
        url = f"{self.http.url('events')}?{urlencode({**asked, 'limit': limit})}"
        answer: dict[str, Any] = self.http.get(url)
        return answer["events"]  # type: ignore[no-any-return]

    def _grant_url(self, username: str) -> str:
        return self.http.url("doc", self.used(), "grants", username)

    def gc(self) -> int:
        """Drop models that nothing refers to; returns how many."""
        answer = self.http.post(self.http.url("bb", self.used(), "gc"))
        return int(answer["removed"])

    def title_of(self, docid: str) -> str:
        """The title of a document, as far as is known."""
        return self._titles.get(docid) or str(self.info(docid)["title"])

    def used(self) -> str:
        """The docid of the document in use.

        :raises BadRequest: none was chosen.
        """
        if self.docid is None:
            raise BadRequest(
                "use a document", "none was chosen", "Call session.use_doc(name) first"
            )
        return self.docid

    def pull(self, typename: str | None = None, objid: str | None = None) -> Any:
        """All models of the document as JSON, or one."""
        if (typename is None) != (objid is None):
            raise ValueError("Could not pull: give both typename and objid, or neither.")
        path = [] if typename is None else [typename, str(objid)]
        return self.http.get(self.http.url("bb", self.used(), *path, slash=True))

    def push(self, *jsonobjs: dict[str, Any]) -> None:
        """Store models given as JSON: ``{"type": "object", "name", "id", "attributes"}``."""
        self.http.post(self.http.url("bb", self.used(), "bulkupsert"), list(jsonobjs))
