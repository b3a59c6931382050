"""``rrip view``."""

from __future__ import annotations

import webbrowser
from pathlib import Path

import click

from ..errors import printable
from .ending import handle_sigterm

__all__ = ["view"]


@click.command(short_help="Show slides in a browser.")
@click.argument("slides", metavar="[PATH|URL]…", nargs=-1)
@click.option("--export", "folder", type=click.Path(path_type=Path), help="Write the page into this folder instead.")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Port on 127.0.0.1; any free one by default.")
@click.option("--browser/--no-browser", default=True, help="Whether to open the browser.")
def view(*, slides: tuple[str, ...], folder: Path | None, port: int, browser: bool) -> None:
    """Show containers in a browser, until Ctrl-C.

    Each PATH or URL is a container of any kind; several are a list to choose from. With --export the page is written
    for any static host: DIR/index.html?slide=ADDRESS shows a slide, and PATHs, relative to the page, and URLs become
    its list.
    """
    if folder is not None:
        from ..serving.page import export_page

        count = export_page(folder, slides)
        text = f"{folder}: {count} files, no slides; put these there, serve all, open index.html?slide=ADDRESS"
        click.echo(printable(text))
        return
    if not slides:
        raise click.UsageError("Name a container, or --export DIR.")
    from ..serving.view import ViewServer

    with ViewServer(slides, port) as server:
        click.echo(f"{server.url} (Ctrl-C ends)")
        if browser:
            webbrowser.open(server.url)
        with handle_sigterm():
            try:
                server.serve_forever(poll_interval=0.2)
            except KeyboardInterrupt:
                click.echo()
