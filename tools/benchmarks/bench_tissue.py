"""Tissue for the benchmarks: families without glass, mosaics of them, and an ordinary pyramid TIFF."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray

from rrip_format.core.colour import rgb_to_exact_ycc
from rrip_format.core.predict import box2
from rrip_format.sources import open_source

__all__ = [
    "KINDS",
    "SIDE",
    "Image",
    "all_tissue",
    "mosaic",
    "oriented",
    "psnr_y",
    "pyramid",
    "tissue",
    "write_ordinary_tiff",
]

Image = NDArray[np.uint8]

SIDE = 512
"""Side of a family at level 0, and of every other codec's tile, px."""

KINDS = {
    "fields": ("field-breast-HE.png", "field-duodenum-HE.png", "field-ki67-IHC.png", "field-colon-IHC.png"),
    "native": ("TCGA-CR-7395-01A-01-TS1.svs",),
}
"""Tissue without a JPEG grid: fields reduced from scans, which are busy, and a scan that was JPEG 2000, as it is."""

_GLASS = 232
"""Green above which a pixel is glass: tissue absorbs green, whatever the stain."""

_MOST_GLASS = 0.15
"""Part of a family that may be glass."""


def tissue(testdata: Path, kind: str) -> list[Image]:
    """Return families, (512, 512, 3) uint8, of a kind of tissue in the order of the files, without those of glass."""
    families = []
    for name in KINDS[kind]:
        if not (testdata / name).exists():
            continue
        with open_source(testdata / name) as source:
            rows, cols = source.info.height // SIDE, source.info.width // SIDE
            for row in range(rows):
                for col in range(cols):
                    family = source.read(row * SIDE, col * SIDE, SIDE, SIDE)
                    if np.mean(family[..., 1] > _GLASS) <= _MOST_GLASS:
                        families.append(family)
    if not families:
        raise click.ClickException(
            f"{testdata} has no tissue of kind {kind!r}: {', '.join(KINDS[kind])}; set --testdata"
        )
    return families


def all_tissue(testdata: Path) -> list[Image]:
    """Return families of every kind in the folder."""
    kinds = [kind for kind, names in KINDS.items() if any((testdata / name).exists() for name in names)]
    return [family for kind in kinds or KINDS for family in tissue(testdata, kind)]


def oriented(families: Sequence[Image], index: int) -> Image:
    """Return family `index` of an endless sequence: after the last they are repeated in eight orientations."""
    family, turn = families[index % len(families)], index // len(families) % 8
    return np.rot90(family[:, ::-1] if turn >= 4 else family, turn % 4)


def mosaic(families: Sequence[Image], megapixels: float) -> Image:
    """Return RGB, (h, w, 3) uint8, of about that size, 2 : 1, in squares of four families (whole tiles of level 1)."""
    rows = 2 * max(1, round((megapixels * 1e6 / 2) ** 0.5 / SIDE / 2))
    cols = 2 * max(1, round(megapixels * 1e6 / (rows * SIDE * SIDE) / 2))
    out = np.empty((rows * SIDE, cols * SIDE, 3), np.uint8)
    for index in range(rows * cols):
        y, x = (SIDE * part for part in divmod(index, cols))
        out[y : y + SIDE, x : x + SIDE] = oriented(families, index)
    return out


def pyramid(rgb: Image) -> list[Image]:
    """Return all levels, finest first, until one tile covers a level."""
    levels = [rgb]
    while max(levels[-1].shape[:2]) > SIDE:
        levels.append(box2(levels[-1]))
    return levels


def psnr_y(wanted: Image, found: Image) -> float:
    """Return PSNR of unrounded BT.601 luma, dB."""
    errors = [
        np.square(rgb_to_exact_ycc(wanted[y : y + SIDE])[0] - rgb_to_exact_ycc(found[y : y + SIDE])[0]).sum(dtype=float)
        for y in range(0, wanted.shape[0], SIDE)
    ]
    error = sum(errors) / (wanted.shape[0] * wanted.shape[1])
    return float(10 * np.log10(255**2 / max(error, 1e-10)))


def write_ordinary_tiff(path: Path, levels: Sequence[Image], *, quality: int = 90, tile: int = SIDE) -> None:
    """Write an ordinary pyramid: JPEG 4:2:0 tiles, one page per level.

    Written by tifffile, since libvips stores RGB, without any colour transform, from quality 90 on.
    """
    import tifffile

    with tifffile.TiffWriter(path, bigtiff=True) as file:
        for index, level in enumerate(levels):
            file.write(
                level,
                tile=(tile, tile),
                photometric="rgb",  # tifffile makes YCbCr of it
                compression="jpeg",
                compressionargs={"level": quality},
                subsampling=(2, 2),
                subfiletype=min(index, 1),
                metadata=None,
            )
