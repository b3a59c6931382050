"""The page that shows slides in a browser: its files, and a copy of them for any static host."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from ..errors import RripError, TargetError, one_line
from ..storage.access import is_url

__all__ = ["PAGE_TYPES", "export_page", "page_files", "slide_name"]

PAGE_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".wasm": "application/wasm",
}
"""Media types by the ending of a file's name."""

_WEB = Path(__file__).resolve().parents[1] / "web"
_FOLDERS = ("page", "src", "vendor")


def page_files() -> dict[str, Path]:
    """Find every file of the page; by its path below the address of the page."""
    paths = [_WEB / "index.html", _WEB / "rrip.wasm", *(path for name in _FOLDERS for path in (_WEB / name).iterdir())]
    return {path.relative_to(_WEB).as_posix(): path for path in sorted(paths) if path.suffix in PAGE_TYPES}


def slide_name(path: str) -> str:
    """Name a slide for a list: by the last part of its path or URL, where what is no Unicode is replaced."""
    path = os.fsencode(path).decode("utf-8", "replace")
    return path.partition("?")[0].rstrip("/\\").replace("\\", "/").rpartition("/")[2] or path


def _address(slide: str, folder: Path) -> str:
    """Return what leads a browser to a slide: the quoted path of a file that is there, anything else as it is."""
    if is_url(slide) or not ((folder / slide).exists() or Path(slide).exists()):
        return slide
    return quote(slide.replace(os.sep, "/"), errors="surrogateescape")


def export_page(folder: Path, slides: Sequence[str] = ()) -> int:
    """Write the page into a folder, for any static host: ``index.html?slide=ADDRESS`` shows a slide.

    Parameters
    ----------
    folder : Path
        Made if it is not there. Files of an earlier page are replaced, others are left alone.
    slides : sequence of str
        Addresses that the page lists, relative to it or of another server; the slides themselves are not copied.

    Returns
    -------
    int
        How many files were written.

    Raises
    ------
    TargetError
        If the folder cannot be written.
    RripError
        If a slide is a path of this machine, which no browser elsewhere finds.
    """
    for slide in slides:
        if Path(slide).is_absolute() or (is_url(slide) and not slide.startswith(("http://", "https://"))):
            raise RripError(f"{slide}: is no address for browsers, expected a URL or a path relative to {folder}")
    files = page_files()
    try:
        for name, path in files.items():
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
        listed = [{"name": slide_name(slide), "url": _address(slide, folder)} for slide in slides]
        (folder / "slides.json").write_text(json.dumps(listed, ensure_ascii=False, indent=2), "utf-8")
    except OSError as error:
        raise TargetError(f"{folder}: the page cannot be written: {one_line(error)}") from error
    return len(files) + 1
