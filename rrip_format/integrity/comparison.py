"""Compare level 0 of a container with its source, pixel by pixel."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..concurrency.pool import in_order
from ..containers.base import Container
from ..core.colour import LUMA_WEIGHTS
from ..errors import RripError, SecondOpinionError
from ..extras import needs
from ..second_reader.check import SecondOpinion, check_source
from ..slides.slide import Slide
from ..sources import Source
from ..tuning.sampling import read_families
from .findings import Finding

__all__ = ["Comparison", "check_reading", "check_size", "compare"]

Image = NDArray[np.uint8]

_LUMA = LUMA_WEIGHTS.astype(np.float32)

_BINS_PER_UNIT, _MOST = 100, 110
"""Bins of the histogram of ΔE00 per unit, and its upper end, which ΔE00 does not reach. It is for the 95th percentile,
because the differences of a whole slide do not fit into memory."""

_STRIP_PX = 1 << 17
"""Number of pixels whose colour difference is computed at once."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Difference between level 0 and its source.

    Parameters
    ----------
    families : int
        Number of families compared.
    unreadable : int
        Number of families that could not be decoded; they are not in the figures.
    psnr_y : float
        PSNR of BT.601 luma over all pixels, dB; infinite if all are equal.
    delta_e, delta_e_p95 : float
        Mean and 95th percentile of CIEDE2000 over all pixels.
    worst : two ints or None
        Row and column of the level 0 tile with the lowest PSNR of luma; None if nothing could be compared.
    worst_psnr_y, worst_delta_e : float
        PSNR of luma and mean ΔE00 of that tile.
    """

    families: int
    unreadable: int
    psnr_y: float
    delta_e: float
    delta_e_p95: float
    worst: tuple[int, int] | None
    worst_psnr_y: float
    worst_delta_e: float

    def to_json(self) -> dict[str, Any]:
        """Return the figures for JSON, with null for infinite or unknown ones."""
        found = {name: value for name, value in asdict(self).items() if name != "worst"}
        found["worst_tile"] = None if self.worst is None else [0, *self.worst]
        finite = {name: value for name, value in found.items() if not isinstance(value, float) or math.isfinite(value)}
        return {**dict.fromkeys(found), **finite}

    def __str__(self) -> str:
        if self.worst is None:
            return "no tile could be compared with the source"
        row, col = self.worst
        lost = f"; {self.unreadable} tiles could not be read" if self.unreadable else ""
        return (
            f"level 0 compared with its source: PSNR-Y {self.psnr_y:.2f} dB, ΔE00 mean {self.delta_e:.2f}, 95 % below "
            f"{self.delta_e_p95:.2f}; worst tile row {row}, column {col}: PSNR-Y {self.worst_psnr_y:.2f} dB, "
            f"ΔE00 mean {self.worst_delta_e:.2f}{lost}"
        )


@dataclass(frozen=True, slots=True)
class _Difference:
    """Sums over the pixels of one tile, or of several."""

    row: int
    col: int
    pixels: int
    squares: float
    delta_e: float
    counts: NDArray[np.int64]

    def plus(self, other: _Difference) -> _Difference:
        """Add the sums of two sets of tiles."""
        pixels, squares = self.pixels + other.pixels, self.squares + other.squares
        return _Difference(0, 0, pixels, squares, self.delta_e + other.delta_e, self.counts + other.counts)

    @property
    def psnr(self) -> float:
        """PSNR of luma, dB."""
        if self.squares == 0:
            return math.inf if self.pixels else math.nan
        return 10 * math.log10(255**2 * self.pixels / self.squares)

    @property
    def mean(self) -> float:
        """Mean of ΔE00."""
        return self.delta_e / self.pixels if self.pixels else math.nan


def check_size(container: Container, source: Source) -> Finding | None:
    """Return a finding if the size of a source differs from that of the container, otherwise None."""
    geometry, info = container.metadata.coding.geometry, source.info
    if (geometry.height, geometry.width) == (info.height, info.width):
        return None
    found, wanted = (f"{size.width} x {size.height} px" for size in (geometry, info))
    return Finding("source.size", "0/zarr.json", f"level 0 has {found}", expected=f"{wanted}, the size of {info.name}")


def check_reading(source: Source) -> SecondOpinion | Finding:
    """Ask another library for a few blocks of a slide: what it says, or what is wrong where it reads something else."""
    try:
        return check_source(source)
    except SecondOpinionError as error:
        return Finding("source.reading", "", str(error))


def compare(
    container: Container,
    source: Source,
    *,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Comparison:
    """Compare every pixel of level 0 with the source, in several threads.

    Parameters
    ----------
    container : Container
        The container.
    source : Source
        A source of the same size.
    workers : int, optional
        Number of threads; by default the number of cores.
    progress : callable, optional
        Called with (tiles done, tiles in all).

    Returns
    -------
    Comparison
        The figures.

    Raises
    ------
    SourceError
        If the source cannot be read.
    """
    slide, geometry = Slide(container), container.metadata.coding.geometry
    rows, cols = geometry.families
    unreadable, worst = 0, None
    total = _Difference(0, 0, 0, 0.0, 0.0, np.zeros(_MOST * _BINS_PER_UNIT + 1, np.int64))

    def measure(place: tuple[int, int]) -> _Difference | None:
        try:
            tile = slide.read_tile(0, *place)
        except RripError:  # validation reports the damage
            return None
        wanted = read_families(source, geometry, *place)
        return _difference(*place, tile.transpose(1, 2, 0)[: wanted.shape[0], : wanted.shape[1]], wanted)

    for done, found in enumerate(in_order(measure, geometry.tiles(0), workers), 1):
        if found is None:
            unreadable += 1
        else:
            total = total.plus(found)
            if worst is None or found.squares / found.pixels > worst.squares / worst.pixels:
                worst = found
        if progress is not None:
            progress(done, rows * cols)
    below = np.searchsorted(np.cumsum(total.counts), 0.95 * total.pixels)
    return Comparison(
        families=rows * cols - unreadable,
        unreadable=unreadable,
        psnr_y=total.psnr,
        delta_e=total.mean,
        delta_e_p95=float(below) / _BINS_PER_UNIT if total.pixels else math.nan,
        worst=None if worst is None else (worst.row, worst.col),
        worst_psnr_y=math.nan if worst is None else worst.psnr,
        worst_delta_e=math.nan if worst is None else worst.mean,
    )


def _difference(row: int, col: int, found: Image, wanted: Image) -> _Difference:
    """Compare two (h, w, 3) uint8 pictures, some rows at a time."""
    with needs("convert", "comparing colours"):
        from skimage.color import deltaE_ciede2000, rgb2lab
    squares = delta_e = 0.0
    counts = np.zeros(_MOST * _BINS_PER_UNIT + 1, np.int64)
    height, width = wanted.shape[:2]
    step = max(1, _STRIP_PX // width)
    for top in range(0, height, step):
        one, other = found[top : top + step], wanted[top : top + step]
        luma = (one.astype(np.float32) - other) @ _LUMA
        squares += float(np.square(luma, dtype=np.float64).sum())
        if np.array_equal(one, other):
            counts[0] += one.shape[0] * width
            continue
        lab_one, lab_other = (rgb2lab(part.astype(np.float32) / 255) for part in (one, other))
        distance = deltaE_ciede2000(lab_one, lab_other)
        delta_e += float(distance.sum(dtype=np.float64))
        bins = np.ceil(distance * _BINS_PER_UNIT).astype(np.intp).ravel()
        counts += np.bincount(np.minimum(bins, counts.size - 1), minlength=counts.size)
    return _Difference(row, col, height * width, squares, delta_e, counts)
