"""Download public test slides of OpenSlide by name, so that anyone can repeat measurements on whole slides.

::

    python tools/benchmarks/download_slides.py --list
    python tools/benchmarks/download_slides.py Aperio/CMU-1.svs DICOM/3DHISTECH-1.zip Mirax/CMU-1.zip --to slides

Names, sizes and SHA-256 come from ``index.json``, which the server keeps beside the slides. Where OpenSlide's own test
suite pins a checksum (``test/cases/slides.yaml`` of openslide/openslide), both must agree. A broken download continues
where it stopped; archives are unpacked into a folder of their name, and nothing in them may leave it.

Needs ``pip install 'rrip-format[evaluate]'``.
"""

from __future__ import annotations

import json
import os
import shutil
import stat
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

import click
import pooch
import requests

SERVER = "https://openslide.cs.cmu.edu/download/openslide-testdata/"

PINNED = {
    "Aperio/CMU-1.svs": "00a3d54482cd707abf254fe69dccc8d06b8ff757a1663f1290c23418c480eb30",
    "Aperio/CMU-1-JP2K-33005.svs": "9a1923cd9bcb260ba4d99d64f8d6e32550648c332ba48817f920662f3a513420",
    "Aperio/CMU-1-Small-Region.svs": "ed92d5a9f2e86df67640d6f92ce3e231419ce127131697fbbce42ad5e002c8a7",
    "Aperio/JP2K-33003-1.svs": "6205ccf75a8fa6c32df7c5c04b7377398971a490fb6b320d50d91f7ba6a0e6fd",
    "Generic-TIFF/CMU-1.tiff": "73a7e89bc15576587c3d68e55d9bf92f09690280166240b48ff4b48230b13bcd",
    "Hamamatsu/CMU-1.ndpi": "edf4a1ccf395c7000ae93ad3b44c07d97043810e00be0c1d167dd09bbe436e46",
    "Hamamatsu/CMU-3.ndpi": "1e82b44ae91f74c200f17cd14ac3b1e79c31f5a66c54a10d1e0915b5dcd5dee0",
    "Hamamatsu/OS-2.ndpi": "10e6d02204bb8466a24f00079f126a5a89aa82cc1f957d2020dbfc7434a9d8b9",
    "Hamamatsu-vms/CMU-1.zip": "bc63f85e3de63711fd649e70ab605ef1bf81bc2e2ca2ae82e295dfaa19fddfcd",
    "Leica/Leica-1.scn": "63a3c00fef5215497a9725cf19092a93f7f5ff855ce8561af74b087631831a97",
    "Mirax/CMU-1.zip": "d9fb29b7d52318a2e61ae9f259449330cab2118026874ea33ff64fe677db3daf",
    "Mirax/Mirax2.2-2.zip": "da749e068a6d3ed3c31db0bc4c0d8bbbe2fc243185b08c11ea09220be808013f",
    "Trestle/CMU-1.zip": "d52070d474de8cdaf3a6e2934dff077b0aee6e957c7883b101388770b6910b39",
    "Ventana/OS-2.bif": "8c0bcfe258574e1ec5640d280f9c5b664b76840f52b9cdcd321ec690c113dbd2",
}
"""SHA-256 that OpenSlide's test suite expects."""

_CHUNK = 1 << 20
_TIMEOUT = (30, 120)
"""Seconds to connect, and between two pieces."""


class DownloadError(Exception):
    """A slide could not be downloaded; the message says why and what to do."""


class ResumingDownloader:
    """A downloader for pooch that continues an interrupted download.

    Parameters
    ----------
    part : path
        Where an unfinished download waits.
    quiet : bool
        No progress bar.
    """

    def __init__(self, part: Path, *, quiet: bool = False) -> None:
        self._part = part
        self._quiet = quiet

    def __call__(self, url: str, output_file: str, pooch_: object, check_only: bool = False) -> bool | None:
        """Download `url` to `output_file`; called by pooch."""
        del pooch_
        if check_only:
            return bool(requests.head(url, timeout=_TIMEOUT, allow_redirects=True).ok)
        try:
            self._download(url)
        except (requests.RequestException, OSError) as error:
            done = self._part.stat().st_size if self._part.exists() else 0
            raise DownloadError(f"{url}: stopped after {done:,} bytes ({error}); run again to continue") from error
        shutil.move(self._part, output_file)
        return None

    def _download(self, url: str) -> None:
        have = self._part.stat().st_size if self._part.exists() else 0
        wanted = {"Range": f"bytes={have}-"} if have else {}
        # "identity": bytes of a range count what is stored, not a compressed form of it
        headers = {"Accept-Encoding": "identity", **wanted}
        with requests.get(url, headers=headers, stream=True, timeout=_TIMEOUT) as answer:
            if answer.status_code == requests.codes.requested_range_not_satisfiable and _total(answer) == have:
                return
            if answer.status_code == requests.codes.requested_range_not_satisfiable:
                self._part.unlink()  # what is kept is no beginning of what the server has
                self._download(url)
                return
            answer.raise_for_status()
            if answer.status_code != requests.codes.partial_content:
                have = 0
            total = have + int(answer.headers.get("Content-Length", 0))
            with self._part.open("ab" if have else "wb") as file, self._bar(url, have, total) as bar:
                for piece in answer.iter_content(_CHUNK):
                    have += file.write(piece)
                    bar.update(len(piece))
        if have < total:
            raise OSError(f"the connection closed before all of {total:,} bytes")

    @contextmanager
    def _bar(self, url: str, have: int, total: int) -> Iterator[Any]:
        name = PurePosixPath(url).name
        hidden = self._quiet or not sys.stderr.isatty()
        with click.progressbar(length=total, label=name, file=sys.stderr, hidden=hidden) as bar:
            bar.update(have)
            yield bar


