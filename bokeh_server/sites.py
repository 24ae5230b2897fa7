"""The sites whose pages may embed a document, as its owner lists them.

A site is an origin, ``https://example.org`` or ``http://localhost:8000``; ``*.`` in front of the
name stands for one part of it or more, as in the policies of browsers.
"""

from __future__ import annotations

import ipaddress
import re

from bokeh_server.errors import BadRequest

__all__ = ["MOST_SITES", "Sites", "check_sites", "permits", "read_sites", "write_sites"]

#: ``None``: every site.
Sites = tuple[str, ...] | None

MOST_SITES = 32
#: characters of all of them together, as they are stored.
MOST_TEXT = 2048
_MOST_NAME = 253
_PORTS = {"http": 80, "https": 443}
_SITE = re.compile(
    r"(?P<scheme>https?)://(?P<any>\*\.)?(?P<name>[^/?#@:\[\]\\]+)(:(?P<port>[0-9]{1,5}))?",
    re.IGNORECASE,
)
_AUTHORITY = re.compile(r"[a-z0-9_.-]+(:[0-9]{1,5})?")
_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
#: of these, other names are made by browsers than by older rules, among them Python's.
_DISPUTED = frozenset("ßς\u200c\u200d")
_ATTEMPTED = "choose the sites that may embed this document"


def check_sites(given: object) -> Sites:
    """Sites as somebody sent them, each in the one form that is stored.

    :param given: a list of origins; ``None``: every site.
    :raises BadRequest: there is something else among them, or too many.
    """
    if given is None:
        return None
    if not isinstance(given, list | tuple) or not all(isinstance(each, str) for each in given):
        raise BadRequest(_ATTEMPTED, "they are not a list of origins", 'Send ["https://…"] or null')
    if len(given) > MOST_SITES:
        raise BadRequest(_ATTEMPTED, f"there are more than {MOST_SITES}", "Use *. for many")
    sites = tuple(dict.fromkeys(_site(each) for each in given))
    if len(write_sites(sites) or "") > MOST_TEXT:
        raise BadRequest(_ATTEMPTED, "together they are too long", "Use *. for many")
    return sites


def write_sites(sites: Sites) -> str | None:
    """Sites as one text, to be stored."""
    return None if sites is None else " ".join(sites)


def read_sites(text: str | None) -> Sites:
    """Sites of the text that was stored."""
    return None if text is None else tuple(text.split())


def permits(sites: Sites, origin: str) -> bool:
    """Whether pages of an origin may embed what these sites may.

    As in a browser's policy, ``http`` stands for ``https`` too.

    :param origin: as a browser tells it, in its ``Origin`` header.
    """
    if sites is None:
        return True
    scheme, _, rest = origin.lower().partition("://")
    if scheme not in _PORTS or not _AUTHORITY.fullmatch(rest):
        return False
    page = rest.removesuffix(f":{_PORTS[scheme]}")
    return any(_is_at(page, scheme, site) for site in sites)


def _is_at(page: str, scheme: str, site: str) -> bool:
    wanted, _, authority = site.partition("://")
    if scheme != wanted and (scheme, wanted) != ("https", "http"):
        return False
    if authority.startswith("*."):
        return page.endswith(authority[1:]) and len(page) >= len(authority)
    return page == authority


def _site(text: str) -> str:
    match = _SITE.fullmatch(text.strip())
    if match is None:
        raise _refused(text, "it has not the form https://example.org, with no path after it")
    scheme, port = match["scheme"].lower(), match["port"]
    name = _name(text, match["name"])
    if match["any"] and ("." not in name or _is_ipv4(name)):
        raise _refused(text, "*. stands in front of a name that has a dot in it")
    if port is not None and not 0 < int(port) <= 65535:
        raise _refused(text, f"{port} is not a port")
    shown = "" if port is None or int(port) == _PORTS[scheme] else f":{int(port)}"
    return f"{scheme}://{match['any'] or ''}{name}{shown}"


def _name(text: str, given: str) -> str:
    """A host's name as browsers tell it: in lower case, in the form for DNS."""
    if not given.isascii() and _DISPUTED & set(given):
        raise _refused(text, "its name is written in several ways; give the form with xn--")
    try:
        name = given.encode("idna").decode("ascii").lower()
    except UnicodeError:
        raise _refused(text, "it is not the name of a host") from None
    if len(name) > _MOST_NAME or not all(_LABEL.fullmatch(each) for each in name.split(".")):
        raise _refused(text, "it is not the name of a host")
    if re.fullmatch(r"(0x[0-9a-f]*|\d+)", name.rpartition(".")[2]) and not _is_ipv4(name):
        raise _refused(text, "it is not an address with four numbers")
    return name


def _is_ipv4(name: str) -> bool:
    try:
        ipaddress.IPv4Address(name)
    except ValueError:
        return False
    return True


def _refused(text: str, why: str) -> BadRequest:
    remedy = "Write https://example.org, https://*.example.org or http://localhost:8000"
    if "[" in text:
        why = "the policies of browsers have no form for an IPv6 address"
        remedy = "Use a name"
    return BadRequest(_ATTEMPTED, f"of {text[:100]!r}: {why}", remedy)
