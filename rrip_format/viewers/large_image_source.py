"""The tile source ``rrip`` of large_image: full resolution for Girder, HistomicsUI and whatever is built on it."""

from __future__ import annotations

import math
import os
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import NotFoundError, RripError
from ..extras import needs
from ..slides.slide import open_slide

with needs("large-image", "the tile source rrip"):
    from large_image.cache_util import LruCacheMetaclass, methodcache
    from large_image.constants import TILE_FORMAT_NUMPY, SourcePriority
    from large_image.exceptions import TileSourceError, TileSourceFileNotFoundError
    from large_image.tilesource import FileTileSource

__all__ = ["RripTileSource"]


class RripTileSource(FileTileSource, metaclass=LruCacheMetaclass):  # type: ignore[misc, metaclass]  # not installed
    """Tiles of a container of any kind.

    Parameters
    ----------
    path : path or URL
    **options
        Those of every tile source.

    Raises
    ------
    TileSourceError
        If it is no container, or a damaged one.
    """

    cacheName = "tilesource"  # noqa: N815  (large_image's names)
    name = "rrip"
    extensions = {  # noqa: RUF012
        None: SourcePriority.MEDIUM,
        "rrip": SourcePriority.PREFERRED,
        "tif": SourcePriority.PREFERRED,  # a container is told from others at once, and others show its level 2
        "tiff": SourcePriority.PREFERRED,
        "zarr": SourcePriority.PREFERRED,
        "zip": SourcePriority.PREFERRED,
    }
    mimeTypes = {None: SourcePriority.FALLBACK, "image/tiff": SourcePriority.PREFERRED}  # noqa: N815, RUF012

    def __init__(self, path: str | os.PathLike[str], **options: Any) -> None:
        super().__init__(path, **options)
        self._largeImagePath = str(self._getLargeImagePath())
        try:
            self._slide = open_slide(self._largeImagePath)
            self._iccprofiles = list(filter(None, [self._slide.icc_profile()]))
        except NotFoundError:
            raise TileSourceFileNotFoundError(self._largeImagePath) from None
        except RripError as error:
            raise TileSourceError(str(error)) from error
        if not self._iccprofiles:
            del self._iccprofiles
        self.sizeX, self.sizeY = self._slide.dimensions
        self.tileWidth = self.tileHeight = self._slide.geometry.tile_side(0)
        # the last level of a slide fits into one such tile, so that each of these is one of its levels
        self.levels = 1 + math.ceil(math.log2(max(1, self.sizeX / self.tileWidth, self.sizeY / self.tileHeight)))
        self._dtype, self._bandCount = np.dtype(np.uint8), 3

    def getNativeMagnification(self) -> dict[str, float | None]:  # noqa: N802
        """Objective power, and size of a pixel of level 0 in mm."""
        mpp = self._slide.mpp or (None, None)
        mm_x, mm_y = (None if size is None else size / 1000 for size in mpp)
        return {"magnification": self._slide.metadata.slide.objective, "mm_x": mm_x, "mm_y": mm_y}

    def getInternalMetadata(self, **_: Any) -> dict[str, Any]:  # noqa: N802
        """Properties of the slide."""
        return {"rrip": dict(self._slide.properties)}

    def getAssociatedImagesList(self) -> list[str]:  # noqa: N802
        """Names of associated images."""
        return sorted(self._slide.associated_images)

    def _getAssociatedImage(self, name: str) -> Any:  # noqa: N802
        """Give a ``PIL.Image``, None for an unknown name."""
        from PIL import Image

        images = self._slide.associated_images
        return Image.fromarray(images[name]) if name in images else None

    @methodcache()  # type: ignore[untyped-decorator]
    def getTile(  # noqa: N802
        self,
        x: int,
        y: int,
        z: int,
        pilImageAllowed: bool = False,  # noqa: N803
        numpyAllowed: bool | str = False,  # noqa: N803
        **options: Any,
    ) -> Any:
        """One tile of level `z`, 0 for the coarsest; edge tiles are completed with black."""
        self._xyzInRange(x, y, z)
        level, side = self.levels - 1 - z, self.tileWidth
        height, width = self._slide.level_shape(level)
        tile: NDArray[np.uint8] = np.zeros((side, side, 3), np.uint8)
        rows, cols = min(side, height - y * side), min(side, width - x * side)
        try:
            tile[:rows, :cols] = self._slide.read_region(level, y * side, x * side, rows, cols)
        except RripError as error:
            raise TileSourceError(str(error)) from error
        return self._outputTile(tile, TILE_FORMAT_NUMPY, x, y, z, pilImageAllowed, numpyAllowed, **options)
