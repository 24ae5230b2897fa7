"""What pages say of each action that is noted: who did it stands before, the document after."""

from __future__ import annotations

__all__ = ["WORDS"]

WORDS = {
    "create": "made",
    "rename": "renamed",
    "delete": "deleted",
    "publish": "published",
    "unpublish": "unpublished",
    "share": "shared",
    "unshare": "took back a right in",
    "give": "gave away",
    "link": "made a link to",
    "unlink": "revoked a link to",
    "follow": "followed a link to",
    "sites": "chose who may embed",
    "replace": "replaced the content of",
    "restore": "restored a revision of",
    "change": "changed",
    "open": "looked at",
    "register": "registered",
    "login": "logged in",
    "refused": "tried in vain to log in as",
    "logout": "logged out everywhere else",
    "password": "changed the password",
    "token": "made a token",
    "revoke": "revoked a token",
    "add-user": "added the account",
    "disable": "disabled the account",
    "enable": "enabled the account again",
    "delete-user": "deleted the account",
    "promote": "made them an admin",
    "demote": "made them an admin no longer",
    "limit": "set the limits of the account",
}
