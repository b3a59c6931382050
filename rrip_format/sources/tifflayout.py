"""Read from the tags of a TIFF page how its samples are stored and what they mean, or why it is not supported.

The rules are those of TIFF 6.0 with Technical Note 2, and of libtiff where those say nothing. Nothing is guessed: extra
samples of unknown kind are not alpha, a missing tag is an error, and CMYK needs an ICC profile.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from rrip_format.errors import SourceError
from rrip_format.sources.color import BT601
from rrip_format.sources.icc import colour_space

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "CCITT",
    "CODES",
    "JPEG",
    "JPEG_2000",
    "NO_COMPRESSION",
    "PICTURES",
    "PageLayout",
    "name_of",
    "page_layout",
]

MIN_IS_WHITE, MIN_IS_BLACK, RGB, PALETTE, SEPARATED, YCBCR = 0, 1, 2, 3, 5, 6
COLOURS = {MIN_IS_WHITE: 1, MIN_IS_BLACK: 1, RGB: 3, PALETTE: 1, SEPARATED: 4, YCBCR: 3}
"""Number of colour samples by photometric interpretation."""

NO_COMPRESSION, JPEG, APERIO_YCBCR = 1, 7, 33003
CODES = {5, 8, 32773, 32946, 34925, 34926, 50000}
"""Compressions of plain bytes: LZW, Deflate, PackBits, LZMA, Zstandard."""
CCITT = {2, 3, 4}
JPEG_2000 = {33003, 33004, 33005, 34712}
PICTURES = {
    **dict.fromkeys((22610, 34934), "jpegxr"),
    **dict.fromkeys((34927, 50001), "webp"),
    **dict.fromkeys((50002, 52546), "jpegxl"),
    34887: "lerc",
    34933: "png",
}
"""Image codecs that store gray or RGB only, by their names in imagecodecs."""
WITH_PREDICTOR = CODES - {32773}

PREMULTIPLIED, STRAIGHT = 1, 2
STRUCTURE = {
    *(254, 256, 257, 258, 259, 262, 266, 273, 274, 277, 278, 279, 284, 317, 320, 322, 323, 324, 325),
    *(332, 334, 338, 339, 347, 529, 530, 531, 532, 32997, 32998),
}
"""Tags that change how pixels are decoded."""


@dataclass(frozen=True)
class PageLayout:
    """How the samples of a TIFF page are stored.

    Attributes
    ----------
    width, height : int
        Pixels, as stored.
    tile_width, tile_height : int
        Pixels of a tile; a strip is as wide as the page.
    is_tiled : bool
        False for strips.
    compression, photometric : int
        Values of the tags Compression and PhotometricInterpretation.
    bits : int
        Bits per sample: 1, 2, 4 or 8.
    samples : int
        Samples per pixel.
    colours : int
        Number of colour samples, which come first.
    alpha : int or None
        Index of the alpha sample.
    premultiplied : bool
        Whether the colours are multiplied by alpha.
    planes : int
        1 if samples are interleaved, `samples` if each has its own plane.
    predictor : int
        1 for none, 2 for horizontal differencing.
    reversed_bits : bool
        Whether FillOrder is 2.
    subsampling : (int, int)
        Horizontal and vertical chroma subsampling of YCbCr outside JPEG; else (1, 1).
    coefficients, reference : tuple of float
        YCbCrCoefficients and ReferenceBlackWhite.
    palette : NDArray[uint8] or None
        RGB of each index, (2**bits, 3).
    inks : bytes or None
        ICC profile of CMYK samples.
    notes : tuple of str
        Notes for the user.
    """

    width: int
    height: int
    tile_width: int
    tile_height: int
    is_tiled: bool
    compression: int
    photometric: int
    bits: int
    samples: int
    colours: int
    alpha: int | None
    premultiplied: bool
    planes: int
    predictor: int
    reversed_bits: bool
    subsampling: tuple[int, int]
    coefficients: tuple[float, float, float]
    reference: tuple[float, ...]
    palette: NDArray[np.uint8] | None
    inks: bytes | None
    notes: tuple[str, ...]

    @property
    def rows(self) -> int:
        """Number of tiles or strips from top to bottom."""
        return -(-self.height // self.tile_height)

    @property
    def columns(self) -> int:
        """Number of tiles from left to right; 1 for strips."""
        return -(-self.width // self.tile_width)

    @property
    def stored_samples(self) -> int:
        """Number of samples per pixel in one tile."""
        return 1 if self.planes > 1 else self.samples

    def row_bytes(self) -> int:
        """Return the number of bytes in one row of an uncompressed tile."""
        return -(-self.tile_width * self.stored_samples * self.bits // 8)


def name_of(code: Any) -> str:
    """Return tifffile's name of a compression or photometric interpretation, or its number."""
    return str(getattr(code, "name", code))


