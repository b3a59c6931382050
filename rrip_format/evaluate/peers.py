"""The codecs that RRIP is compared with; each stores the same three levels of a family.

All encode and decode in one thread, with imagecodecs (libjpeg-turbo, libjxl, libwebp, libavif, OpenJPEG, OpenJPH);
OpenJPEG in Pillow decodes a coarser level from one JPEG 2000 stream. jpegli encodes by the package ajpegli, if that is
installed, and libjpeg-turbo decodes its streams as it does every JPEG.
"""

from __future__ import annotations

import importlib
import io
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..core.predict import box2
from ..errors import RripError
from ..extras import load_module
from .sample import Family

__all__ = ["ANCHOR", "Method", "Stored", "peers"]

Image = NDArray[np.uint8]
Encoder = Callable[[Image, float], bytes]
Decoder = Callable[[bytes], Image]

ANCHOR = "jpeg-420"
"""Key of the codec that all others are compared with, the usual JPEG pyramid."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A family as a codec stores it.

    Parameters
    ----------
    sizes : three ints
        Bytes added by levels 0, 1 and 2; a stream with several levels counts for the finest one.
    decode : callable
        Decodes level 0 or 1 from the stored bytes to RGB, (s, s, 3) uint8.
    """

    sizes: tuple[int, int, int]
    decode: Callable[[int], Image]


class Method(Protocol):
    """A codec with the settings that it is measured at."""

    @property
    def key(self) -> str:
        """Unique short name."""
        ...

    @property
    def label(self) -> str:
        """Name in tables and plots."""
        ...

    @property
    def settings(self) -> tuple[float, ...]:
        """Settings in ascending order."""
        ...

    def encode(self, family: Family, setting: float) -> Stored:
        """Encode the three levels of a family."""
        ...


@dataclass(frozen=True, slots=True)
class Pyramid:
    """A codec that stores every level as a separate picture."""

    key: str
    label: str
    settings: tuple[float, ...]
    encoder: Encoder
    decoder: Decoder

    def encode(self, family: Family, setting: float) -> Stored:
        """Encode a family; see :meth:`Method.encode`."""
        parts = [self.encoder(level, setting) for level in family.levels]
        return Stored((len(parts[0]), len(parts[1]), len(parts[2])), lambda level: self.decoder(parts[level]))


@dataclass(frozen=True, slots=True)
class OneStream:
    """A codec that stores level 0 alone; coarser levels come from its stream, or from its decoded pixels.

    Parameters
    ----------
    reduced : callable
        Decodes level 1 from the stream.
    """

    key: str
    label: str
    settings: tuple[float, ...]
    encoder: Encoder
    decoder: Decoder
    reduced: Decoder

    def encode(self, family: Family, setting: float) -> Stored:
        """Encode a family; see :meth:`Method.encode`."""
        data = self.encoder(family.levels[0], setting)
        return Stored((len(data), 0, 0), lambda level: self.reduced(data) if level else self.decoder(data))


def _codecs() -> Any:
    return load_module("imagecodecs", "evaluate", "evaluating")


def _jpeg(rgb: Image, setting: float, *, subsampling: str) -> bytes:
    """Encode with libjpeg-turbo: Annex K tables, optimised Huffman, baseline."""
    data: bytes = _codecs().jpeg8_encode(rgb, level=int(setting), subsampling=subsampling, optimize=True)
    return data


def _flat_jpeg(rgb: Image, setting: float, *, subsampling: str) -> bytes:
    """Encode with mozjpeg in libvips: flat tables, trellis quantisation, optimised Huffman, baseline."""
    from ..family.jpeg import has_trellis, libvips

    if not has_trellis():
        raise RripError("libvips was built without mozjpeg; install pyvips-binary")
    height, width = rgb.shape[:2]
    data: bytes = (
        libvips()
        .Image.new_from_memory(rgb, width, height, 3, "uchar")
        .jpegsave_buffer(
            Q=int(setting),
            quant_table=1,
            trellis_quant=True,
            optimize_coding=True,
            keep="none",
            subsample_mode="off" if subsampling == "444" else "on",
        )
    )
    return data


def _jpegli(rgb: Image, setting: float, *, subsampling: str) -> bytes:
    """Encode with jpegli: its tables and adaptive quantisation, optimised Huffman, baseline."""
    try:
        encode = importlib.import_module("ajpegli").encode
    except ImportError as error:
        raise RripError("jpegli needs ajpegli, which is in no extra: pip install ajpegli") from error
    data: bytes = encode(rgb, quality=int(setting), subsampling=subsampling, progressive=0)
    return data


def _jxl(rgb: Image, setting: float, *, effort: int) -> bytes:
    data: bytes = _codecs().jpegxl_encode(rgb, distance=setting, effort=effort, numthreads=1)
    return data


def _webp(rgb: Image, setting: float) -> bytes:
    data: bytes = _codecs().webp_encode(rgb, level=setting, method=4, lossless=False)
    return data


