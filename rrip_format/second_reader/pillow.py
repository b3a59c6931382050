"""Pictures by Pillow, and the tiles of TIFF that are pictures."""

from __future__ import annotations

import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from .base import Image, SecondReader, UnableError, load_second, over_background
from .picture_tile import decode_tile
from .tags import TiffTags, largest_pages
from .tiles import TiledReader
from .tops import TopReader

__all__ = ["open_picture", "open_tiff", "orientation_of"]

_MODES = {"1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK"}
_ORIENTATION = 274
_PICTURES = {7, 34712, 34927, 50001}
"""Compressions JPEG, JPEG 2000 and WebP."""

_MIN_IS_WHITE, _RGB = 0, 2
_PHOTOMETRICS = {0, 1, 2, 6}
_YCBCR, _JPEG_2000 = 6, 34712


class _Tiles(TiledReader):
    """Tiles or strips of one page, each a picture by itself."""

    name = "Pillow"

    def __init__(self, path: Path, tags: TiffTags, background: tuple[int, int, int]) -> None:
        (height,), (width,) = tags[257], tags[256]
        tiled = 324 in tags
        side = (tags[323][0], tags[322][0]) if tiled else (min(tags.get(278, (height,))[0], height), width)
        self._offsets, self._counts = (tags[324], tags[325]) if tiled else (tags[273], tags[279])
        self._tables, self._photometric = tags.get(347), tags[262][0]
        super().__init__(height, width, *side, orientation_of(tags.get(_ORIENTATION, (1,))[0]), self._counts)
        self._across = -(-width // side[1])
        self._background = background
        self._file = path.open("rb")

    def _read_tile(self, row: int, col: int) -> Image:
        index = row * self._across + col
        if 0 in {self._offsets[index], self._counts[index]}:
            return np.full((*self._side, 3), self._background, np.uint8)
        self._file.seek(self._offsets[index])
        tile = decode_tile(self._file.read(self._counts[index]), self._tables, is_rgb=self._photometric == _RGB)
        if self._photometric == _MIN_IS_WHITE:
            tile = 255 - tile
        return over_background(tile, self._background)

    def close(self) -> None:
        """Close the file."""
        super().close()
        self._file.close()


def orientation_of(value: object) -> int:
    """Return an orientation, 1 for what is none."""
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def open_tiff(path: Path, size: tuple[int, int] | None, background: tuple[int, int, int]) -> list[SecondReader]:
    """Open the largest pages of a TIFF, or those of a size; `UnableError` if tiles are no JPEG, JPEG 2000 or WebP."""
    pages = [tags for _, tags in largest_pages(path, size)]
    for tags in pages:
        plain = tags.get(284, (1,))[0] == 1 and tags.get(277, (1,))[0] in {1, 3} and 338 not in tags
        plain = plain and (tags.get(259), tags.get(262)) != ((_JPEG_2000,), (_YCBCR,))
        if tags.get(259, (1,))[0] not in _PICTURES or tags.get(262, (-1,))[0] not in _PHOTOMETRICS or not plain:
            raise UnableError("its tiles are no pictures that Pillow decodes")
    return [_Tiles(path, tags, background) for tags in pages]


class _Picture(TopReader):
    """The first picture of a file."""

    name = "Pillow"

    def __init__(self, path: Path, background: tuple[int, int, int]) -> None:
        self._path, self._background = path, background
        self._pillow = load_second("PIL.Image")
        with self._open() as picture:
            if picture.mode not in _MODES:
                raise UnableError(f"Pillow gives samples of kind {picture.mode}")
            self.has_colour = picture.mode != "CMYK"
            width, height = picture.size
            orientation = _exif_orientation(path, picture)
        super().__init__(height, width, orientation, self._decode)

    def _open(self) -> Any:
        try:
            with warnings.catch_warnings():
                # only the first rows are decoded of a picture that Pillow thinks large
                warnings.simplefilter("ignore", self._pillow.DecompressionBombWarning)
                return self._pillow.open(self._path)
        except Exception as error:
            raise UnableError(f"Pillow does not open it ({error})") from error

    def _decode(self, rows: int) -> Image:
        """Decode the beginning of the file, somewhat more of it than the share of the rows."""
        with self._open() as picture:  # and closed all the same where the name is given to another picture
            height = picture.size[1]
            # an interlaced PNG shows all rows from its beginning on, without their detail
            is_part = rows < height and hasattr(picture, "load_read") and not picture.info.get("interlace")
            if is_part:
                _end_early(picture, self._path.stat().st_size * rows // height)
                with suppress(OSError):  # that it ends early
                    picture.load()
                picture.tile = []
                picture = picture.crop((0, 0, picture.width, _reached(np.asarray(picture))))  # noqa: PLW2901
            if "transparency" in picture.info or picture.mode == "PA":
                picture = picture.convert("RGBA")  # noqa: PLW2901
            elif picture.mode in {"1", "P", "CMYK"}:
                picture = picture.convert("L" if picture.mode == "1" else "RGB")  # noqa: PLW2901
            samples: Image = np.asarray(picture)
        return over_background(samples[..., None] if samples.ndim == 2 else samples, self._background)


def _reached(samples: Image) -> int:
    """Return how many rows were decoded safely of a picture that ends early: rows that were not reached are 0."""
    filled = np.flatnonzero(samples.reshape(len(samples), -1).any(axis=1))
    return max(0, int(filled[-1]) - 16) if filled.size else 0


def _exif_orientation(path: Path, picture: Any) -> int:
    """Return EXIF's orientation without decoding: Pillow decodes all of a PNG to see whether EXIF comes behind."""
    if picture.format == "PNG" and "exif" not in picture.info and not _has_chunk(path, b"eXIf"):
        return 1
    return orientation_of(picture.getexif().get(_ORIENTATION))


def _has_chunk(path: Path, kind: bytes) -> bool:
    """Return whether a PNG has a chunk of that kind."""
    with path.open("rb") as file:
        file.seek(8)
        while len(head := file.read(8)) == 8:
            if head[4:] == kind:
                return True
            file.seek(int.from_bytes(head[:4], "big") + 4, 1)
    return False


def _end_early(picture: Any, size: int) -> None:
    """Let a picture's decoder believe that the file ends after so many bytes."""
    read, left = picture.load_read, size

    def read_some(count: int) -> bytes:
        nonlocal left
        data: bytes = read(count) if left > 0 else b""
        left -= len(data)
        return data

    picture.load_read = read_some


def open_picture(path: Path, background: tuple[int, int, int]) -> list[SecondReader]:
    """Open a PNG, JPEG or another picture that Pillow knows; `UnableError` where it does not."""
    return [_Picture(path, background)]
