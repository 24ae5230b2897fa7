"""Compare the files of a wheel and an sdist with those of the checkout.

Usage: ``python scripts/wheel_files.py WHEEL SDIST``; exit code 1 and a list when they differ.
"""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
#: folder of the checkout -> folder of the wheel.
MAPPED = {
    "bokeh_server": "bokeh_server",
    "blueprint": "bokeh_server/blueprint",
    "migrations": "bokeh_server/migrations",
    "storage": "bokeh_server/storage",
}
#: kinds of files that are for people who read the checkout.
NOT_PACKAGED = {"README.md"}


def tracked() -> list[Path]:
    """The files under version control, or simply all where there is no git."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    names = [name for name in listed.stdout.split("\0") if name]
    paths = [Path(name) for name in names] or [
        path.relative_to(ROOT) for path in ROOT.rglob("*") if "__pycache__" not in path.parts
    ]
    return [path for path in paths if (ROOT / path).is_file() and not (ROOT / path).is_symlink()]


def expected() -> set[str]:
    """The files that the wheel has to have."""
    found = set()
    for path in tracked():
        top = path.parts[0]
        if top in MAPPED and path.name not in NOT_PACKAGED:
            found.add("/".join((MAPPED[top], *path.parts[1:])))
    return found


def main(wheel: str, sdist: str) -> int:
    """Print the differences."""
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if ".dist-info/" not in name}
    with tarfile.open(sdist) as source:
        names = {name.partition("/")[2] for name in source.getnames()}
    problems = [f"not in the wheel: {name}" for name in sorted(expected() - packed)]
    problems += [f"only in the wheel: {name}" for name in sorted(packed - expected())]
    problems += [
        f"not in the sdist: {path}"
        for path in tracked()
        if path.as_posix() not in names and path.name not in {".gitignore", ".gitattributes"}
    ]
    print("\n".join(problems) or f"{len(packed)} files in the wheel, as in the checkout.")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
