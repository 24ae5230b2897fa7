"""What the bar on a document's page offers to whoever looks."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from flask import request

from bokeh_server.blueprint.documents.presence import rights_of
from bokeh_server.blueprint.documents.revisions import asked_revision
from bokeh_server.blueprint.people.access import current_actor
from bokeh_server.blueprint.people.tickets import is_public
from bokeh_server.blueprint.state import current_state
from bokeh_server.blueprint.static_files import links
from bokeh_server.permissions import Action
from bokeh_server.storage.documents import TITLE_LENGTH
from bokeh_server.tags import autoload_tag

if TYPE_CHECKING:
    from bokeh_server.documents import Identity

__all__ = ["Bar", "bar_config", "bar_of"]


@dataclass(frozen=True, slots=True)
class Bar:
    """What is on the page of a document besides its plots.

    :ivar owns: whether to offer what only the owner may do; not on a page where everybody looks.
    :ivar shared: whether this server knows people to share with.
    """

    owns: bool
    shared: bool
    owner: str
    published: bool


def bar_of(identity: Identity) -> Bar:
    """What to put on the page of this request."""
    owns = Action.OWN.value in rights_of(identity, current_actor()) and not is_public()
    shared = current_state().settings.multi_user
    return Bar(owns, shared, identity.owner, identity.published)


def bar_config(identity: Identity, model: str | None) -> dict[str, Any]:
    """What the scripts of the bar need to know.

    :param model: the id of the one model that is shown.
    """
    return {
        "rights": rights_of(identity, current_actor()),
        "owner": identity.owner,
        "published": identity.published,
        "shared": current_state().settings.multi_user,
        "title_length": TITLE_LENGTH,
        "actor": current_actor().name,
        "tags": {
            "document": _tag(identity.docid, None),
            **({} if model is None else {"plot": _tag(identity.docid, model)}),
        },
    }


def _tag(docid: str, model: str | None) -> str:
    """The tag that shows the document, or one model of it, where everybody only looks."""
    element, revision = f"bk{secrets.token_hex(8)}", asked_revision()
    arguments = {
        "docid": docid,
        **({} if model is None else {"modelid": model}),
        "public": "true",
        **({} if revision is None else {"revision": revision}),
    }
    base = f"{request.host_url.rstrip('/')}{links().root}/bokeh/autoload.js"
    return autoload_tag(f"{base}/{element}?{urlencode(arguments)}", element)
