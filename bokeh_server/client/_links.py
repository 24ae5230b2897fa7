"""Share links and document keys of the document in use."""

from __future__ import annotations

from typing import Any

from bokeh_server.client._catalogue import Documents

__all__ = ["Sharing"]


class Sharing(Documents):
    """Makes, lists and revokes what lets others use the document in use."""

    def make_link(
        self,
        role: str = "viewer",
        *,
        title: str = "",
        days: float | None = None,
        revision: int | None = None,
    ) -> str:
        """Make a share link: whoever has it may use the document, without an account.

        :param role: ``"viewer"`` to look at it, ``"editor"`` to change it, too.
        :param title: what it is for, as it is listed.
        :param days: for so long; ``None``: until it is revoked.
        :param revision: the only one that it shall show; it is kept for as long.
        :returns: the address, which is not shown again.
        :raises BadRequest: there can be no such link.
        :raises UnknownRevision: the document has no such revision yet.
        """
        wish = {"role": role, "title": title, "days": days, "revision": revision}
        return str(self._make("link", wish)["url"])

    def make_key(self, role: str = "editor", *, title: str = "", days: float | None = None) -> str:
        """Make a document key, for scripts: ``Session(root_url=..., key="bkd_...")``.

        :param role: ``"viewer"`` to read the document, ``"editor"`` to write it, too.
        :returns: the key, which is not shown again.
        :raises BadRequest: there can be no such key.
        """
        return str(self._make("key", {"role": role, "title": title, "days": days})["key"])

    @property
    def links(self) -> list[dict[str, Any]]:
        """The links and keys of the document, the newest first, without their secrets."""
        answer: dict[str, Any] = self.http.get(self._links_url())
        found: list[dict[str, Any]] = answer["links"]
        return found

    def revoke_link(self, link_id: str) -> None:
        """Let a link or key be good no more.

        :param link_id: its ``id``, the link or the key itself.
        :raises NotFound: the document has none of this id.
        """
        self.http.request("DELETE", self._links_url(_id_in(link_id)), retries=())

    def _make(self, kind: str, wish: dict[str, Any]) -> dict[str, Any]:
        made: dict[str, Any] = self.http.post(self._links_url(), {"kind": kind, **wish})
        return made

    def _links_url(self, *rest: str) -> str:
        return self.http.url("doc", self.used(), "links", *rest)


def _id_in(text: str) -> str:
    """The id in a link or key, or what is one."""
    path = text.partition("#")[0].rstrip("/")
    return path.rpartition("/")[2].removeprefix("bkd_").partition("_")[0]
