"""Section 5.1: the inverse DCT, with the names of the specification."""

from __future__ import annotations

import warnings

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.uint8]
Integers = npt.NDArray[np.int64]


class BeyondRangeWarning(UserWarning):
    """The stream contains values that no writer may write, and that decoders may treat differently."""


def _butterfly(c: list[Integers]) -> list[Integers]:
    """Transform eight coefficients in one dimension, ``butterfly`` of section 5.1."""
    z = (c[2] + c[6]) * 4433
    e0, e1 = (c[0] + c[4]) << 13, (c[0] - c[4]) << 13
    e2, e3 = z - c[6] * 15137, z + c[2] * 6270
    a0, a1, a2, a3 = e0 + e3, e1 + e2, e1 - e2, e0 - e3
    z5 = (c[7] + c[3] + c[5] + c[1]) * 9633
    z1, z2 = (c[7] + c[1]) * -7373, (c[5] + c[3]) * -20995
    z3, z4 = (c[7] + c[3]) * -16069 + z5, (c[5] + c[1]) * -3196 + z5
    b0, b1 = c[7] * 2446 + z1 + z3, c[5] * 16819 + z2 + z4
    b2, b3 = c[3] * 25172 + z2 + z3, c[1] * 12299 + z1 + z4
    return [a0 + b3, a1 + b2, a2 + b1, a3 + b0, a3 - b0, a2 - b1, a1 - b2, a0 - b3]


def inverse_dct(coefficients: Integers) -> Samples:
    """Return samples ``(…, 8, 8)`` of dequantised coefficients ``(…, v, u)`` (section 5.1).

    Warns
    -----
    BeyondRangeWarning
        If a value is beyond what that section leaves to a writer.
    """
    columns = [coefficients[..., v, :] for v in range(8)]
    w = np.stack([(c + 1024) >> 11 for c in _butterfly(columns)], axis=-2)
    s = np.stack([(r + 131072) >> 18 for r in _butterfly([w[..., u] for u in range(8)])], axis=-1)
    if any(
        np.any((values < -limit) | (values >= limit))
        for values, limit in ((coefficients, 1 << 15), (w, 1 << 15), (s, 512))
    ):
        warnings.warn("coefficients beyond the range of section 5.1", BeyondRangeWarning, stacklevel=2)
    clipped: Integers = np.clip(s + 128, 0, 255)
    return clipped.astype(np.uint8)