def _total(answer: requests.Response) -> int:
    """Return the size of the whole file from the response to a refused range, -1 if it is not stated."""
    size = answer.headers.get("Content-Range", "").rpartition("/")[2]
    return int(size) if size.isdigit() else -1


def fetch_index(server: str) -> dict[str, dict[str, Any]]:
    """Fetch the names of all slides with ``sha256``, ``size``, ``description`` and ``license``."""
    try:
        answer = requests.get(server + "index.json", timeout=_TIMEOUT)
        answer.raise_for_status()
        index: dict[str, dict[str, Any]] = answer.json()
    except (requests.RequestException, json.JSONDecodeError) as error:
        raise DownloadError(f"{server}index.json: {error}; without it there are only the pinned checksums") from error
    return index


def checksum(name: str, index: dict[str, dict[str, Any]], pinned: dict[str, str]) -> str:
    """Return the SHA-256 that a slide must have."""
    published = index.get(name, {}).get("sha256")
    known = pinned.get(name)
    if published and known and published.lower() != known:
        raise DownloadError(f"{name}: the server publishes SHA-256 {published}, OpenSlide's tests pin {known}")
    found = known or published
    if not found:
        close = [other for other in sorted({*index, *pinned}) if PurePosixPath(other).name == PurePosixPath(name).name]
        raise DownloadError(
            f"{name}: not in the index; " + (f"do you mean {', '.join(close)}?" if close else "see --list")
        )
    return str(found).lower()


def unpack(archive: Path, folder: Path) -> None:
    """Unpack a zip archive into `folder`, which appears when it is complete.

    Raises
    ------
    DownloadError
        If a member would land outside the folder, or is no plain file or folder.
    """
    unfinished = folder.with_name(folder.name + ".part")
    shutil.rmtree(unfinished, ignore_errors=True)
    try:
        with zipfile.ZipFile(archive) as source:
            for member in source.infolist():
                _check_member(member, archive)
            source.extractall(unfinished)
    except zipfile.BadZipFile as error:
        raise DownloadError(f"{archive}: {error}; remove it and run again") from error
    shutil.rmtree(folder, ignore_errors=True)
    unfinished.rename(folder)


def _check_member(member: zipfile.ZipInfo, archive: Path) -> None:
    path = PurePosixPath(member.filename.replace("\\", "/"))
    kind = stat.S_IFMT(member.external_attr >> 16)
    if (
        path.is_absolute()
        or ".." in path.parts
        or ":" in member.filename
        or kind not in (0, stat.S_IFREG, stat.S_IFDIR)
    ):
        raise DownloadError(f"{archive}: refuses to unpack its member {member.filename!r}, which leaves the folder")


def download(
    name: str, target: Path, *, server: str = SERVER, pinned: dict[str, str] | None = None, quiet: bool = False
) -> Path:
    """Download one slide, check it, unpack it.

    Parameters
    ----------
    name : str
        As in the index, such as ``Aperio/CMU-1.svs``.
    target : path
        Folder; the slide lands below it under its name.
    server : str
        Base URL, ending in a slash.
    pinned : dict, optional
        SHA-256 by name, besides those of the server.
    quiet : bool
        No progress bar.

    Returns
    -------
    path
        The slide, or the folder that an archive was unpacked to.
    """
    pinned = PINNED if pinned is None else pinned
    try:
        index = fetch_index(server)
    except DownloadError:
        if name not in pinned:
            raise
        index = {}
    known = checksum(name, index, pinned)
    path = target / name
    path.parent.mkdir(parents=True, exist_ok=True)
    downloader = ResumingDownloader(path.with_name(path.name + ".part"), quiet=quiet)
    try:
        pooch.retrieve(server + name, f"sha256:{known}", path.name, path.parent, downloader=downloader)
    except ValueError as error:  # what pooch raises for a wrong checksum
        raise DownloadError(f"{name}: its SHA-256 is not {known}; it was thrown away, run again") from error
    if path.suffix != ".zip":
        return path
    folder = path.with_suffix("")
    if not folder.is_dir():
        unpack(path, folder)
    return folder


@click.command()
@click.argument("names", nargs=-1)
@click.option("--to", type=click.Path(file_okay=False), default="slides", show_default=True, help="Folder.")
@click.option("--list", "listing", is_flag=True, help="Show every slide that there is.")
@click.option("--server", default=SERVER, show_default=True, help="Base URL.")
def main(names: tuple[str, ...], to: str, *, listing: bool, server: str) -> None:
    """Download the slides NAMES, such as Aperio/CMU-1.svs."""
    pooch.get_logger().setLevel("ERROR")
    server = server if server.endswith("/") else server + "/"
    try:
        if listing:
            for name, slide in sorted(fetch_index(server).items()):
                click.echo(f"{name}\t{slide.get('size', 0) / 1e6:.0f} MB\t{slide.get('description', '')}")
        for name in names:
            click.echo(os.fspath(download(name, Path(to), server=server)))
    except DownloadError as error:
        raise SystemExit(f"download_slides: {error}") from error
    if not names and not listing:
        raise SystemExit("download_slides: name at least one slide, or --list")


if __name__ == "__main__":
    main()
