"""The simulation decides what crosses as the page's own module does, which it stands for."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from bokeh_server import blueprint
from support.simulation.rules import Rules

pytestmark = pytest.mark.browser

TRACES = 2000
STEPS = 40
#: seconds; as a part of 250 ms, so that both sides compute it exactly.
TICK = 1 / 128

#: replays traces in the module, and gives what it answered to every step.
REPLAY = """async ([source, traces]) => {
  const module = new Blob([source], {type: "text/javascript"})
  const {Crossing} = await import(URL.createObjectURL(module))
  const plain = (value) => value === undefined ? null : value
  return JSON.stringify(JSON.parse(traces).map((trace) => {
    let now = 0
    const crossing = new Crossing(() => now)
    return trace.map(([time, what, ...args]) => {
      now = time * 1000
      const answer = plain(crossing[what](...args))
      const wait = crossing.wait()
      return [answer, crossing.seen, wait == null ? null : wait / 1000]
    })
  }))
}"""

KEYS = ["a value", "b value", "d data", "title", "roots"]


def event(dice: random.Random) -> dict[str, Any]:
    """What somebody else did."""
    kind = dice.choice(
        ["value", "value", "value", "cols", "rows", "data", "title", "root", "message"]
    )
    model = {"id": dice.choice("ab")}
    new: Any = dice.randrange(9)
    if dice.random() < 0.1:
        new = [{"type": "object", "name": "Div", "id": "new"}]
    source = {"model": {"id": "d"}, "attr": "data"}
    return {
        "value": {"kind": "ModelChanged", "model": model, "attr": "value", "new": new},
        "cols": {"kind": "ColumnDataChanged", **source, "cols": ["x"], "data": {}},
        "data": {"kind": "ColumnDataChanged", **source, "data": {}},
        "rows": {"kind": "ColumnsStreamed", **source, "data": {}},
        "title": {"kind": "TitleChanged", "title": "t"},
        "root": {"kind": "RootAdded", "model": {"id": "r"}},
        "message": {"kind": "MessageSent", "msg_type": "m"},
    }[kind]


def trace(seed: int) -> list[list[Any]]:
    """What happens to a page: when, what, with what."""
    dice = random.Random(seed)
    steps: list[list[Any]] = []
    now, seq, sent = 0.0, 0, 0
    unanswered: list[str] = []
    for _ in range(STEPS):
        now += dice.choice([0, 0, 1, 4, 16, 32, 100]) * TICK
        what = dice.choice(
            [
                "edited",
                "edited",
                "sent",
                "answered",
                "incoming",
                "incoming",
                "due",
                "press",
                "start",
            ]
        )
        args: list[Any] = []
        if what == "edited":
            args = [dice.choice(KEYS), dice.random() < 0.8]
        elif what == "sent":
            sent += 1
            unanswered.append(f"m{sent}")
            args = [f"m{sent}"]
        elif what == "answered":
            seq += 1
            args = [unanswered.pop(0) if unanswered and dice.random() < 0.9 else "none", seq]
        elif what == "incoming":
            seq += dice.choice([0, 1, 1, 2])
            late = dice.choice([0, 0, 0.001, 0.5, -3])
            args = [max(0, seq + late), [event(dice) for _ in range(dice.randint(1, 3))], None]
        elif what == "press":
            args = [dice.random() < 0.6]
        elif what == "start":
            if dice.random() < 0.7:
                continue
            unanswered.clear()
            args = [seq]
        steps.append([now, what, *args])
    return steps


def replayed(steps: list[list[Any]]) -> list[Any]:
    """What the simulation's rules answer to every step."""
    now = [0.0]
    rules = Rules(lambda: now[0])
    answers: list[Any] = []
    for time, what, *args in steps:
        now[0] = time
        answer = getattr(rules, what)(*args)
        if what == "due":
            answer = [{"seq": one.seq, "event": one.event, "buffers": None} for one in answer]
        answers.append([answer, rules.seen, rules.wait()])
    return answers


def test_the_simulated_rules_are_those_of_the_page(browser: Browser) -> None:
    """Thousands of random traces have the same answers at every step, drags and all."""
    source = (Path(blueprint.__file__).parent / "static" / "crossing.js").read_text()
    traces = [trace(seed) for seed in range(TRACES)]
    expected = [replayed(steps) for steps in traces]
    answers = [answer for steps in expected for answer in steps]
    assert sum(wait is not None for _, _, wait in answers) > TRACES  # enough waits, for a while
    page = browser.new_page()
    found = json.loads(page.evaluate(REPLAY, [source, json.dumps(traces)]))
    page.close()
    for steps, theirs, ours in zip(traces, found, expected, strict=True):
        for step, their, our in zip(steps, theirs, ours, strict=True):
            assert their == our, (step, steps[: steps.index(step) + 1])


def test_what_is_held_does_not_make_a_page_pull_for_ever() -> None:
    """After a pull a held value stays, until somebody sets it to what brings models: that is shown.

    To pull again would hold it once more, and so on as long as the pointer is down.
    """
    rules = Rules(lambda: 1.0)
    rules.press(True)
    rules.edited("m value", True)
    rules.sent("a")
    rules.answered("a", 5)
    plain = {"kind": "ModelChanged", "model": {"id": "m"}, "attr": "value", "new": 3}
    bringing = {**plain, "new": {"type": "object", "name": "Div", "id": "n"}}
    assert rules.incoming(6, [bringing], {}) is None
    rules.start(6)
    assert rules.incoming(7, [plain], {}) == []
    assert rules.incoming(8, [bringing], {}) == [bringing]
    assert rules.incoming(9, [bringing], {}) == [bringing]
    assert rules.due() == []


def test_rows_that_a_pointer_made_do_not_wait_after_a_pull() -> None:
    """Only a value that was set as a whole is held: rows of others go on as they come."""
    rules = Rules(lambda: 1.0)
    rules.press(True)
    rules.edited("m data", False)
    rules.start(5)
    rows = {"kind": "ColumnsStreamed", "model": {"id": "m"}, "attr": "data", "data": {}}
    assert rules.incoming(6, [rows], {}) == [rows]
