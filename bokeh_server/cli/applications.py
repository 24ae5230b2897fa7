"""``bokeh-server app.py folder/``: serve applications, as ``bokeh serve`` does."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from bokeh_server.cli.foreign_options import translated
from bokeh_server.cli.options import CONTEXT, server_options, settings_of

__all__ = ["ServingGroup", "split_arguments"]

#: the command that is meant when a word names none.
_SERVE = "serve-applications"
_GLOB = "--glob"


def split_arguments(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """The words for the server, and those after ``--args``, which are for applications."""
    found = list(words)
    if "--args" not in found:
        return found, []
    place = found.index("--args")
    return found[:place], found[place + 1 :]


class ServingGroup(click.Group):
    """A group of commands in which a word that is none is a file with an application."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Take what is for applications out of the words."""
        own, argv = split_arguments(args)
        own = translated(own)
        ctx.meta["argv"] = argv
        # It is an option of what serves, and may stand before the first application, too.
        ctx.meta["glob"] = _GLOB in own
        own = [word for word in own if word != _GLOB]
        return super().parse_args(ctx, own)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; a file of its name has to be written as ``./name``."""
        if self.get_command(ctx, args[0]) is None:
            return _SERVE, serve_applications, args
        return super().resolve_command(ctx, args)


@click.command(_SERVE, context_settings=CONTEXT, hidden=True)
@click.argument("paths", nargs=-1, required=True)
@server_options
@click.option(_GLOB, is_flag=True, expose_value=False, help="Take the names of files for patterns.")
@click.pass_context
def serve_applications(context: click.Context, /, paths: tuple[str, ...], **options: Any) -> None:
    """Serve the applications of scripts, notebooks and folders."""
    from bokeh_server.apps import applications_of, expand
    from bokeh_server.server import serve

    settings, argv = settings_of(context, options), context.meta.get("argv", [])
    found = expand(paths) if context.meta.get("glob") else paths
    applications = applications_of(found, argv)
    serve(settings, applications, dict(zip(applications, map(Path, found), strict=True)), argv)
