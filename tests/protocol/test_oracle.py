"""Wire documents against Bokeh's own, over random series of changes."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from protocol.page_patches import PagePatch, page_patches
from protocol.sender_operations import (
    Operation,
    Workbench,
    documents,
    operations,
    with_data_models,
)
from protocol.trials import Trial

__all__ = ["with_data_models"]

#: `scripts/oracle` asks for more.
EXAMPLES = int(os.environ.get("ORACLE_EXAMPLES", "160"))


def examples(share: float) -> settings:
    """Run a share of the examples; what they find is shrunk."""
    return settings(
        max_examples=max(1, int(EXAMPLES * share)),
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate, Phase.shrink],
    )


pytestmark = [
    pytest.mark.filterwarnings("ignore::bokeh.util.warnings.BokehUserWarning"),
    pytest.mark.timeout(0 if EXAMPLES > 1000 else 300),
]

Maker = Callable[[], Workbench]
groups = st.lists(st.lists(operations, min_size=1, max_size=3), min_size=1, max_size=6)
#: after which patches the document is loaded again, and of what.
reloads = st.dictionaries(st.integers(0, 5), st.booleans(), max_size=2)


@examples(0.5)
@given(documents(), groups, reloads)
def test_patches_of_scripts(
    make: Maker, changes: list[list[Operation]], loaded: dict[int, bool]
) -> None:
    """After any series of changes, one or several a patch, wire document, follower and reload
    equal Bokeh's document."""
    trial = Trial(make())
    for number, group in enumerate(changes):
        for change in group:
            trial.change(change)
        if not trial.over:
            trial.deliver()
        if number in loaded:
            trial.reload(parts=loaded[number])
    trial.check()


@examples(0.5)
@given(documents(), page_patches, reloads)
def test_patches_of_browsers(
    make: Maker, patches: list[PagePatch], loaded: dict[int, bool]
) -> None:
    """The same for patches in the forms that only BokehJS sends."""
    trial = Trial(make())
    for number, patch in enumerate(patches):
        trial.patch(patch)
        if number in loaded:
            trial.reload(parts=loaded[number])
    trial.check()
