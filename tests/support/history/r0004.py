"""Revision 0004: links, thumbnails, and what people did."""

from __future__ import annotations

from datetime import timedelta
from hashlib import sha256

import sqlalchemy as sa
from sqlalchemy import Connection

from support.history import r0003
from support.history.kept import DOCUMENTS, START, Kept
from support.history.tables import table

__all__ = ["fill"]

_user = table("user", "id most_documents most_bytes", "")
_document = table("document", "id sites", "")
_handover = table("handover", "digest kind code user_id title", "created expires")
_event = table("event", "actor via address action docid owner title detail", "at")
_link = table("link", "id digest docid kind title role revision creator", "created used expires")
_thumbnail = table("thumbnail", "docid seq mimetype body", "made")


def fill(connection: Connection) -> list[Kept]:
    """Put every document in, one of them shared by a link, with a picture and a past."""
    kept = r0003.fill(connection)
    docid, later = DOCUMENTS[0].docid, START + timedelta(days=30)
    digest = sha256(b"another secret").digest()
    limits = {"most_documents": 10, "most_bytes": 10**9}
    connection.execute(sa.update(_user).where(_user.c.id == 1).values(**limits))
    sites = {"sites": "https://example.org"}
    connection.execute(sa.update(_document).where(_document.c.id == docid).values(**sites))
    row = {"digest": digest, "kind": "script", "code": "ABCD-EFGH", "user_id": 1, "title": "laptop"}
    connection.execute(sa.insert(_handover), {**row, "created": START, "expires": later})
    what = {"actor": "ada", "via": "login", "address": "127.0.0.1", "action": "publish"}
    of = {"docid": docid, "owner": "ada", "title": "a plot", "detail": None}
    connection.execute(sa.insert(_event), {**what, **of, "at": START})
    link = {"id": "0123abcd", "digest": digest, "docid": docid, "kind": "link", "title": "review"}
    times = {"created": START, "used": None, "expires": later}
    right = {"role": "viewer", "revision": 1, "creator": "ada"}
    connection.execute(sa.insert(_link), {**link, **right, **times})
    picture = {"docid": docid, "seq": 1, "mimetype": "image/png", "body": b"picture"}
    connection.execute(sa.insert(_thumbnail), {**picture, "made": START})
    return kept
