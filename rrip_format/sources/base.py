"""What every source of pixels offers, and the one place where foreign exceptions become :class:`SourceError`."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from rrip_format.errors import LimitError, RripError, SourceError, one_line
from rrip_format.extras import load_module

__all__ = ["AssociatedImages", "SlideInfo", "Source", "boundary", "load_reader", "positive", "print_mpp"]

AssociatedImages = Mapping[str, Callable[[], NDArray[np.uint8]]]

WHITE = (255, 255, 255)
# 600 dpi. TIFF and PNG writers put print resolutions of 72 to 600 dpi where they know nothing; no slide is that coarse.
PRINT_MPP = 25400 / 600


@dataclass(frozen=True)
class SlideInfo:
    """What is known of a source besides its pixels.

    Attributes
    ----------
    name : str
        File name without directories, or ``"array"``.
    size_bytes : int or None
        Bytes of the source, all member files of a MIRAX slide or DICOM series together.
    width, height : int
        Level 0, px.
    mpp_x, mpp_y : float or None
        Micrometres per pixel of level 0; None where the source does not say, or gives a print resolution.
    objective_power : float or None
        Nominal magnification of the objective.
    vendor : str or None
        Scanner vendor or format, in OpenSlide's names.
    background : tuple of int
        RGB on which alpha is composited.
    properties : Mapping[str, str]
        Properties in OpenSlide's names, ``tiff.*`` tags or ``ome.*`` attributes.
    icc_profile : bytes or None
        Profile of the RGB pixels, None where the source has none that fits; only CMYK is converted by its own.
    reader : str
        ``"openslide"``, ``"tifffile"``, ``"pydicom"``, ``"vips"`` or ``"array"``.
    notes : tuple of str
        What a user should know of how the source is read: which of several pictures, what is left out.
    image : int
        Number of the picture that is read, of those that the source holds.
    """

    name: str
    size_bytes: int | None
    width: int
    height: int
    mpp_x: float | None
    mpp_y: float | None
    objective_power: float | None
    vendor: str | None
    background: tuple[int, int, int]
    properties: Mapping[str, str]
    icc_profile: bytes | None
    reader: str
    notes: tuple[str, ...] = ()
    image: int = 0


class Source(ABC):
    """A slide, image or array as blocks of 8-bit RGB of its finest level.

    Reading is thread-safe; closing while another thread reads is not. A source pickles as its path and options (an
    array as itself) and is opened again, with all checks, where it is unpickled. After the first failed read the
    source is failed for good, and every later read raises `SourceError` too.
    """

    info: SlideInfo
    where: str
    is_tiled = False
    """Whether a part can be read without what lies around it, so that several processes can share the work."""
    as_opened: dict[str, str | int] | None = None
    """The fingerprint when it was opened: what is read is of that time, where it is kept in memory or held open."""
    reopen: tuple[Callable[..., Source], tuple[Any, ...]]
    _failure: str | None = None
    _closed = False

    def read(self, y: int, x: int, height: int, width: int) -> NDArray[np.uint8]:
        """Return the block whose top left pixel is (`y`, `x`) of level 0.

        Returns
        -------
        NDArray[uint8]
            RGB, shape (`height`, `width`, 3), C-contiguous.

        Raises
        ------
        SourceError
            The block cannot be read or decoded, an earlier block could not, or the source is closed.
        LimitError
            There is not enough memory now; later reads are not affected.
        ValueError
            The block is empty or not fully inside the slide: an error of the caller, not of the source.
        """
        if min(y, x) < 0 or min(height, width) < 1 or y + height > self.info.height or x + width > self.info.width:
            msg = f"block y={y} x={x} {height}x{width} is not inside {self.info.height}x{self.info.width}"
            raise ValueError(msg)
        if self._failure is not None:
            raise SourceError(self._failure)
        try:
            with boundary(self.where, f"block y={y} x={x} {height}x{width} cannot be read"):
                block = self._read(y, x, height, width)
        except SourceError as error:
            self._failure = str(error)
            raise
        if block.shape != (height, width, 3) or block.dtype != np.uint8:
            self._failure = f"{self.where}: the reader returned {block.shape} {block.dtype} for {height}x{width} RGB"
            raise SourceError(self._failure)
        return np.ascontiguousarray(block)

    @abstractmethod
    def _read(self, y: int, x: int, height: int, width: int) -> NDArray[np.uint8]:
        """Return the block; exceptions of any kind are allowed."""

    @abstractmethod
    def fingerprint(self) -> dict[str, str | int]:
        """Return name, size and time of change (``name``, ``size_bytes``, ``mtime_ns``) without reading any pixel."""

    @abstractmethod
    def digest(self) -> bytes:
        """Return 32 bytes that differ where the pixels may: of files their SHA-256, read whole; of arrays random."""

    def associated(self) -> AssociatedImages:
        """Return functions that read the thumbnail, macro, label… as RGB uint8 (H, W, 3), by name; often empty."""
        return {}

    @property
    def path(self) -> Path | None:
        """The file that is read, None of an array; of several files the one that names the others."""
        found = getattr(self, "_path", None)
        return found if isinstance(found, Path) else None

    @property
    def files(self) -> list[Path]:
        """All files that are read: of a slide in several files each of them; none of an array."""
        return [] if self.path is None else [self.path]

    def close(self) -> None:
        """Release files and memory; reading afterwards is a `SourceError`."""
        self._failure = self._failure or f"{self.where}: the source is closed; open it again to read"
        if not self._closed:
            self._closed = True
            self._close()

    def _close(self) -> None:  # noqa: B027 - an array has nothing to release
        """Release what the reader holds."""

    def __enter__(self) -> Self:
        """Return the source itself."""
        return self

    def __exit__(self, *exc: object) -> None:
        """Close."""
        self.close()

    def __reduce__(self) -> tuple[Callable[..., Source], tuple[Any, ...]]:
        """Pickle as what opens the source again: handles of native libraries do not travel."""
        return self.reopen


@contextmanager
def boundary(where: str, what: str) -> Iterator[None]:
    """Turn what a foreign library raises into one line of `SourceError`, or `LimitError` of memory, the cause kept."""
    try:
        yield
    except RripError:
        raise
    except MemoryError as error:  # says nothing of the file
        msg = f"{where}: {what}: not enough memory; use fewer workers, or a machine with more"
        raise LimitError(msg) from error
    except Exception as error:
        msg = f"{where}: {what}: {one_line(error)}; check the file against its original"
        raise SourceError(msg) from error


def load_reader(name: str) -> Any:
    """Import a package that reads sources; `ExtraMissingError` where it, or its native library, is missing."""
    return load_module(name, "convert", "reading this source")


def positive(text: object) -> float | None:
    """Return a finite positive number, None for anything else."""
    try:
        value = float(str(text))
    except ValueError:
        return None
    return value if math.isfinite(value) and value > 0 else None


def print_mpp(mpp: float | None) -> float | None:
    """Return None for a resolution of 600 dpi or coarser: it describes paper, not a slide."""
    return mpp if mpp is not None and mpp < PRINT_MPP else None
