"""``rrip serve``: decoded slides over HTTP, for programs that cannot read the format.

::

    /                                  JSON: every container and its addresses
    /NAME.dzi, /NAME_files/…           Deep Zoom with JPEG tiles
    /NAME.raw.zarr/zarr.json …         plain Zarr v3, OME-Zarr 0.5: raw chunks
    /NAME.jpeg.zarr/zarr.json …        the same with chunks in JPEG

It only reads. A tile that is damaged or missing is status 500 with one line that names the rule, never another picture
and never "not found", which viewers and Zarr fill.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote

from ..concurrency.pool import usable_cores
from ..errors import RripError
from ..extras import needs
from ..slides.slide import Slide
from ..zarr_views.fsspec_raw import RawHierarchy
from . import deepzoom
from .folders import Folders
from .jpeg_zarr import JpegHierarchy

with needs("serve", "rrip serve"):
    from starlette.applications import Starlette
    from starlette.middleware import Middleware
    from starlette.middleware.cors import CORSMiddleware
    from starlette.requests import Request
    from starlette.responses import JSONResponse, PlainTextResponse, Response
    from starlette.routing import Route
    from starlette.types import ASGIApp, Receive, Scope, Send

__all__ = ["make_app"]

T = TypeVar("T")

_HEADERS = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-cache"}

_MOST_AT_ONCE = 64
"""Answers that are made or sent at the same time, each of at most a decoded tile; further requests wait."""

_MOST_SECONDS = 120
"""Of one answer, so that no client that does not read keeps others waiting."""


class _Server:
    """Answers requests; pixels are made in as many threads as there are cores."""

    def __init__(self, folders: Sequence[Path], quality: int) -> None:
        self._folders = Folders(folders)
        self._quality = quality
        self._threads = ThreadPoolExecutor(usable_cores(), "rrip-serve")

    async def _run(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    async def listing(self, _: Request) -> Response:
        """List every container, with its addresses."""
        endings = {"deepzoom": ".dzi", "zarr": ".raw.zarr", "jpeg": ".jpeg.zarr"}
        names = await self._run(lambda: list(self._folders.names()))
        listed = [{"name": name} | {kind: quote(f"{name}{end}") for kind, end in endings.items()} for name in names]
        return JSONResponse(listed, headers=_HEADERS)

    async def part(self, request: Request) -> Response:
        """Answer with a document, a tile or a chunk."""
        path = request.path_params["path"]
        try:
            found = await self._run(lambda: self._find(path))
        except RripError as error:
            text = self._folders.without_roots(f"{error} [{error.rule}]\n")
            return PlainTextResponse(text, HTTPStatus.INTERNAL_SERVER_ERROR, _HEADERS)
        if found is None:
            return PlainTextResponse("not found\n", HTTPStatus.NOT_FOUND, _HEADERS)
        data, kind = found
        return Response(data, headers=_HEADERS, media_type=kind)

    def _find(self, path: str) -> tuple[bytes, str] | None:
        """Make what a path names; its content and media type are returned."""
        if path.endswith(".dzi"):
            found = self._folders.open(path.removesuffix(".dzi"))
            return None if found is None else (deepzoom.describe(found), "application/xml")
        for middle, read in (("_files/", self._tile), (".raw.zarr/", self._raw), (".jpeg.zarr/", self._jpeg)):
            name, is_there, rest = path.partition(middle)
            if is_there and (slide := self._folders.open(name)):
                return read(slide, rest)
        return None

    def _tile(self, slide: Slide, rest: str) -> tuple[bytes, str] | None:
        place = deepzoom.parse_tile(rest)
        data = place and deepzoom.make_tile(slide, *place, self._quality)
        return None if data is None else (data, "image/jpeg")

    def _raw(self, slide: Slide, key: str) -> tuple[bytes, str] | None:
        return _typed(key, RawHierarchy(slide.container).read(key))

    def _jpeg(self, slide: Slide, key: str) -> tuple[bytes, str] | None:
        return _typed(key, JpegHierarchy(slide.container, self._quality).read(key))


def _typed(key: str, data: bytes | None) -> tuple[bytes, str] | None:
    kind = "application/json" if key.endswith("zarr.json") else "application/octet-stream"
    return None if data is None else (data, kind)


class _Bounded:
    """Middleware that lets few requests at the same time through, each until its answer is sent."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._slots = asyncio.Semaphore(_MOST_AT_ONCE)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        async with self._slots:
            await asyncio.wait_for(self._app(scope, receive, send), _MOST_SECONDS)


def make_app(folders: Sequence[Path], quality: int = 90) -> Starlette:
    """Make an ASGI application that serves the containers below some folders.

    Parameters
    ----------
    folders : sequence of Path
    quality : int, optional
        Of JPEG, 1 … 100.

    Raises
    ------
    NotFoundError
        If one is no folder.
    ExtraMissingError
        If the packages of the extra ``serve`` are not installed.
    """
    server = _Server(folders, quality)
    routes = [Route("/", server.listing), Route("/{path:path}", server.part)]
    cors = Middleware(CORSMiddleware, allow_origins=["*"], allow_methods=["GET"], allow_headers=["Range"])
    return Starlette(routes=routes, middleware=[Middleware(_Bounded), cors])
