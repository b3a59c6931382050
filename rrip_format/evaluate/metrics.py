"""Measures of the quality of a decoded picture, the same for every codec.

Luma measures (PSNR-Y, SSIM) and colour measures (PSNR-RGB, ΔE00, SSIMULACRA2) are never combined: codecs are compared
by the same measure at the same level only.
"""

from __future__ import annotations

import functools
import io
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.colour import LUMA_WEIGHTS
from ..extras import needs

__all__ = ["METRICS", "Metric", "Reference", "Score", "has_ssimulacra2", "pool"]

Image = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Metric:
    """A measure of quality.

    Parameters
    ----------
    key, label : str
        Name in tables and on plots.
    higher : bool
        Whether higher values are better.
    """

    key: str
    label: str
    higher: bool = True


METRICS = (
    Metric("psnr_y", "PSNR-Y (dB)"),
    Metric("psnr_rgb", "PSNR-RGB (dB)"),
    Metric("ssim", "SSIM of luma"),
    Metric("delta_e", "mean ΔE00", higher=False),
    Metric("delta_e_p95", "95th percentile of ΔE00", higher=False),
    Metric("ssimulacra2", "SSIMULACRA2"),
)


@dataclass(frozen=True, slots=True)
class Score:
    """Measures of one tile.

    Parameters
    ----------
    mse_y, mse_rgb : float
        Mean squared error of BT.601 luma and of RGB samples, 8-bit steps squared.
    ssim : float
        SSIM of luma with a Gaussian window of sigma = 1.5 px.
    delta_e, delta_e_p95 : float
        Mean and 95th percentile of CIEDE2000 over all pixels.
    ssimulacra2 : float or None
        SSIMULACRA2; None if the package is not installed.
    """

    mse_y: float
    mse_rgb: float
    ssim: float
    delta_e: float
    delta_e_p95: float
    ssimulacra2: float | None


@functools.cache
def _ssimulacra2() -> Any:
    """Return the function of the optional package, None if it is not installed."""
    try:
        from ssimulacra2 import compute_ssimulacra2
    except ImportError:
        return None
    return compute_ssimulacra2


def has_ssimulacra2() -> bool:
    """Return whether the optional package is installed."""
    return _ssimulacra2() is not None


def _png(image: Image) -> io.BytesIO:
    """Encode a lossless file in memory, because the package for SSIMULACRA2 reads files."""
    with needs("evaluate", "evaluating"):
        from PIL import Image as Pillow
    file = io.BytesIO()
    Pillow.fromarray(image).save(file, "PNG", compress_level=0)
    file.seek(0)
    return file


class Reference:
    """A tile before encoding, with everything about it that the measures need.

    Parameters
    ----------
    rgb : (h, w, 3) uint8
        The pixels.
    ssimulacra2 : bool
        Measure SSIMULACRA2, which takes three quarters of the time.
    """

    def __init__(self, rgb: Image, *, ssimulacra2: bool = True) -> None:
        with needs("evaluate", "evaluating"):
            from skimage.color import rgb2lab
        self._rgb = rgb
        self._luma = rgb @ LUMA_WEIGHTS
        self._lab = rgb2lab(rgb)
        self._ssimulacra2 = _ssimulacra2() if ssimulacra2 else None

    def score(self, rgb: Image) -> Score:
        """Measure a decoded tile, (h, w, 3) uint8."""
        with needs("evaluate", "evaluating"):
            from skimage.color import deltaE_ciede2000, rgb2lab
            from skimage.metrics import mean_squared_error, structural_similarity
        rgb = np.ascontiguousarray(rgb)
        luma = rgb @ LUMA_WEIGHTS
        delta_e = deltaE_ciede2000(self._lab, rgb2lab(rgb))
        ssim = structural_similarity(
            self._luma, luma, data_range=255, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
        )
        perceived = None if self._ssimulacra2 is None else float(self._ssimulacra2(_png(self._rgb), _png(rgb)))
        return Score(
            mse_y=float(mean_squared_error(self._luma, luma)),
            mse_rgb=float(mean_squared_error(self._rgb, rgb)),
            ssim=float(ssim),
            delta_e=float(delta_e.mean()),
            delta_e_p95=float(np.percentile(delta_e, 95)),
            ssimulacra2=perceived,
        )


def _psnr(mse: float) -> float:
    """Return the peak signal-to-noise ratio, dB; infinite without an error."""
    return 10 * math.log10(255**2 / mse) if mse > 0 else math.inf


def pool(scores: Sequence[Score]) -> dict[str, float | None]:
    """Combine the measures of several tiles of equal size, by the keys of ``METRICS``.

    PSNR is that of the mean squared error over all of them; the others are means over tiles.
    """
    rows = [asdict(score) for score in scores]
    mean = {key: None if None in (values := [row[key] for row in rows]) else float(np.mean(values)) for key in rows[0]}
    assert mean["mse_y"] is not None
    assert mean["mse_rgb"] is not None
    pooled: dict[str, float | None] = {"psnr_y": _psnr(mean["mse_y"]), "psnr_rgb": _psnr(mean["mse_rgb"])}
    return pooled | {metric.key: mean[metric.key] for metric in METRICS if metric.key not in pooled}
