"""What pages say in plain words: of actions that are noted, and of browsers."""

from __future__ import annotations

__all__ = ["WORDS", "browser_name"]

#: what a ``User-Agent`` has in it -> the browser; many say that they are others, which come later.
_BROWSERS = {
    "Edg": "Edge",
    "OPR/": "Opera",
    "SamsungBrowser": "Samsung Internet",
    "Firefox/": "Firefox",
    "FxiOS": "Firefox",
    "CriOS": "Chrome",
    "Chrome/": "Chrome",
    "Safari/": "Safari",
}
_SYSTEMS = {
    "Android": "Android",
    "iPhone": "iPhone",
    "iPad": "iPad",
    "CrOS": "ChromeOS",
    "Windows": "Windows",
    "Mac OS X": "macOS",
    "Linux": "Linux",
}


def browser_name(agent: str) -> str:
    """What a browser is called, such as ``Firefox on Linux``; what is none is left as it is."""
    if not agent.startswith("Mozilla/"):
        return agent or "A browser"
    browser = next((name for part, name in _BROWSERS.items() if part in agent), "A browser")
    system = next((name for part, name in _SYSTEMS.items() if part in agent), "")
    return f"{browser} on {system}" if system else browser


#: who did it stands before, the document after.
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
