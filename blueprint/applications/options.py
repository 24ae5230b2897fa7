"""How applications are served, as the settings say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from bokeh_server.apps import (
    NO_SERVICES,
    AppHost,
    Backend,
    Filters,
    HostOptions,
    Lifetimes,
    Services,
    Tokens,
)
from bokeh_server.apps.workers import WorkerBackend
from bokeh_server.errors import ConfigurationError

if TYPE_CHECKING:
    from bokeh.application.application import Application

    from bokeh_server.config import Settings
    from bokeh_server.sockets import Limits

__all__ = ["OWN_COOKIES", "host_options", "make_backend"]

_MS = 0.001
#: how the names of our cookies begin, which applications never see: who has one is logged in.
OWN_COOKIES = ("bokeh-server-", "__Host-bokeh-server-")


def host_options(
    settings: Settings,
    secret: bytes,
    logout_url: str | None = None,
    former: Sequence[bytes] = (),
) -> HostOptions:
    """The options of the settings.

    :param logout_url: where people log out, where that is not ours.
    :param former: what signed ids and tokens formerly, and is good still.
    :raises ConfigurationError: two of them cannot be together.
    """
    return HostOptions(
        tokens=Tokens(
            secret,
            former=former,
            signed=settings.session_ids in ("signed", "external-signed"),
            generates=not settings.session_ids.startswith("external"),
            lifetime=settings.session_token_expiration,
        ),
        filters=_filters(settings),
        lifetimes=Lifetimes(
            settings.unused_session_lifetime * _MS, max(0.05, settings.check_unused_sessions * _MS)
        ),
        warm=settings.warm,
        patience=settings.app_patience,
        logout_url=f"{settings.url_prefix}/bokeh/logout" if settings.multi_user else logout_url,
    )


def make_backend(
    settings: Settings,
    secret: bytes,
    applications: Mapping[str, Application],
    limits: Limits,
    logout_url: str | None = None,
    *,
    former: Sequence[bytes] = (),
    services: Services = NO_SERVICES,
) -> Backend:
    """Where applications run, as the settings say.

    :param limits: of WebSockets, which may be in worker processes.
    :param logout_url: where people log out, where that is not ours.
    :param former: what signed ids and tokens formerly, and is good still.
    :param services: what applications have of this process.
    :raises ConfigurationError: worker processes are wanted, and one of the applications is no file.
    """
    options = host_options(settings, secret, logout_url, former)
    if not settings.app_workers:
        return AppHost(applications, options, services)
    return WorkerBackend(
        applications,
        options,
        count=settings.app_workers,
        limits=limits,
        services=services,
    )


def _filters(settings: Settings) -> Filters:
    for what in ("headers", "cookies"):
        if getattr(settings, f"include_{what}") and getattr(settings, f"exclude_{what}"):
            why = f"both include_{what} and exclude_{what} are given"
            raise ConfigurationError(f"choose the {what} for applications", why, "Give one of them")
    return Filters(
        include_headers=_only(settings.include_headers),
        exclude_headers=frozenset(
            (*settings.exclude_headers, "Authorization", "Proxy-Authorization")
        ),
        include_cookies=_only(settings.include_cookies),
        exclude_cookies=frozenset(settings.exclude_cookies),
        own_cookies=frozenset(OWN_COOKIES),
    )


def _only(names: tuple[str, ...]) -> frozenset[str] | None:
    return frozenset(names) or None
