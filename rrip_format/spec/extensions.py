"""File name extensions of containers (spec sections 9.1 and 10)."""

from __future__ import annotations

__all__ = ["EXTENSIONS", "FOLDER", "SEALED", "TIFF", "ZIP"]

FOLDER, ZIP, TIFF, SEALED = ".rrip.zarr", ".rrip.zarr.zip", (".rrip.tif", ".rrip.tiff"), ".rrip"

EXTENSIONS = (FOLDER, ZIP, *TIFF, SEALED)
