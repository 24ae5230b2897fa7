"""BokehJS makes the same of what it pulls, and of what it is sent, as is stored."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from bokeh.settings import settings as bokeh_settings
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from playwright.sync_api import Browser, Page
from protocol.page_patches import PagePatch, page_patches
from protocol.sender_operations import (
    Operation,
    Workbench,
    documents,
    operations,
    with_data_models,
)
from protocol.trials import Trial

from support.wire_trees import from_page, read_tree, to_page

__all__ = ["with_data_models"]

#: `scripts/oracle` asks for more.
EXAMPLES = int(os.environ.get("ORACLE_EXAMPLES", "160"))
quick = settings(
    max_examples=max(1, EXAMPLES // 8),
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.generate, Phase.shrink],
)
pytestmark = [
    pytest.mark.browser,
    pytest.mark.filterwarnings("ignore::bokeh.util.warnings.BokehUserWarning"),
    pytest.mark.timeout(0 if EXAMPLES > 1000 else 300),
]

#: what BokehJS sets itself as soon as a model is there.
COMPUTED = {"ToolProxy": {"active"}, "FactorRange": {"start", "end"}}

Maker = Callable[[], Workbench]
groups = st.lists(st.lists(operations, min_size=1, max_size=3), min_size=1, max_size=6)


@pytest.fixture(scope="module")
def bokehjs(browser: Browser) -> Iterator[Page]:
    """A page with BokehJS, and nothing else."""
    page = browser.new_page()
    scripts = Path(bokeh_settings.bokehjs_path()) / "js"
    for name in ("bokeh", "bokeh-widgets", "bokeh-tables"):
        page.add_script_tag(path=scripts / f"{name}.min.js")
    page.add_script_tag(path=Path(__file__).with_name("bokehjs_tree.js"))
    yield page
    page.close()


@quick
@given(documents(), groups)
def test_patches_of_scripts(bokehjs: Page, make: Maker, changes: list[list[Operation]]) -> None:
    """A page that pulls, before the changes of a script or after them, shows what is stored."""
    trial = Trial(make())
    for group in changes:
        for change in group:
            trial.change(change)
        if not trial.over:
            trial.deliver()
    check(bokehjs, trial)


@quick
@given(documents(), page_patches)
def test_patches_of_browsers(bokehjs: Page, make: Maker, patches: list[PagePatch]) -> None:
    """The same for changes of another browser."""
    trial = Trial(make())
    for patch in patches:
        trial.patch(patch)
    check(bokehjs, trial)


def check(page: Page, trial: Trial) -> None:
    """Compare what a page has that follows, and one that comes now, with what is stored."""
    content, buffers = trial.wire.content()
    stored = read_tree(content, buffers)
    ids = sorted(stored["models"])
    for form in ((content, buffers), trial.wire.content(inline=True)):
        loaded = from_page(page.evaluate("(args) => load_tree(...args)", [to_page(*form), ids]))
        assert_same_tree(loaded, stored)
    patches = [to_page(*each) for each in trial.sent]
    args = [to_page(*trial.pulled), patches, ids]
    followed = from_page(page.evaluate("(args) => follow_tree(...args)", args))
    assert_same_tree(followed, stored)
    for model_id, model in loaded["models"].items():
        assert followed["models"][model_id]["attributes"] == model["attributes"]


def assert_same_tree(shown: dict[str, Any], stored: dict[str, Any]) -> None:
    """Every model that is stored is there, with just the attributes that are stored."""
    for part in ("title", "roots", "config", "callbacks"):
        assert shown[part] == stored[part], part
    for model_id, model in stored["models"].items():
        assert model_id in shown["models"], (model_id, model)
        found = shown["models"][model_id]
        assert found["type"] == model["type"]
        for attr, value in model["attributes"].items():
            assert is_same(found["attributes"].get(attr), value), (model["type"], attr)
        expected = model["attributes"].keys() | COMPUTED.get(model["type"], set())
        assert set(found["changed"]) <= expected, model["type"]


def is_same(shown: Any, stored: Any) -> bool:
    """Whether a value is as it is stored; BokehJS may write that of a glyph in full."""
    return shown in (stored, {"map": [["value", stored]]})


def test_trees_differ_where_documents_do() -> None:
    """The comparison sees another value, and an attribute that should not be set."""
    doc = {"title": "t", "config": {"type": "object", "name": "C", "id": "c"}, "roots": []}
    stored = read_tree(orjson.dumps(doc), {})
    shown = {**stored, "models": {"c": {"type": "C", "attributes": {}, "changed": []}}}
    assert_same_tree(shown, stored)
    shown["models"]["c"]["changed"] = ["height"]
    with pytest.raises(AssertionError):
        assert_same_tree(shown, stored)
