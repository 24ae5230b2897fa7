"""What pages call things."""

from __future__ import annotations

import pytest

from bokeh_server.blueprint.people.wording import WORDS, browser_name
from bokeh_server.storage.events import ACTIONS

AGENTS = {
    "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0": "Firefox on Linux",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/156.0.0.0 Safari/537.36 Edg/156.0.0.0": "Edge on Windows",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 14_0) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/19.0 Safari/605.1.15": "Safari on macOS",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like "
    "Gecko) CriOS/156.0 Mobile/15E148 Safari/604.1": "Chrome on iPhone",
    "Mozilla/5.0 (Linux; Android 16) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/156.0 "
    "Mobile Safari/537.36": "Chrome on Android",
    "curl/8.5": "curl/8.5",
    "Mozilla/5.0 (something)": "A browser",
    "": "A browser",
}


@pytest.mark.parametrize("agent", AGENTS)
def test_browsers(agent: str) -> None:
    """A browser by what it is and where it runs, whatever it says to be besides."""
    assert browser_name(agent) == AGENTS[agent]


def test_every_action_has_its_words() -> None:
    """Nothing is noted that a page could not say."""
    assert set(WORDS) == set(ACTIONS)
