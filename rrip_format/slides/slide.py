"""Opening a container: levels, properties and pixels of a slide as plain arrays."""

from __future__ import annotations

import operator
import os
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from ..containers.base import Container, ZarrContainer, open_container, read_icc_profile
from ..containers.pictures import AssociatedImages
from ..errors import LimitError, RripError, one_line, shown
from ..spec.geometry import Geometry
from .properties import make_properties

if TYPE_CHECKING:
    import zarr
    from zarr.abc.store import Store

    from ..core.colour import Corner, Window

__all__ = ["Level", "Slide", "open_slide"]


@dataclass(frozen=True, slots=True)
class Level:
    """One level of a slide.

    Parameters
    ----------
    index : int
        0 is the finest.
    width, height : int
        Size, px.
    tile : int
        Side of a tile, px.
    downsample : int
        How many level 0 pixels one pixel stands for along each axis.
    mpp : two floats or None
        Width and height of a pixel, µm.
    """

    index: int
    width: int
    height: int
    tile: int
    downsample: int
    mpp: tuple[float, float] | None


class Slide:
    """An open container; thread-safe, picklable, safe to use after a fork.

    Parameters
    ----------
    source : path, URL or Container
        A folder, a zip archive, a TIFF file, local or remote, or what has been opened already.

    Attributes
    ----------
    name : str
        Path or URL.
    metadata : Metadata
        All that the container says of itself (spec section 8).

    Raises
    ------
    NotFoundError
        If nothing is there; it is a ``FileNotFoundError``.
    FormatError
        If no RRIP container is there.
    NewerFormatError
        If it was written by a newer version of the format.
    StorageError
        If it cannot be read.
    """

    def __init__(self, source: str | os.PathLike[str] | Container) -> None:
        container = open_container(source) if isinstance(source, str | bytes | os.PathLike) else source
        self.container: Container = container
        self.name = container.name
        self.metadata = container.metadata

    @property
    def geometry(self) -> Geometry:
        """Sizes of every level and its tiles."""
        return self.metadata.coding.geometry

    @cached_property
    def levels(self) -> tuple[Level, ...]:
        """Every level, finest first."""
        mpp = self.metadata.slide.mpp
        return tuple(
            Level(
                index=k,
                width=self.geometry.shape(k)[1],
                height=self.geometry.shape(k)[0],
                tile=self.geometry.tile_side(k),
                downsample=2**k,
                mpp=None if mpp is None else (mpp[0] * 2**k, mpp[1] * 2**k),
            )
            for k in range(self.geometry.levels)
        )

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
        if not 0 <= _whole("level", level) < len(self.levels):
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
        """Width and height of a pixel of level 0, µm, None where they are not known."""
        return self.metadata.slide.mpp

    @cached_property
    def properties(self) -> Mapping[str, str]:
        """Properties by OpenSlide's names and those of the source's vendor, as :class:`RripSlide` has them.

        The associated images are read for their sizes. ``metadata.slide.properties`` is what the source alone said.

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
        if isinstance(self.container, ZarrContainer):
            return self.container.store
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
        """Arrays (height, width, 3) uint8 by name: ``macro``, ``thumbnail``, ``label``, as far as the slide has them.

        Each is read and decoded when it is asked for, which needs ``rrip-format[openslide]``; errors are those of
        :class:`~rrip_format.containers.pictures.AssociatedImages`.
        """
        return AssociatedImages(self.container)

    def thumbnail(self, size: int | tuple[int, int] = 256) -> NDArray[np.uint8]:
        """Read the whole slide as a small picture, from the coarsest level that is large enough.

        Parameters
        ----------
        size : int or (width, height)
            The most that it may have along both sides or along each, px. Proportions are kept, and nothing is enlarged.

        Returns
        -------
        (height, width, 3) uint8
            RGB.

        Raises
        ------
        TypeError, ValueError
            If `size` is neither a whole number nor two, or not positive.
        MissingTileError, DamagedError
            If a stored tile that it needs is absent or is not what was written.
        LimitError
            If there is not enough memory for it.
        """
        from .preview import shrink

        sides = (size, size) if not isinstance(size, tuple | list) else size
        if len(sides) != 2:
            raise ValueError(f"size is {shown(size)}, expected a whole number or (width, height), px")
        most = [_whole("size", side) for side in sides]
        if min(most) < 1:
            raise ValueError(f"size is {shown(size)}, expected at least 1 px")
        scale = min(1.0, *(limit / side for limit, side in zip(most, self.dimensions, strict=True)))
        width, height = (max(1, round(side * scale)) for side in self.dimensions)
        level = next(level for level in reversed(self.levels) if level.width >= width and level.height >= height)
        picture = self.read_region(level.index, 0, 0, level.height, level.width)
        return shrink(picture, height, width)

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

    def _put_tile(self, level: int, row: int, col: int, window: Window | None, corner: Corner) -> None:
        """A tile that exists, or a part of it, to a place in a picture."""
        self._decode(level, row, col, window, corner)

    def _decode(
        self, level: int, row: int, col: int, window: Window | None, corner: Corner | None = None
    ) -> NDArray[np.uint8]:
        from ..family.decode import decode_tile, needed_levels

        coding = self.metadata.coding
        places = [(needed, row, col) for needed in needed_levels(level)]
        tiles = [] if coding.is_empty(level, row, col) else self.container.read_tiles(places)
        try:
            return decode_tile(coding, level, row, col, tiles, window, corner)
        except RripError as error:
            raise error.within(self.name) from error

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
        """RGB of a rectangle of one level.

        Parameters
        ----------
        level : int
            Index of the level, 0 for the finest.
        y, x : int
            Upper left corner, px of that level.
        height, width : int
            Size, px of that level; the rectangle lies inside the level.
        out : (height, width, 3) uint8, optional
            Where to put it, contiguous: memory that is used again need not be cleared by the system each time. It is
            undefined after an error.
        workers : int
            Threads that decode tiles. One is right where many regions are read at the same time.

        Returns
        -------
        (height, width, 3) uint8
            `out`, if it is given.

        Raises
        ------
        IndexError
            If there is no such level, or the rectangle reaches outside it.
        TypeError
            If a place or a size is not a whole number.
        ValueError
            If `out` is of another shape or type, is not contiguous or cannot be written.
        MissingTileError, DamagedError
            If a stored tile that it needs is absent or is not what was written.
        LimitError
            If there is not enough memory for it.
        """
        rows, cols = self.level_shape(level)
        y, x, height, width = map(_whole, ("y", "x", "height", "width"), (y, x, height, width))
        if min(y, x, height, width) < 0 or y + height > rows or x + width > cols:
            raise IndexError(
                f"{self.name}: region (y, x, height, width) is {(y, x, height, width)}, which reaches outside level "
                f"{level}, {rows} px high and {cols} px wide"
            )
        picture = _empty_pixels(height, width) if out is None else _checked_pixels(out, height, width)
        side = self.geometry.tile_side(level)

        def fill(part: tuple[_Overlap, _Overlap]) -> None:
            (row, top, bottom, below), (col, left, right, beside) = part
            whole = bottom - top == right - left == side
            self._put_tile(level, row, col, None if whole else (top, bottom, left, right), (picture, below, beside))

        parts = list(product(_overlaps(y, height, side), _overlaps(x, width, side)))
        if min(workers, len(parts)) < 2:
            for part in parts:
                fill(part)
            return picture if out is None else out
        with ThreadPoolExecutor(min(workers, len(parts)), thread_name_prefix="rrip") as executor:
            try:
                for _ in executor.map(fill, parts):
                    pass
            except BaseException:
                executor.shutdown(cancel_futures=True)
                raise
        return picture if out is None else out

    def close(self) -> None:
        """Release files and connections."""
        self.container.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.container,)

    def _repr_html_(self) -> str:
        """Show a notebook the slide; what cannot be read is said in its place."""
        from .preview import make_card

        facts = {
            "size": f"{self.geometry.width} x {self.geometry.height} px",
            "pixel": "size unknown" if self.mpp is None else f"{self.mpp[0]:g} x {self.mpp[1]:g} µm",
            "levels": ", ".join(f"{level.width} x {level.height}" for level in self.levels),
        }
        try:
            return make_card(self.name, facts, self.thumbnail())
        except RripError as error:
            return make_card(self.name, {**facts, "picture": one_line(error)}, None)

    def __repr__(self) -> str:
        return f"Slide({self.name!r}, {self.geometry.width} x {self.geometry.height} px, {len(self.levels)} levels)"


def _whole(name: str, number: object) -> int:
    """Take what NumPy calls a whole number too.

    Raises
    ------
    TypeError
        If it is none.
    """
    try:
        return operator.index(number)  # type: ignore[arg-type]  # that is what is found out
    except TypeError:
        raise TypeError(f"{name} is {shown(number)}, expected a whole number") from None


def _empty_pixels(height: int, width: int) -> NDArray[np.uint8]:
    """Memory for (height, width, 3) uint8 RGB.

    Raises
    ------
    LimitError
        If there is not as much: a small file may promise a large slide.
    """
    try:
        return np.empty((height, width, 3), np.uint8)
    except (MemoryError, ValueError) as error:  # ValueError: more than an array can have
        raise LimitError(f"not enough memory for {height} x {width} px; read a part, or a coarser level") from error


def _checked_pixels(out: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """`out` as a plain array, if it can take (height, width, 3) uint8.

    Raises
    ------
    ValueError
        If it cannot.
    """
    if not isinstance(out, np.ndarray) or out.shape != (height, width, 3) or out.dtype != np.uint8:
        found = f"{out.shape} {out.dtype}" if isinstance(out, np.ndarray) else type(out).__name__
        raise ValueError(f"out is {found}, expected a NumPy array {(height, width, 3)} uint8")
    if not out.flags.writeable:
        raise ValueError("out cannot be written; pass a copy")
    if not out.flags.c_contiguous:
        raise ValueError("out is not contiguous; pass an array of its own, and copy from that")
    return out.view(np.ndarray)


_Overlap = tuple[int, int, int, int]
"""Index of a tile along one axis of a region, the part of it that is wanted (two), and where that begins there."""


def _overlaps(start: int, length: int, side: int) -> Iterator[_Overlap]:
    """Every tile along one axis of a region."""
    at = start
    while at < start + length:
        index = at // side
        end = min((index + 1) * side, start + length)
        yield index, at - index * side, end - index * side, at - start
        at = end


def open_slide(path: str | os.PathLike[str]) -> Slide:
    """Open a container: a folder, a zip file, a TIFF file, or a URL that fsspec knows. The same as ``Slide(path)``.

    Parameters
    ----------
    path : str or path
        For example ``slide.rrip.zarr``, ``slide.rrip.zarr.zip``, ``slide.rrip.tif`` or ``https://host/slide.rrip.zarr``.

    Returns
    -------
    Slide
        The open slide; use it as a context manager, or close it.

    Raises
    ------
    NotFoundError
        If nothing is there; it is a ``FileNotFoundError``.
    FormatError
        If no RRIP container is there.
    NewerFormatError
        If it was written by a newer version of the format.
    StorageError
        If it cannot be read.
    """
    return Slide(path)
