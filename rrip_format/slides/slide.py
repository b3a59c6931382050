"""An open container: its levels, properties and pixels as plain arrays."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from ..containers.base import Container, read_icc_profile
from ..containers.opening import open_container
from ..containers.pictures import AssociatedImages
from ..storage.access import make_access
from .levels import Level, fit, list_levels, whole
from .properties import make_properties
from .regions import check_region, checked_pixels, empty_pixels, for_each, list_parts
from .tiles import TileReader

if TYPE_CHECKING:
    import zarr
    from zarr.abc.store import Store

    from ..core.colour import Window

__all__ = ["Level", "Slide", "open_slide"]


class Slide(TileReader):
    """An open container; thread-safe, picklable, fork-safe.

    Parameters
    ----------
    source : path, URL, store or Container
        A folder, a zip archive, a TIFF file, local or remote; a Zarr or obstore store with a container at its root; or
        what has been opened already.
    storage_options : mapping, optional
        Options of the file system of a URL, as for :func:`rrip_format.open`.
    store : obstore or Zarr store, optional
        Store in which the path is a key, as for :func:`rrip_format.open`.
    cache_mib : float, optional
        Cache of a remote container, MiB, as for :func:`rrip_format.open`.

    Attributes
    ----------
    name : str
        Path or URL.
    metadata : Metadata
        Contents of the object ``rrip`` (spec section 8).

    Raises
    ------
    RripError
        As for :func:`open_slide`.
    """

    def __init__(
        self,
        source: Any,
        *,
        storage_options: Mapping[str, Any] | None = None,
        store: Any = None,
        cache_mib: float | None = None,
    ) -> None:
        access = make_access(storage_options, store, cache_mib)
        super().__init__(source if isinstance(source, Container) else open_container(source, access))

    @cached_property
    def levels(self) -> tuple[Level, ...]:
        """All levels, finest first."""
        return list_levels(self.metadata)

    def level_shape(self, level: int) -> tuple[int, int]:
        """Return (height, width) of a level, px.

        Parameters
        ----------
        level : int
            Index of the level, 0 for the finest.

        Returns
        -------
        two ints
            Height and width, px.

        Raises
        ------
        IndexError
            If there is no such level.
        TypeError
            If `level` is not a whole number.
        """
        if not 0 <= whole("level", level) < len(self.levels):
            raise IndexError(
                f"{self.name}: level {level} does not exist, there are levels 0 … {len(self.levels) - 1}, 0 the finest"
            )
        return self.geometry.shape(level)

    @property
    def dimensions(self) -> tuple[int, int]:
        """(width, height) of level 0, px, in OpenSlide's order."""
        return self.geometry.width, self.geometry.height

    @property
    def mpp(self) -> tuple[float, float] | None:
        """Width and height of a pixel of level 0, µm; None if unknown."""
        return self.metadata.slide.mpp

    @cached_property
    def properties(self) -> Mapping[str, str]:
        """Properties with the names of OpenSlide and of the source's vendor, as in :class:`RripSlide`.

        The associated images are read for their sizes. ``metadata.slide.properties`` has those of the source only.

        Raises
        ------
        ChecksumError, DamagedError
            If an associated image is damaged.
        """
        return make_properties(self.metadata, self.associated_images.shapes())

    @property
    def group(self) -> zarr.Group:
        """The container as a read-only Zarr group: arrays ``"0"``, ``"1"`` … of shape (3, height, width)."""
        import zarr

        return zarr.open_group(self.store, mode="r")

    @property
    def store(self) -> Store:
        """The container as a read-only Zarr store."""
        store = self.container.make_store()
        if store is not None:
            return store
        from ..zarr_views.store import RripStore

        return RripStore(self.container)

    def icc_profile(self) -> bytes | None:
        """Return the ICC profile of the slide.

        Returns
        -------
        bytes or None
            The profile, None if the slide has none.

        Raises
        ------
        ChecksumError
            If it is damaged (spec section 8.7).
        """
        return read_icc_profile(self.container)

    @property
    def associated_images(self) -> AssociatedImages:
        """Arrays (height, width, 3) uint8 by name: those of ``macro``, ``thumbnail`` and ``label`` that exist.

        Each is read and decoded on access, which needs ``rrip-format[openslide]``. Raises as
        :class:`~rrip_format.containers.pictures.AssociatedImages`.
        """
        return AssociatedImages(self.container)

    def thumbnail(self, size: int | tuple[int, int] = 256) -> NDArray[np.uint8]:
        """Read the whole slide as a small picture, from the coarsest level that is large enough.

        Parameters
        ----------
        size : int or (width, height)
            Largest side, or largest width and height, px. Proportions are kept, and nothing is enlarged.

        Returns
        -------
        (height, width, 3) uint8
            RGB.

        Raises
        ------
        TypeError, ValueError
            If `size` is not one or two whole numbers, or not positive.
        MissingTileError, DamagedError
            If a required tile is missing or damaged.
        LimitError
            If there is not enough memory.
        """
        from .preview import shrink

        level, height, width = fit(self.levels, size)
        return shrink(self.read_region(level.index, 0, 0, level.height, level.width), height, width)

    def read_tile(self, level: int, row: int, col: int, window: Window | None = None) -> NDArray[np.uint8]:
        """Decode one tile, padding included, or a part of it, to RGB.

        Parameters
        ----------
        level, row, col : int
            Level, row and column of the tile.
        window : (top, bottom, left, right), optional
            Rows `top` to `bottom` and columns `left` to `right` of the tile, the ends excluded; by default all.

        Returns
        -------
        (3, height, width) uint8
            RGB planes.

        Raises
        ------
        IndexError
            If there is no such tile.
        MissingTileError, DamagedError
            If a stored tile is absent although its family is not empty, or is damaged (spec sections 6.2 and 7).
        """
        rows, cols = self.geometry.grid(level) if 0 <= level < len(self.levels) else (0, 0)
        if not (0 <= row < rows and 0 <= col < cols):
            raise IndexError(f"tile (level {level}, row {row}, column {col}) does not exist")
        return self._decode(level, row, col, window)

    def read_region(
        self,
        level: int,
        y: int,
        x: int,
        height: int,
        width: int,
        *,
        out: NDArray[np.uint8] | None = None,
        workers: int = 1,
    ) -> NDArray[np.uint8]:
        """Read a rectangle of one level as RGB.

        Parameters
        ----------
        level : int
            Index of the level, 0 for the finest.
        y, x : int
            Upper left corner, px of that level.
        height, width : int
            Size, px of that level; the rectangle lies inside the level.
        out : (height, width, 3 or 4) uint8, optional
            Contiguous array for the result; reusing memory is faster. A fourth channel, opacity, is set to 255. The
            content is undefined after an error.
        workers : int
            Number of threads that decode tiles; use one if several regions are read concurrently.

        Returns
        -------
        (height, width, 3) uint8
            RGB; `out`, if it is given.

        Raises
        ------
        IndexError
            If there is no such level, or the rectangle reaches outside it.
        TypeError
            If a coordinate or size is not a whole number.
        ValueError
            If `out` has another shape or type, is not contiguous or not writable.
        MissingTileError, DamagedError
            If a required tile is missing or damaged.
        LimitError
            If there is not enough memory.
        """
        rows, cols = self.level_shape(level)
        y, x, height, width = check_region(self.name, level, (rows, cols), y, x, height, width)
        picture = empty_pixels(height, width) if out is None else checked_pixels(out, height, width)
        parts = list_parts(y, x, height, width, self.geometry.tile_side(level))
        workers = min(workers, len(parts))
        if self.container.is_remote:  # all tiles are requested at once, and decoded as they arrive
            parts = [part for part in parts if not self._put_known(level, part, picture)]
            groups = [self._places(level, part.row, part.col) for part in parts]
            arrived = self.container.stream_tiles(groups)
            for_each(lambda found: self._put_tile(level, parts[found[0]], picture, found[1]), arrived, workers)
        else:
            for_each(lambda part: self._put_tile(level, part, picture), parts, workers)
        return picture if out is None else out

    def close(self) -> None:
        """Release files and connections."""
        self.container.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.container,)

    def _repr_html_(self) -> str:
        """Return the view of the slide in a notebook; text replaces what cannot be read."""
        from .preview import describe_card

        return describe_card(self.name, self.levels, self.mpp, self.thumbnail)

    def __repr__(self) -> str:
        return f"Slide({self.name!r}, {self.geometry.width} x {self.geometry.height} px, {len(self.levels)} levels)"


