"""The options of ``bokeh serve`` that are called otherwise here, or that are not here."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from bokeh_server.errors import ConfigurationError

__all__ = ["REFUSED", "RENAMED", "translated"]


def _same(option: str) -> Callable[[str], list[str]]:
    return lambda value: [option, value]


def _ping(value: str) -> list[str]:
    """Milliseconds, as seconds; none at all means never."""
    try:
        seconds = int(value) / 1000
    except ValueError:
        seconds = -1.0
    if seconds < 0:
        why = f"{value!r} is not a number of milliseconds"
        raise ConfigurationError("read --keep-alive", why, "Use --ping-interval SECONDS")
    return ["--ping-interval", str(min(seconds, 86_400) or 86_400)]


#: options with a value that are ours under another name.
RENAMED: Mapping[str, Callable[[str], list[str]]] = {
    "--prefix": _same("--url-prefix"),
    "--ssl-certfile": lambda value: ["--https", "--https-certfile", value],
    "--ssl-keyfile": lambda value: ["--https", "--https-keyfile", value],
    "--websocket-max-message-size": _same("--max-body-size"),
    "--keep-alive": _ping,
}
#: options that take as many words as there are up to the next one.
_LISTS = ("--exclude-headers", "--include-headers", "--exclude-cookies", "--include-cookies")
#: what is not here, and what to do instead.
REFUSED = {
    "--num-procs": "Use --app-workers N, or run a Flask app with BokehServer in gunicorn",
    "--unix-socket": "Run a Flask app with BokehServer in gunicorn with --bind unix:PATH",
    "--log-file": "The log is on standard error: add 2>>FILE",
    "--log-format": "Lines of the log have time, level, name and message",
    "--use-config": "Settings of bokeh-server are in a TOML file: --config FILE",
    "--stats-log-frequency": "Leave it out: nothing is logged at intervals",
    "--mem-log-frequency": "Leave it out: nothing is logged at intervals",
    "--cookie-secret": "Set the environment variable BOKEH_COOKIE_SECRET, which others cannot see",
    "--websocket-compression-level": "Leave it out: messages go to all viewers as they are",
    "--websocket-compression-mem-level": "Leave it out: messages go to all viewers as they are",
}


def translated(words: Sequence[str]) -> list[str]:
    """The words of a command line, in our own options.

    :raises ConfigurationError: an option is not here; the message says what is.
    """
    return [word for found in _translated(list(words)) for word in found]


def _translated(words: list[str]) -> Iterator[list[str]]:
    while words:
        word = words.pop(0)
        name, equals, value = word.partition("=")
        if name in REFUSED:
            raise ConfigurationError(
                f"use {name}", "bokeh-server has no such option", REFUSED[name]
            )
        if name in RENAMED:
            if not equals and not words:
                raise ConfigurationError(f"use {name}", "it needs a value", "Give one")
            yield RENAMED[name](value if equals else words.pop(0))
        elif word == "--use-xheaders":
            yield ["--trusted-proxies", "1"]
        elif word == "--dev":
            yield [word, *(part for each in _following(words) for part in ("--dev-files", each))]
        elif word in _LISTS:
            yield [part for each in _following(words) for part in (word, each)]
        else:
            yield [word]


def _following(words: list[str]) -> list[str]:
    """The words up to the next option, which are taken out."""
    count = next((i for i, word in enumerate(words) if word.startswith("-")), len(words))
    found = words[:count]
    del words[:count]
    return found
