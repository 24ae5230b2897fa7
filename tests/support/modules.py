"""The modules of the package, found in the checkout."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["LINKED", "PACKAGE", "ROOT", "find_modules"]

ROOT = Path(__file__).resolve().parent.parent.parent
PACKAGE = "bokeh_server"
#: folders at the top that are linked into the package.
LINKED = ("blueprint", "migrations", "storage")


def find_modules() -> dict[str, Path]:
    """Every module by its name; those of linked folders under their real paths."""
    found = {}
    for folder in (PACKAGE, *LINKED):
        prefix = () if folder == PACKAGE else (PACKAGE,)
        for directory, folders, files in os.walk(ROOT / folder):
            folders[:] = [each for each in folders if each != "__pycache__"]
            parts = (*prefix, *Path(directory).relative_to(ROOT).parts)
            for file in files:
                if file.endswith(".py"):
                    name = ".".join((*parts, file.removesuffix(".py"))).removesuffix(".__init__")
                    found[name] = Path(directory) / file
    return dict(sorted(found.items()))
