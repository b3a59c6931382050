"""Check whether an ICC profile fits RGB pixels, and convert CMYK to sRGB."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rrip_format.sources.base import load_reader

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["colour_space", "fitting_profile", "inks_to_srgb"]


DEVICES = {b"scnr", b"mntr", b"prtr", b"spac"}
"""Classes of profiles that describe the pixels beside them."""


def colour_space(profile: bytes | None) -> str | None:
    """Return the data colour space of a profile, such as ``"RGB"``, ``"GRAY"``, ``"CMYK"``; None if invalid."""
    if profile is None or len(profile) < 128 or profile[36:40] != b"acsp":
        return None
    return profile[16:20].decode("latin-1").strip()


def fitting_profile(profile: bytes | None) -> tuple[bytes | None, tuple[str, ...]]:
    """Return the profile without padding if it describes RGB pixels, otherwise None and a note for the user."""
    if not profile:
        return None, ()
    space, data = colour_space(profile), bytes(profile)
    if space is None:
        what = "of no kind that is known"
    elif space != "RGB":
        what = f"for {space}, which does not describe RGB pixels,"
    elif data[12:16] not in DEVICES:
        what = f"of the class {data[12:16].decode('latin-1').strip()!r}, which does not describe pixels,"
    elif not _is_whole(data):
        what = "is damaged or cut off, and"
    else:
        return data[: int.from_bytes(data[:4], "big")], ()
    return None, (f"the source's ICC profile {what} is left out",)


def _is_whole(profile: bytes) -> bool:
    """Return whether a profile is as long as it says, and its tags are inside it (ICC.1, section 7)."""
    size, count = int.from_bytes(profile[:4], "big"), int.from_bytes(profile[128:132], "big")
    if not 132 + 12 * count <= size <= len(profile) or not count:
        return False
    entries = [profile[132 + 12 * k : 144 + 12 * k] for k in range(count)]
    return all(int.from_bytes(tag[4:8], "big") + int.from_bytes(tag[8:], "big") <= size for tag in entries)


def inks_to_srgb(samples: NDArray[np.uint8], profile: bytes) -> NDArray[np.uint8]:
    """Convert CMYK samples (H, W, 4), where 255 is full ink, to sRGB with their ICC profile."""
    pyvips = load_reader("pyvips")
    image = pyvips.Image.new_from_array(np.ascontiguousarray(samples)).copy(interpretation="cmyk")
    image.set_type(pyvips.GValue.blob_type, "icc-profile-data", profile)
    rgb: NDArray[np.uint8] = image.icc_transform("srgb", embedded=True).numpy()
    return rgb
