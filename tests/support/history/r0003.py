"""Revision 0003: people log in, and give rights to others."""

from __future__ import annotations

from datetime import timedelta
from hashlib import sha256

import sqlalchemy as sa
from sqlalchemy import Connection

from support.history import r0002
from support.history.kept import DOCUMENTS, START, Kept
from support.history.tables import table

__all__ = ["fill"]

_user = table("user", "id name password", "")
_login = table("login", "digest user_id agent", "created used expires")
_token = table("token", "id digest user_id title scope", "created used expires")
_invitation = table("invitation", "digest", "created expires")
_grant = table("grant", "docid user_id role", "created")


def fill(connection: Connection) -> list[Kept]:
    """Put every document in, with an owner who logs in and somebody who may read one."""
    kept = r0002.fill(connection)
    later = START + timedelta(days=30)
    times = {"created": START, "used": START, "expires": later}
    hashed = "$argon2id$v=19$m=65536,t=3,p=1$c2FsdHNhbHQ$aGFzaGhhc2hoYXNoaGFzaA"
    connection.execute(sa.update(_user).where(_user.c.id == 1).values(password=hashed))
    digest = {"digest": sha256(b"a secret").digest()}
    connection.execute(sa.insert(_login), {**digest, "user_id": 1, "agent": "Firefox", **times})
    row = {**digest, "id": "0123abcd", "user_id": 1, "title": "laptop", "scope": "own", **times}
    connection.execute(sa.insert(_token), row)
    connection.execute(sa.insert(_invitation), {**digest, "created": START, "expires": later})
    right = {"docid": DOCUMENTS[0].docid, "user_id": 1, "role": "viewer", "created": START}
    connection.execute(sa.insert(_grant), right)
    return kept