def page_layout(page: Any, where: str) -> PageLayout:
    """Read the tags of a page; `SourceError` with the reason if the page is not supported."""
    problem = _problem(page)
    if problem is not None:
        msg = f"{where}: found {problem}, expected 8-bit gray, RGB or RGBA; convert it first"
        raise SourceError(msg)
    photometric, bits = int(page.photometric), int(page.bitspersample)
    samples, colours = int(page.samplesperpixel), COLOURS[photometric]
    alphas = [k for k, kind in enumerate(page.extrasamples) if kind in {PREMULTIPLIED, STRAIGHT}]
    unknown = samples - colours - len(alphas)
    notes = (f"{unknown} extra sample(s) of unknown kind are left out",) if unknown else ()
    profile = None if page.iccprofile is None else bytes(page.iccprofile)
    is_tiled = bool(page.is_tiled)
    plain_ycbcr = photometric == YCBCR and page.compression in CODES | {NO_COMPRESSION}
    return PageLayout(
        width=int(page.imagewidth),
        height=int(page.imagelength),
        tile_width=int(page.tilewidth if is_tiled else page.imagewidth),
        tile_height=int(page.tilelength if is_tiled else min(page.rowsperstrip, page.imagelength)),
        is_tiled=is_tiled,
        compression=int(page.compression),
        photometric=photometric,
        bits=bits,
        samples=samples,
        colours=colours,
        alpha=colours + alphas[0] if alphas else None,
        premultiplied=bool(alphas) and page.extrasamples[alphas[0]] == PREMULTIPLIED,
        planes=samples if page.planarconfig == 2 else 1,
        predictor=int(page.predictor) if page.compression in WITH_PREDICTOR else 1,
        reversed_bits=page.fillorder == 2,
        subsampling=_subsampling(page) if plain_ycbcr else (1, 1),
        coefficients=_rationals(page, 529, BT601),  # type: ignore[arg-type]
        reference=_rationals(page, 532, (0, 255, 128, 255, 128, 255)),
        palette=_palette(page.colormap) if photometric == PALETTE else None,
        inks=profile if photometric == SEPARATED else None,
        notes=notes,
    )


def _problem(page: Any) -> str | None:
    """Return why a page is not supported, None if it is."""
    return _tag_problem(page) or _sample_problem(page) or _storage_problem(page)


def _tag_problem(page: Any) -> str | None:
    """Return which tag is damaged, absent or out of range; readers that guess would show wrong pixels."""
    codes = _codes(page)
    lost = sorted((set(codes) & STRUCTURE) - {tag.code for tag in page.tags})
    twice = sorted({code for code in codes if code in STRUCTURE and codes.count(code) > 1})
    if lost or twice:
        return f"a damaged tag {(lost or twice)[0]}"
    if 262 not in codes:
        return "no PhotometricInterpretation"
    by_bits = page.compression in CODES | CCITT | {NO_COMPRESSION}  # others have an order of bits of their own
    single = (*((266,) if by_bits else ()), 256, 257, 259, 262, 274, 277, 278, 284, 317, 322, 323, 32997, 32998)
    for code in single:
        value = page.tags.valueof(code)
        if value is not None and not (isinstance(value, int) and value >= 0):
            return f"tag {code} with the value {str(value)[:40]}"
    if (by_bits and page.fillorder not in {1, 2}) or page.planarconfig not in {1, 2}:
        return f"FillOrder {page.fillorder} and PlanarConfiguration {page.planarconfig}"
    if page.imagedepth != 1 or page.tiledepth != 1:
        return f"a volume of {page.imagedepth} planes in one page"
    return None


def _codes(page: Any) -> list[int]:
    """Return the codes of all directory entries of a page, including those that tifffile could not read."""
    layout, file = page.parent.tiff, page.parent.filehandle
    file.seek(page.offset)
    order: Literal["big", "little"] = "big" if page.parent.byteorder == ">" else "little"
    count = int.from_bytes(file.read(layout.tagnosize), order)
    data = file.read(min(count, 4096) * layout.tagsize)
    return [int.from_bytes(data[at : at + 2], order) for at in range(0, len(data), layout.tagsize)]


