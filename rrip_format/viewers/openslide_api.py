"""``RripSlide``: a container with the interface of openslide-python.

It behaves like ``openslide.OpenSlide`` with an ordinary pyramidal TIFF, with three differences: downsampling factors
are exact powers of two, a slide can be read after an error, and it can be pickled.
"""

from __future__ import annotations

import ctypes
import operator
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from ..compat import openslide_cache_bytes
from ..containers.opening import open_container
from ..containers.pictures import AssociatedImages
from ..errors import FormatError, LimitError, NewerFormatError, NotFoundError, RripError
from ..extras import needs
from ..slides.tile_cache import CachingSlide
from ..storage.access import make_access
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
    """There is no RRIP container at the path."""


class SlideNotFoundError(UnsupportedSlideError, FileNotFoundError):
    """There is nothing at the path; OpenSlide has no exception class for this."""

    errno = NotFoundError.errno


class ClosedSlideError(RripError, ctypes.ArgumentError):
    """The slide is closed; OpenSlide raises ``ctypes.ArgumentError`` in this case."""


@contextmanager
def _openslide_errors() -> Iterator[None]:
    """Translate our exceptions to those that code written for OpenSlide catches."""
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
        raise RripSlideError(
            "not enough memory for the region; read a smaller one, or a coarser level", rule=LimitError.rule
        ) from error


class RripSlide(openslide.AbstractSlide):  # type: ignore[misc]  # as above
    """A slide for code that was written for OpenSlide.

    Parameters
    ----------
    filename : str or path-like
        Path or URL of a container: a folder, a zip archive or a TIFF file.
    storage_options, store, cache_mib : mapping, store and float, optional
        As for :func:`rrip_format.open`.

    Raises
    ------
    SlideNotFoundError
        If there is nothing at the path or URL.
    UnsupportedSlideError
        If it is not an RRIP container.
    RripSlideError
        If it cannot be read.
    """

    def __init__(
        self,
        filename: str | os.PathLike[str] | Any,
        *,
        storage_options: Mapping[str, Any] | None = None,
        store: Any = None,
        cache_mib: float | None = None,
    ) -> None:
        openslide.AbstractSlide.__init__(self)  # by name: OpenSlide, which may come between, takes a path
        self._filename = filename
        self._slide: CachingSlide | None = None
        with _openslide_errors():
            slide = CachingSlide(open_container(filename, make_access(storage_options, store, cache_mib)))
            try:
                self._profile = slide.icc_profile()
            except BaseException:
                slide.close()
                raise
        self._slide = slide

    @classmethod
    def detect_format(cls, filename: str | os.PathLike[str]) -> str | None:
        """Return ``"rrip"`` for an RRIP container, otherwise None.

        Parameters
        ----------
        filename : str or path-like
            Path or URL.

        Returns
        -------
        str or None
            The name of the format.
        """
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
        """Close the container; reading afterwards raises :class:`ClosedSlideError`."""
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
        """Downsampling factor of every level."""
        return tuple(float(level.downsample) for level in self._opened.levels)

    @property
    def properties(self) -> Mapping[str, str]:
        """Properties with OpenSlide's names, and those of the source's vendor."""
        slide = self._opened
        with _openslide_errors():
            return slide.properties

    @property
    def associated_images(self) -> Mapping[str, Image.Image]:
        """Images by name (macro, thumbnail, label), decoded on demand to ``PIL.Image``."""
        return _AssociatedImages(self._opened.associated_images)

    def get_best_level_for_downsample(self, downsample: float) -> int:
        """Return the coarsest level whose downsampling factor is not above `downsample`, or 0.

        Parameters
        ----------
        downsample : float
            Wanted downsampling factor.

        Returns
        -------
        int
            Index of the level.
        """
        coarser = (level.index for level in self._opened.levels[1:] if downsample < level.downsample)
        return next(coarser, self.level_count) - 1

    def read_region(self, location: tuple[int, int], level: int, size: tuple[int, int]) -> Image.Image:
        """Read a rectangle of one level.

        Parameters
        ----------
        location : (x, y)
            Upper left corner, px of level 0. Between pixels of `level`, colours are interpolated.
        level : int
            Index of the level. One that does not exist gives a transparent image, as in OpenSlide.
        size : (width, height)
            Size of the result, px of `level`.

        Returns
        -------
        PIL.Image
            RGBA; transparent outside the slide.

        Raises
        ------
        RripSlideError
            If a size is negative, if the region has more than `MAX_REGION_PX` pixels or does not fit into memory, or if
            a tile is absent or damaged.
        """
        slide = self._opened
        (x, y), (width, height) = map(operator.index, location), map(operator.index, size)
        if min(width, height) < 0:
            raise RripSlideError(f"size is {width} x {height} px, expected no negative number")
        if width * height > MAX_REGION_PX:
            raise RripSlideError(
                f"size is {width} x {height} px, expected at most {MAX_REGION_PX} px: read smaller regions"
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
        """Set the size of the cache of decoded tiles to that of `cache`; slides do not share their caches.

        Parameters
        ----------
        cache : openslide.OpenSlideCache
            A cache of the wanted size.

        Raises
        ------
        TypeError
            If `cache` is anything else.
        """
        if not isinstance(cache, openslide.OpenSlideCache):
            raise TypeError(f"cache is {type(cache).__name__}, expected openslide.OpenSlideCache")
        self._opened.capacity = openslide_cache_bytes(cache, self._opened.capacity)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._filename!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        state = {"_filename": self._opened.name, "_slide": self._opened, "_profile": self._profile}
        return _make_empty, (type(self),), state


def _make_empty(kind: type[RripSlide]) -> RripSlide:
    """Make a slide that is then given what another process knows of it, so that it opens without a request."""
    return kind.__new__(kind)


class _AssociatedImages(Mapping[str, Image.Image]):
    """Associated images in the mode of OpenSlide, RGBA, read and decoded on demand."""

    def __init__(self, arrays: AssociatedImages) -> None:
        self._arrays = arrays

    def __getitem__(self, name: str) -> Image.Image:
        with _openslide_errors():
            return Image.fromarray(self._arrays[name]).convert("RGBA")

    def __iter__(self) -> Iterator[str]:
        return iter(self._arrays)

    def __len__(self) -> int:
        return len(self._arrays)
