"""The reader of tiatoolbox: ``WSIReader.open(RripWSIReader("slide.rrip.tif"))``, and whatever takes a ``WSIReader``.

tiatoolbox has no table of readers that another package could extend, so that its ``open`` passes this one through.
"""

from __future__ import annotations

import os
from typing import Any

from ..extras import needs
from .openslide_api import RripSlide

with needs("tiatoolbox", "RripWSIReader"):
    from tiatoolbox.wsicore.wsireader import OpenSlideWSIReader, WSIReader

__all__ = ["RripWSIReader"]


class RripWSIReader(OpenSlideWSIReader):  # type: ignore[misc]  # tiatoolbox is not installed
    """A container of any kind, at full resolution, with everything that tiatoolbox's reader of OpenSlide slides has.

    Parameters
    ----------
    input_img : path or URL
        Of a container.
    mpp : (float, float), optional
        Size of a pixel, µm, instead of the container's.
    power : float, optional
        Objective power instead of the container's.
    post_proc : str or callable, optional
        As for ``WSIReader``.

    Raises
    ------
    UnsupportedSlideError
        If there is no RRIP container.
    """

    def __init__(
        self,
        input_img: str | os.PathLike[str],
        mpp: tuple[float, float] | None = None,
        power: float | None = None,
        post_proc: Any = "auto",
    ) -> None:
        # not OpenSlideWSIReader's own, which would open the path with OpenSlide
        WSIReader.__init__(self, input_img=input_img, mpp=mpp, power=power, post_proc=post_proc)
        self.openslide_wsi = RripSlide(self.input_path)