def _sample_problem(page: Any) -> str | None:
    """Return why this kind of samples is not supported, None if it is."""
    photometric, samples = page.photometric, page.samplesperpixel
    if photometric not in COLOURS:
        return f"photometric {name_of(photometric)}, which is not supported"
    bits, deep = page.bitspersample, f"{page.bitspersample}-bit samples ({page.dtype})"
    formats = {*np.atleast_1d(page.tags.valueof(339, 1)).tolist()}
    if not isinstance(bits, int) or formats - {1, 4}:
        return f"{deep}, photometric {name_of(photometric)}"
    if bits > 8 or bits not in ({8} if photometric in {RGB, YCBCR, SEPARATED} else {1, 2, 4, 8}):
        return f"{deep}, photometric {name_of(photometric)}"
    extra = samples - COLOURS[photometric]
    kinds = list(page.extrasamples)
    if extra < 0 or len(kinds) > extra or (photometric in {MIN_IS_BLACK, MIN_IS_WHITE} and extra > 1 and not kinds):
        return f"{samples} sample(s) a pixel of photometric {name_of(photometric)}"
    if sum(kind in {PREMULTIPLIED, STRAIGHT} for kind in kinds) > 1:
        return "two alpha channels"
    if photometric == PALETTE and (page.colormap is None or page.colormap.shape != (3, 2**bits)):
        return "PALETTE without a colour map of its size"
    if photometric == SEPARATED:
        if page.tags.valueof(332, 1) != 1 or page.tags.valueof(334, 4) != 4:
            return "SEPARATED inks other than CMYK"
        if colour_space(page.iccprofile) != "CMYK":
            return "SEPARATED inks (CMYK) without an ICC profile that says which colours they are"
    return None


def _storage_problem(page: Any) -> str | None:
    """Return why this way to store samples is not supported, None if it is."""
    compression, name = page.compression, f"compression {name_of(page.compression)}"
    plain = compression in CODES | {NO_COMPRESSION}
    if not plain and compression not in {JPEG, *JPEG_2000, *PICTURES, *CCITT}:
        return f"{name}, which is not supported"
    if page.predictor not in {1, 2} or (page.predictor == 2 and page.bitspersample != 8):
        return f"Predictor {page.predictor} of {page.bitspersample}-bit samples"
    if page.predictor == 2 and compression not in WITH_PREDICTOR:
        return f"Predictor 2 with {name}, which readers understand differently"
    if not plain and compression not in CCITT and page.bitspersample != 8:
        return f"{page.bitspersample}-bit samples with {name}"
    if compression in CCITT and (page.bitspersample, page.samplesperpixel, page.photometric in {0, 1}) != (1, 1, True):
        return f"{name} of other than 1-bit gray samples"
    if page.photometric == YCBCR:
        return _ycbcr_problem(page, plain=plain)
    if page.photometric == PALETTE and not plain:
        return f"PALETTE with {name}"
    if compression in PICTURES and page.planarconfig == 2 and page.samplesperpixel > 1:
        return f"planes apart with {name}"
    return None


def _ycbcr_problem(page: Any, *, plain: bool) -> str | None:
    """Return why these YCbCr samples are not supported, None if they are."""
    if not plain and page.compression not in {JPEG, *JPEG_2000}:
        return f"photometric YCBCR with compression {name_of(page.compression)}"
    if page.planarconfig == 2:
        return "YCBCR in planes apart"
    if page.samplesperpixel != 3:
        return "YCBCR with extra samples"
    across, down = _subsampling(page)
    if across not in {1, 2, 4} or down not in {1, 2, 4}:
        return f"YCbCrSubSampling {across}, {down}"
    if plain and page.predictor == 2 and (across, down) != (1, 1):
        return "Predictor 2 of subsampled YCBCR"
    if not min(_rationals(page, 529, BT601)) > 0:
        return "YCbCrCoefficients that are not positive"
    return None


def _subsampling(page: Any) -> tuple[int, int]:
    value = page.tags.valueof(530, (2, 2))  # the default of section 21
    across, down = value if isinstance(value, tuple) and len(value) == 2 else (0, 0)
    return int(across), int(down)


def _rationals(page: Any, code: int, default: tuple[float, ...]) -> tuple[float, ...]:
    """Return the rational numbers of a tag; `default` if it is absent, damaged or of another length."""
    value = page.tags.valueof(code)
    if not isinstance(value, tuple) or len(value) != 2 * len(default):
        return default
    numbers = [top / bottom if bottom else math.nan for top, bottom in zip(value[::2], value[1::2], strict=True)]
    return tuple(numbers) if all(map(math.isfinite, numbers)) else default


def _palette(colormap: NDArray[np.uint16]) -> NDArray[np.uint8]:
    """Return RGB for each index; if all entries are below 256 they are 8-bit values, as libtiff assumes."""
    entries = np.asarray(colormap).T.astype(np.uint32)
    rgb: NDArray[np.uint8] = (entries if entries.max(initial=0) < 256 else entries >> 8).astype(np.uint8)
    return rgb