def _avif(rgb: Image, setting: float) -> bytes:
    data: bytes = _codecs().avif_encode(rgb, level=int(setting), speed=6, pixelformat="yuv444", numthreads=1)
    return data


def _j2k(rgb: Image, setting: float) -> bytes:
    """Encode with OpenJPEG: irreversible colour and 9/7 wavelet; the setting is the target PSNR, dB."""
    data: bytes = _codecs().jpeg2k_encode(rgb, level=setting, codecformat="j2k", reversible=False, numthreads=1)
    return data


def _htj2k(rgb: Image, setting: float) -> bytes:
    """Encode with OpenJPH: irreversible colour and 9/7 wavelet; the setting is the quantiser step."""
    data: bytes = _codecs().htj2k_encode(rgb, level=setting, reversible=False)
    return data


def _decode(data: bytes, codec: str, **options: int) -> Image:
    pixels: Image = getattr(_codecs(), f"{codec}_decode")(data, **options)
    return pixels


_BITS = (42, 45, 48)
"""Offsets of the bit depths, less one, of three components in a JPEG 2000 codestream."""


def _decode_htj2k(data: bytes, skipres: int = 0) -> Image:
    """Decode with OpenJPH, clamped to 8 bits.

    imagecodecs does not clamp what OpenJPH decodes: what is beyond white becomes black. The stream is decoded as if it
    had 9 bits, which doubles all samples, and these are clamped and halved.
    """
    doubled = bytearray(data)
    for at in _BITS:
        doubled[at] += 1
    samples: NDArray[np.int16] = _codecs().htj2k_decode(bytes(doubled), skipres=skipres).view(np.int16)
    samples += 1
    samples >>= 1
    return np.clip(samples, 0, 255, out=samples).astype(np.uint8)


def _half_j2k(data: bytes) -> Image:
    """Decode level 1 of a JPEG 2000 stream, without its finest wavelet level."""
    picture: Any = load_module("PIL.Image", "evaluate", "evaluating").open(io.BytesIO(data))
    picture.reduce = 1
    return np.asarray(picture)


_JPEG = (35, 50, 62, 75, 82, 90, 95)
_FLAT = (40, 55, 68, 78, 86, 91, 95)
_JXL = (6.0, 4.0, 2.6, 1.8, 1.2, 0.8, 0.4)
_J2K = (28.0, 31.0, 34.0, 37.0, 40.0, 43.0, 46.0)
_HTJ2K = (0.08, 0.05, 0.033, 0.021, 0.014, 0.008, 0.005)


def peers() -> list[Method]:
    """Return all codecs to compare with, the anchor first."""
    jpeg = partial(_decode, codec="jpeg8")
    jxl = partial(_decode, codec="jpegxl", numthreads=1)
    j2k = partial(_decode, codec="jpeg2k", numthreads=1)
    turbo, flat = partial(_jpeg, subsampling="420"), partial(_flat_jpeg, subsampling="420")
    fast = partial(_jxl, effort=5)
    return [
        Pyramid(ANCHOR, "JPEG 4:2:0", _JPEG, turbo, jpeg),
        Pyramid("jpeg-444", "JPEG 4:4:4", _JPEG, partial(_jpeg, subsampling="444"), jpeg),
        Pyramid("jpeg-420-flat", "JPEG 4:2:0, flat tables + trellis", _FLAT, flat, jpeg),
        Pyramid(
            "jpeg-444-flat", "JPEG 4:4:4, flat tables + trellis", _FLAT, partial(_flat_jpeg, subsampling="444"), jpeg
        ),
        Pyramid("jpegli-420", "jpegli 4:2:0", _JPEG, partial(_jpegli, subsampling="420"), jpeg),
        Pyramid("jpegli-444", "jpegli 4:4:4", _JPEG, partial(_jpegli, subsampling="444"), jpeg),
        Pyramid("jxl", "JPEG XL, effort 5", _JXL, fast, jxl),
        Pyramid("jxl-7", "JPEG XL, effort 7", _JXL, partial(_jxl, effort=7), jxl),
        Pyramid("webp", "WebP", (20, 45, 65, 78, 88, 94, 98), _webp, partial(_decode, codec="webp")),
        Pyramid(
            "avif", "AVIF 4:4:4", (30, 48, 60, 70, 80, 88, 94), _avif, partial(_decode, codec="avif", numthreads=1)
        ),
        Pyramid("j2k", "JPEG 2000", _J2K, _j2k, j2k),
        OneStream("j2k-one", "JPEG 2000, one stream", _J2K, _j2k, j2k, _half_j2k),
        OneStream("htj2k-one", "HTJ2K, one stream", _HTJ2K, _htj2k, _decode_htj2k, partial(_decode_htj2k, skipres=1)),
        OneStream("jpeg-420-l0", "JPEG 4:2:0, L0 only", _JPEG, turbo, jpeg, lambda data: box2(jpeg(data))),
        OneStream("jxl-l0", "JPEG XL, L0 only", _JXL, fast, jxl, lambda data: box2(jxl(data))),
    ]
