"""The only page of a sealed TIFF file that other software sees: a picture of a notice (spec section 10.10)."""

from __future__ import annotations

import base64
import zlib

from ..spec.tiff_layout import Kind, Tag, Value

__all__ = ["notice_pixels", "notice_tags"]

_WIDTH, _HEIGHT = 352, 48

_PIXELS = (
    "eNrt1DFr20AUB/Ah0GzS2Ia40tgtFG6oRVMbOrRj906FgDQEnBZBUhM77uYusecQOxn6IeygFjWThpwrOhRqrMNDwDfUkigGnYMsXU9y5CRQGX"
    "dpoeSBzzL89Pjr3cmU3tZfqLBCMaWjvEnNOerzWz7LL2i/SIZkJHaupNSUsIQb3vNTXB2r6y94+L6Ue1CdZ7dBA4MRkGoK3JAaBkjJUDQlw5LV"
    "nLw7AgASiB8fDHZTnm0sZvlOIbI/R7HNp9qoLz2L7NI9FcBliLMrg6WUvEVXoj/WmK2ELAOFGBwMKvMsdy0vSM0QzYGeH6mzOWCQSZtDbMmRen"
    "peHb+J5ouzQtp8f1MXePGDNDH/4NCJty/eP6l3uh5/Ryua7QS7OmQHs0Bpnx6z3yQ2RL+6rx8tgTu1OrNO0uXSfmgHQo4T2SruGzXC+16dq+8L"
    "4uprv/ms/u1lPvPk6frG1DZbJYig2SoNXaRte4rvyfKONTQ1udgs7MDu8YmFuq2p/dQK3J7ttgKbIH3PI77neQTZrrZVPiwQ1OtrNuonth04q0"
    "O+HVmj5i0ze4egIa+9Km9G9iuz1qNLq5ftnk3ZShBzlH1C1pdqW5PNpG9vlqHU6bK85TjvQAkcWWZ9Wd49hVmWF13Z9kTIrLE5OHzHqN/lQoHn"
    "SMcRtYehwm76nv94H1kg+RcIqO9efy1u7JV/c+sCemEubifiovZ/rV87fnoJ"
)
"""Black text on white, one bit per pixel, as zlib in base64: "RRIP whole-slide image", and how to open it."""


def notice_pixels() -> bytes:
    """Return the uncompressed pixels of the page, one bit each, rows of whole bytes."""
    return zlib.decompress(base64.b64decode(_PIXELS))


def notice_tags(offset: int) -> dict[int, Value]:
    """Return the tags of the page: one uncompressed strip of black and white at `offset`, without a pixel size."""
    return {
        Tag.SUBFILE_TYPE: Value.of(Kind.LONG, 0),
        Tag.WIDTH: Value.of(Kind.LONG, _WIDTH),
        Tag.LENGTH: Value.of(Kind.LONG, _HEIGHT),
        Tag.BITS_PER_SAMPLE: Value.of(Kind.SHORT, 1),
        Tag.COMPRESSION: Value.of(Kind.SHORT, 1),
        Tag.PHOTOMETRIC: Value.of(Kind.SHORT, 1),
        Tag.SAMPLES_PER_PIXEL: Value.of(Kind.SHORT, 1),
        Tag.PLANAR: Value.of(Kind.SHORT, 1),
        Tag.ROWS_PER_STRIP: Value.of(Kind.LONG, _HEIGHT),
        Tag.STRIP_OFFSETS: Value.of(Kind.LONG8, offset),
        Tag.STRIP_BYTES: Value.of(Kind.LONG8, _WIDTH // 8 * _HEIGHT),
    }