def open_slide(
    path: Any,
    *,
    storage_options: Mapping[str, Any] | None = None,
    store: Any = None,
    cache_mib: float | None = None,
) -> Slide:
    """Open a container: a folder, zip archive, TIFF file or URL. The same as ``Slide(path)``.

    Parameters
    ----------
    path : str, path or store
        For example ``slide.rrip.zarr``, ``slide.rrip.zarr.zip``, ``slide.rrip.tif`` or ``s3://bucket/slide.rrip.tif``;
        or a Zarr or obstore store with a container at its root.
    storage_options : mapping, optional
        Options of fsspec for the file system of a URL: credentials, endpoints, headers.
    store : obstore or Zarr store, optional
        The store in which `path` is a key.
    cache_mib : float, optional
        Size of the cache of a remote container, MiB; by default ``RRIP_CACHE_MIB``, or else 32; 0 for sequential
        reading.

    Returns
    -------
    Slide
        The open slide; use it as a context manager, or close it.

    Raises
    ------
    NotFoundError
        If it does not exist; it is a ``FileNotFoundError``.
    FormatError
        If it is not an RRIP container.
    NewerFormatError
        If it was written by a newer version of the format.
    StorageError
        If it cannot be read.
    """
    return Slide(path, storage_options=storage_options, store=store, cache_mib=cache_mib)
