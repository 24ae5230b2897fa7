"""What a worker is told when it starts."""

from __future__ import annotations

import dataclasses
import logging
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bokeh.application.application import Application

from bokeh_server.apps.loading import FileApplication, application_of
from bokeh_server.apps.options import HostOptions, Lifetimes
from bokeh_server.apps.requests import Filters
from bokeh_server.apps.tokens import Tokens
from bokeh_server.errors import ConfigurationError
from bokeh_server.sockets.limits import Limits

__all__ = ["Orders", "demand_source"]


@dataclass(frozen=True, slots=True)
class Orders:
    """What a worker is to serve, and how.

    :param applications: their addresses, each with its file and what it finds in ``sys.argv[1:]``.
    :param limits: of its WebSockets.
    """

    applications: Mapping[str, tuple[str, list[str]]]
    options: HostOptions
    limits: Limits

    @classmethod
    def of(
        cls, applications: Mapping[str, Application], options: HostOptions, limits: Limits
    ) -> Orders:
        """The orders for applications.

        :raises ConfigurationError: one of them is no file.
        """
        sources = {path: demand_source(path, each) for path, each in applications.items()}
        return cls(sources, options, limits)

    def pack(self) -> dict[str, Any]:
        """As JSON."""
        options = self.options
        return {
            "applications": dict(self.applications),
            "tokens": options.tokens.pack(),
            "filters": {name: _listed(each) for name, each in _values(options.filters)},
            "lifetimes": dataclasses.asdict(options.lifetimes),
            "logout_url": options.logout_url,
            "warm": options.warm,
            "patience": options.patience,
            "limits": dataclasses.asdict(self.limits),
            "log_level": logging.getLogger("bokeh_server").getEffectiveLevel(),
            "sys_path": sys.path,
        }

    @classmethod
    def unpack(cls, content: dict[str, Any]) -> Orders:
        """The orders again."""
        filters: dict[str, Any] = {
            name: None if each is None else frozenset(each)
            for name, each in content["filters"].items()
        }
        options = HostOptions(
            tokens=Tokens.unpack(content["tokens"]),
            filters=Filters(**filters),
            lifetimes=Lifetimes(**content["lifetimes"]),
            logout_url=content["logout_url"],
            warm=content["warm"],
            patience=content["patience"],
        )
        return cls(content["applications"], options, Limits(**content["limits"]))

    def load(self) -> dict[str, Application]:
        """The applications.

        :raises ConfigurationError: one cannot be loaded.
        """
        return {path: application_of(*source) for path, source in self.applications.items()}


def demand_source(path: str, application: Application) -> tuple[str, list[str]]:
    """The file of an application, and its arguments.

    :param path: its address.
    :raises ConfigurationError: it has none.
    """
    if isinstance(application, FileApplication):
        return str(application.source), list(application.argv)
    raise ConfigurationError(
        f"run the application {path} in a worker process",
        "it is a function, or made by one, and workers load files",
        "Put it in a script or folder, or leave app_workers out",
    )


def _values(value: Any) -> list[tuple[str, Any]]:
    return [(each.name, getattr(value, each.name)) for each in dataclasses.fields(value)]


def _listed(names: frozenset[str] | None) -> list[str] | None:
    return None if names is None else sorted(names)
