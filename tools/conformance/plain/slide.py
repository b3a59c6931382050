"""Section 5.7: tiles and regions of a container of either binding."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from plain import jpeg, pixels
from plain.errors import ChecksumError, DamagedError, FormatError, MissingTileError
from plain.metadata import Metadata
from plain.tile import crc32c, split

ATTACHMENTS = ("icc_profile", "label", "macro", "thumbnail")

Image = npt.NDArray[np.uint8]


class Container(Protocol):
    """Interface of the bindings: the metadata, and bytes of tiles and attachments."""

    kind: str
    metadata: Metadata

    def tile(self, level: int, row: int, col: int) -> bytes | None:
        """Return the bytes of a stored tile, None if it is absent."""

    def attachment(self, name: str) -> bytes | None:
        """Return the ICC profile or an associated image with its checksum, None if it is absent."""


def open_container(path: Path) -> Container:
    """Open a container by its content, not by its name (section 9.1)."""
    from plain.tiff_binding import TiffContainer
    from plain.zarr_binding import FolderStore, ZarrContainer, ZipStore

    if path.is_dir():
        return ZarrContainer(FolderStore(path))
    with path.open("rb") as file:
        start = file.read(4)
    if start[:2] == b"PK":
        return ZarrContainer(ZipStore(path))
    if start in {b"II+\0", b"II*\0", b"MM\0+", b"MM\0*"}:  # any TIFF, so that it is refused as one
        return TiffContainer(path)
    raise FormatError("container.kind", "neither a folder, nor a zip archive, nor a TIFF")


class Slide:
    """Pixels of a container.

    Parameters
    ----------
    container : Container
        Where the tiles are.
    decoder : {"own", "pillow"}
        Which JPEG decoder.
    """

    def __init__(self, container: Container, decoder: str = "own") -> None:
        self.container = container
        self.coding = container.metadata.coding
        self.decoder = decoder
        self._planes = lru_cache(maxsize=8)(self._decode_planes)  # so that a family's coarser levels are decoded once

    def tile(self, level: int, row: int, col: int) -> Image:
        """Decode one tile to RGB ``(3, side, side)``, padding included (``decode`` of section 5.7)."""
        if self.coding.is_empty(level, row, col):
            side = self.coding.side(level)
            return np.broadcast_to(np.array(self.coding.background, np.uint8)[:, None, None], (3, side, side)).copy()
        return pixels.to_rgb(self.planes(level, row, col))

    def planes(self, level: int, row: int, col: int) -> pixels.Planes:
        """Decode Y, Cb, Cr of a tile that is not empty, ``(3, side, side)``."""
        return self._planes(level, row, col)

    def streams(self, level: int, row: int, col: int) -> list[bytes]:
        """Check the trailer of a stored tile (section 6.2) and return its JPEG streams."""
        stored = self.container.tile(level, row, col)
        if stored is None:
            raise MissingTileError("tile.missing", f"tile {level}/{row}/{col} is absent, and not of an empty family")
        count = 1 if level >= 2 else self.coding.residuals[level].planes
        return split(stored, level, row, col, self.coding.uuid, count, self.coding.side(level))

    def _decode_planes(self, level: int, row: int, col: int) -> pixels.Planes:
        side = self.coding.side(level)
        if level >= 2:
            [stream] = self.streams(level, row, col)
            if not stream:
                raise DamagedError("stream.empty", f"tile {level}/{row}/{col} has a stream of length 0")
            return jpeg.decode(stream, side, 3, decoder=self.decoder).astype(np.int64)
        coarser = self._planes(level + 1, row, col)
        residual = np.full((3, side, side), 128, np.int64)  # a plane that is not stored changes nothing
        for plane, stream in enumerate(self.streams(level, row, col)):
            if stream:
                residual[plane] = jpeg.decode(stream, side, 1, decoder=self.decoder)[0]
        how = self.coding.residuals[level]
        planes = pixels.add_residual(coarser, residual, how.taps, how.chroma_taps, how.cfl)
        if how.luma_filter is not None:
            planes[0] = pixels.filter_luma(planes[0], how.luma_filter)
        return planes

    def inside(self, level: int, row: int, col: int) -> tuple[int, int]:
        """Return rows and columns of a tile that lie inside the level, px; the rest is padding (section 4.3)."""
        side = self.coding.side(level)
        height, width = self.coding.size(level)
        return min(side, height - row * side), min(side, width - col * side)

    def region(self, level: int, top: int, left: int, height: int, width: int) -> Image:
        """Decode a rectangle of a level to RGB ``(3, height, width)``."""
        side = self.coding.side(level)
        result = np.empty((3, height, width), np.uint8)
        for row in range(top // side, -(-(top + height) // side)):
            for col in range(left // side, -(-(left + width) // side)):
                y, x = max(top, row * side), max(left, col * side)
                bottom, right = min(top + height, (row + 1) * side), min(left + width, (col + 1) * side)
                tile = self.tile(level, row, col)[:, y - row * side : bottom - row * side]
                result[:, y - top : bottom - top, x - left : right - left] = tile[
                    :, :, x - col * side : right - col * side
                ]
        return result

    @property
    def attachments(self) -> list[str]:
        """Names of the listed attachments that this version knows (section 8.7)."""
        return [name for name in self.container.metadata.attachments if name in ATTACHMENTS]

    def attachment(self, name: str) -> bytes:
        """Return a listed ICC profile or associated image after both checks of section 8.7."""
        expected = self.container.metadata.attachments[name]
        stored = self.container.attachment(name)
        if stored is None:
            raise ChecksumError("attachment.missing", f"the attachment {name} is absent")
        content, checksum = stored[:-4], stored[-4:]
        if len(stored) < 4 or crc32c(content) != int.from_bytes(checksum, "little"):
            raise ChecksumError("attachment.checksum", f"{name} does not match the checksum behind it")
        if f"{crc32c(content):08x}" != expected:
            raise ChecksumError("attachment.checksum", f"{name} has not the checksum {expected} of the metadata")
        return content
