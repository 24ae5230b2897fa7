"""The options of ``bokeh serve`` on our command line."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bokeh_server.cli.foreign_options import REFUSED, translated
from bokeh_server.config import Settings
from bokeh_server.errors import ConfigurationError
from support.modules import ROOT
from support.server import running_server


@pytest.mark.parametrize(
    ("words", "ours"),
    [
        ("app.py --prefix /a", "app.py --url-prefix /a"),
        ("--prefix=/a app.py", "--url-prefix /a app.py"),
        ("app.py --keep-alive 37000", "app.py --ping-interval 37.0"),
        ("app.py --keep-alive 0", "app.py --ping-interval 86400"),
        ("app.py --use-xheaders", "app.py --trusted-proxies 1"),
        ("app.py --websocket-max-message-size 9000", "app.py --max-body-size 9000"),
        ("app.py --ssl-certfile c.pem", "app.py --https --https-certfile c.pem"),
        ("--exclude-headers A B --show", "--exclude-headers A --exclude-headers B --show"),
        ("--dev a.csv b.txt --show", "--dev --dev-files a.csv --dev-files b.txt --show"),
        ("app.py --dev", "app.py --dev"),
        ("app.py --port 1", "app.py --port 1"),
    ],
)  # fmt: skip
def test_what_is_called_otherwise(words: str, ours: str) -> None:
    """It is taken under both names."""
    assert " ".join(translated(words.split())) == ours


@pytest.mark.parametrize("option", sorted(REFUSED))
def test_what_is_not_here(option: str) -> None:
    """The message says what to do instead."""
    with pytest.raises(ConfigurationError, match="no such option") as caught:
        translated(["app.py", option, "1"])
    assert REFUSED[option] in str(caught.value) + "."


@pytest.mark.parametrize("words", ["--prefix", "--keep-alive x", "--keep-alive -1"])
def test_values_that_are_none(words: str) -> None:
    """They are named."""
    with pytest.raises(ConfigurationError, match=words.split()[0]):
        translated(words.split())


def test_every_option_of_bokehs_is_accounted_for() -> None:
    """Each is ours, translated or refused, and stands in the documentation."""
    from bokeh.command.subcommands.serve import Serve

    text = (ROOT / "docs" / "applications.md").read_text("utf-8")
    ours = {setting.option for setting in Settings.declared().values()} | {"--glob", "--args"}
    for names, _ in Serve.args:
        for option in [names] if isinstance(names, str) else names:
            if not option.startswith("--"):
                continue
            assert re.search(rf"`{option}[ `]", text), option
            if option not in ours and option not in REFUSED:
                assert translated([option, "1"]) != [option, "1"], option


def test_patterns_before_and_after(tmp_path: Path) -> None:
    """``--glob`` may stand anywhere among the words for the server."""
    for name in ("one", "two"):
        (tmp_path / f"{name}_app.py").write_text("")
    for words in (("--glob", f"{tmp_path}/*_app.py"), (f"{tmp_path}/*_app.py", "--glob")):
        with running_server(*words) as server:
            assert f"{server.url}/one_app" in server.log
            assert f"{server.url}/two_app" in server.log
