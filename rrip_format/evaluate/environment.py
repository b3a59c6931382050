"""Record the versions of the libraries and the processor of a measurement."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from ..extras import needs

__all__ = ["environment"]

_PACKAGES = ("rrip-format", "imagecodecs", "pyvips-binary", "pyvips", "pillow", "scikit-image", "numpy")
_EXTRA = ("ajpegli", "bjontegaard", "ssimulacra2", "matplotlib", "openslide-python", "openslide-bin")
_LIBRARIES = ("jpeg8", "jpegxl", "webp", "avif", "jpeg2k", "htj2k")


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _processor() -> str:
    """Return the model of the processor, if the system provides it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def environment() -> dict[str, Any]:
    """Return versions and machine for JSON."""
    with needs("evaluate", "evaluating"):
        import imagecodecs
    libraries = {}
    for name in _LIBRARIES:
        try:
            libraries[name] = str(getattr(imagecodecs, f"{name}_version")())
        except Exception as error:  # noqa: BLE001 - a codec that was not built raises any exception
            libraries[name] = f"not available ({type(error).__name__})"
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "cores": os.cpu_count(),
        "packages": {name: _version(name) for name in (*_PACKAGES, *_EXTRA)},
        "libraries": libraries,
    }
