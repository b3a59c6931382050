"""Check whether an ICC profile fits RGB pixels, and convert CMYK to sRGB."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rrip_format.sources.base import load_reader

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["colour_space", "fitting_profile", "inks_to_srgb"]


def colour_space(profile: bytes | None) -> str | None:
    """Return the data colour space of a profile, such as ``"RGB"``, ``"GRAY"``, ``"CMYK"``; None if invalid."""
    if profile is None or len(profile) < 128 or profile[36:40] != b"acsp":
        return None
    return profile[16:20].decode("latin-1").strip()


def fitting_profile(profile: bytes | None) -> tuple[bytes | None, tuple[str, ...]]:
    """Return the profile if it describes RGB, otherwise None and a note for the user."""
    if not profile:
        return None, ()
    space = colour_space(profile)
    if space == "RGB":
        return bytes(profile), ()
    what = f"for {space}, which does not describe RGB pixels," if space else "of no kind that is known"
    return None, (f"the source's ICC profile {what} is left out",)


def inks_to_srgb(samples: NDArray[np.uint8], profile: bytes) -> NDArray[np.uint8]:
    """Convert CMYK samples (H, W, 4), where 255 is full ink, to sRGB with their ICC profile."""
    pyvips = load_reader("pyvips")
    image = pyvips.Image.new_from_array(np.ascontiguousarray(samples)).copy(interpretation="cmyk")
    image.set_type(pyvips.GValue.blob_type, "icc-profile-data", profile)
    rgb: NDArray[np.uint8] = image.icc_transform("srgb", embedded=True).numpy()
    return rgb
