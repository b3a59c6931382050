"""``rrip serve``."""

from __future__ import annotations

import socket
from pathlib import Path

import click

from ..errors import TargetError, one_line
from ..extras import needs

__all__ = ["serve"]


@click.command(short_help="Serve decoded slides over HTTP: Deep Zoom and plain Zarr.")
@click.argument("folders", metavar="DIR…", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on; 0.0.0.0 for every one.")
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="Port; 0 for a free one.")
@click.option("-q", "--quality", type=click.IntRange(1, 100), default=90, show_default=True, help="JPEG quality.")
def serve(*, folders: tuple[Path, ...], host: str, port: int, quality: int) -> None:
    """Serve the containers below each DIR to programs that cannot read the format.

    NAME.dzi is a Deep Zoom image, NAME.raw.zarr and NAME.jpeg.zarr are Zarr v3 hierarchies; / lists all. Whoever
    reaches the port can read every slide below DIR.
    """
    with needs("serve", "rrip serve"):
        import uvicorn
    from ..serving.app import make_app

    server = uvicorn.Server(uvicorn.Config(make_app(folders, quality), log_level="warning", access_log=False))
    with _listen(host, port) as listener:
        name = f"[{host}]" if ":" in host else host
        click.echo(f"http://{name}:{listener.getsockname()[1]}/ (Ctrl-C ends)")
        try:
            server.run(sockets=[listener])
        except KeyboardInterrupt:
            click.echo()


def _listen(host: str, port: int) -> socket.socket:
    """Listen on an address, before anything says that it can be asked."""
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        raise TargetError(f"port {port} of {host} cannot be used: {one_line(error)}; choose another") from error
