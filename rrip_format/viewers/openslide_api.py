"""``RripSlide``: a container behind the interface of openslide-python.

It does what ``openslide.OpenSlide`` does on an ordinary pyramidal TIFF, with three differences: downsamples are exact
powers of two, errors are not sticky (one damaged tile does not close the slide), and it can be pickled.
"""

from __future__ import annotations

import ctypes
import operator
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from ..containers.base import open_container
from ..containers.pictures import AssociatedImages
from ..errors import FormatError, LimitError, NewerFormatError, NotFoundError, RripError
from ..extras import needs
from ..slides.tile_cache import CachingSlide
from .rgba import read_rgba

with needs("openslide", "RripSlide"):
    import openslide
    from PIL import Image

__all__ = [
    "MAX_REGION_PX",
    "ClosedSlideError",
    "RripSlide",
    "RripSlideError",
    "SlideNotFoundError",
    "UnsupportedSlideError",
]

MAX_REGION_PX = 1 << 30
"""Largest region that one call returns, px; 4 GiB of RGBA."""


class RripSlideError(RripError, openslide.OpenSlideError):  # type: ignore[misc]  # openslide has no types
    """A slide cannot be opened or read; caught by ``except openslide.OpenSlideError``."""


class UnsupportedSlideError(RripSlideError, openslide.OpenSlideUnsupportedFormatError):  # type: ignore[misc]
    """There is no RRIP container."""


class SlideNotFoundError(UnsupportedSlideError, FileNotFoundError):
    """There is nothing at the path; OpenSlide has no error of its own for that."""

    errno = NotFoundError.errno


class ClosedSlideError(RripError, ctypes.ArgumentError):
    """The slide was closed; of the type that OpenSlide raises then."""


@contextmanager
def _openslide_errors() -> Iterator[None]:
    """Turn our errors into those that code written for OpenSlide catches."""
    try:
        yield
    except NewerFormatError as error:
        raise RripSlideError(str(error), rule=error.rule) from error
    except NotFoundError as error:
        raise SlideNotFoundError(str(error), rule=error.rule) from error
    except FormatError as error:
        raise UnsupportedSlideError(str(error), rule=error.rule) from error
    except RripError as error:
        raise RripSlideError(str(error), rule=error.rule) from error
    except MemoryError as error:
        raise RripSlideError("not enough memory; read a part, or a coarser level", rule=LimitError.rule) from error


class RripSlide(openslide.AbstractSlide):  # type: ignore[misc]  # as above
    """A slide for code that was written for OpenSlide.

    Parameters
    ----------
    filename : str or path
        A folder, a zip file, a TIFF file, or a URL that fsspec knows.

    Raises
    ------
    SlideNotFoundError
        If nothing is there.
    UnsupportedSlideError
        If no RRIP container is there.
    RripSlideError
        If it cannot be read.
    """

    def __init__(self, filename: str | os.PathLike[str]) -> None:
        super().__init__()
        self._filename = filename
        self._slide: CachingSlide | None = None
        with _openslide_errors():
            slide = CachingSlide(open_container(filename))
            try:
                self._profile = slide.icc_profile()
            except BaseException:
                slide.close()
                raise
        self._slide = slide

    @classmethod
    def detect_format(cls, filename: str | os.PathLike[str]) -> str | None:
        """``"rrip"`` for an RRIP container, else None."""
        try:
            open_container(filename).close()
        except NewerFormatError:
            return "rrip"
        except RripError:
            return None
        return "rrip"

    @property
    def _opened(self) -> CachingSlide:
        if self._slide is None:
            raise ClosedSlideError(f"{self._filename}: the slide is closed; open it again to read")
        return self._slide

    def close(self) -> None:
        """Release the container; reading afterwards is a :class:`ClosedSlideError`."""
        if self._slide is not None:
            self._slide.close()
            self._slide = None

    @property
    def level_count(self) -> int:
        """Number of levels."""
        return len(self._opened.levels)

    @property
    def level_dimensions(self) -> tuple[tuple[int, int], ...]:
        """(width, height) of every level, px."""
        return tuple((level.width, level.height) for level in self._opened.levels)

    @property
    def level_downsamples(self) -> tuple[float, ...]:
        """How many level 0 pixels a pixel of each level stands for along an axis."""
        return tuple(float(level.downsample) for level in self._opened.levels)

    @property
    def properties(self) -> Mapping[str, str]:
        """Properties with OpenSlide's names, and those of the source's vendor."""
        slide = self._opened
        with _openslide_errors():
            return slide.properties

    @property
    def associated_images(self) -> Mapping[str, Image.Image]:
        """``PIL.Image`` by name: macro, thumbnail, label, as far as the slide has them; decoded when asked for."""
        return _AssociatedImages(self._opened.associated_images)

    def get_best_level_for_downsample(self, downsample: float) -> int:
        """The coarsest level whose downsample is not above `downsample`, or 0."""
        coarser = (level.index for level in self._opened.levels[1:] if downsample < level.downsample)
        return next(coarser, self.level_count) - 1

    def read_region(self, location: tuple[int, int], level: int, size: tuple[int, int]) -> Image.Image:
        """Read a rectangle of one level.

        Parameters
        ----------
        location : (x, y)
            Upper left corner, px of level 0. Where it falls between pixels of `level`, these are interpolated.
        level : int
            A level that does not exist gives a transparent image, as it does in OpenSlide.
        size : (width, height)
            Size of the result, px of `level`.

        Returns
        -------
        PIL.Image
            RGBA; transparent outside the slide.

        Raises
        ------
        RripSlideError
            For a negative size, one above `MAX_REGION_PX` or for which there is not enough memory, or a tile that is
            absent or damaged.
        """
        slide = self._opened
        (x, y), (width, height) = map(operator.index, location), map(operator.index, size)
        if min(width, height) < 0:
            raise RripSlideError(f"negative width ({width}) or negative height ({height}) not allowed")
        if width * height > MAX_REGION_PX:
            raise RripSlideError(
                f"a region of {width} x {height} px is wanted, one call returns up to {MAX_REGION_PX} px: read parts"
            )
        if width == 0 or height == 0:
            return Image.new("RGBA", (width, height))
        exists = 0 <= operator.index(level) < self.level_count
        with _openslide_errors():
            rgba = read_rgba(slide, level, y, x, height, width) if exists else np.zeros((height, width, 4), np.uint8)
            region = Image.fromarray(rgba)
        if self._profile is not None:
            region.info["icc_profile"] = self._profile
        return region

    def set_cache(self, cache: Any) -> None:
        """Keep as many bytes of decoded tiles as `cache` was made for; the tiles are not shared between slides."""
        if not isinstance(cache, openslide.OpenSlideCache):
            raise TypeError("Not a cache object")
        self._opened.capacity = int(getattr(cache, "_capacity", self._opened.capacity))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._filename!r})"

    def __reduce__(self) -> tuple[type[RripSlide], tuple[str]]:
        return type(self), (self._opened.name,)


class _AssociatedImages(Mapping[str, Image.Image]):
    """Associated images in the mode that OpenSlide gives; read and decoded one by one."""

    def __init__(self, arrays: AssociatedImages) -> None:
        self._arrays = arrays

    def __getitem__(self, name: str) -> Image.Image:
        with _openslide_errors():
            return Image.fromarray(self._arrays[name]).convert("RGBA")

    def __iter__(self) -> Iterator[str]:
        return iter(self._arrays)

    def __len__(self) -> int:
        return len(self._arrays)
