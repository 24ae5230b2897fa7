"""Saved servers: ``~/.bokeh/config.json``, in the form it has had since 2014.

.. code-block:: json

    {"lab": {"root_url": "https://plots.example.org/", "userapikey": "…", "username": "ada"}}
"""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any

from bokeh_server.errors import ConfigurationError

__all__ = ["ConfigFile"]


class ConfigFile:
    """The file of saved servers in a directory; only its owner may read it.

    :param directory: ``~/.bokeh`` when not given.
    """

    def __init__(self, directory: str | Path | None = None) -> None:
        self.directory = Path(directory) if directory is not None else Path.home() / ".bokeh"
        self.path = self.directory / "config.json"

    def load(self) -> dict[str, dict[str, Any]]:
        """All saved servers by name; none when there is no file.

        :raises ConfigurationError: the file is not what it should be.
        """
        try:
            value = json.loads(self.path.read_text("utf-8"))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            raise self._unreadable(str(error)) from None
        if not isinstance(value, dict) or not all(
            isinstance(each, dict) for each in value.values()
        ):
            raise self._unreadable("it is not a mapping of names to servers")
        return value

    def save(self, name: str, entry: dict[str, Any]) -> None:
        """Save one server and keep the others; the file is replaced at once or not at all."""
        value = self.load()
        value[name] = {**value.get(name, {}), **entry}
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=self.directory, prefix=".config-")  # mode 0600
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(value, file, indent=2)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, self.path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise

    def _unreadable(self, why: str) -> ConfigurationError:
        return ConfigurationError(
            f"read the saved servers in {self.path}", why, "Mend the file or move it away"
        )
