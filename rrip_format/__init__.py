"""RRIP: whole-slide images stored as a JPEG base and JPEG residuals, read as plain RGB arrays.

>>> import rrip_format
>>> slide = rrip_format.open("slide.rrip.zarr")
>>> slide.read_region(0, 300, 200, 256, 256).shape
(256, 256, 3)

The names of ``__all__`` and the exceptions of :mod:`rrip_format.errors` are public: import them from here. Modules
inside the packages may change with every version.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .errors import FormatError, RripError

__version__ = "0.1.0"

__all__ = [
    "FormatError",
    "RripError",
    "RripSlide",
    "RripStore",
    "Settings",
    "Slide",
    "__version__",
    "convert",
    "export",
    "imread",
    "info",
    "open",
    "patch_openslide",
    "references",
    "repair",
    "validate",
]

if TYPE_CHECKING:
    from .conversion.run import convert
    from .exporters.run import export
    from .integrity.repairing import repair
    from .integrity.validation import validate
    from .slides.describing import info
    from .slides.reading import imread
    from .slides.slide import Slide
    from .slides.slide import open_slide as open  # noqa: A004
    from .tuning.settings import Settings
    from .viewers.openslide_api import RripSlide
    from .viewers.openslide_patch import patch_openslide
    from .zarr_views.kerchunk import references
    from .zarr_views.store import RripStore

# No sub-package may have the name of a function listed here: importing it would replace the function.
_LAZY = {
    "RripSlide": "viewers.openslide_api",
    "RripStore": "zarr_views.store",
    "Settings": "tuning.settings",
    "Slide": "slides.slide",
    "convert": "conversion.run",
    "export": "exporters.run",
    "imread": "slides.reading",
    "info": "slides.describing",
    "open": "slides.slide",
    "patch_openslide": "viewers.openslide_patch",
    "references": "zarr_views.kerchunk",
    "repair": "integrity.repairing",
    "validate": "integrity.validation",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, so that reading a container imports neither libvips nor OpenSlide."""
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    module = importlib.import_module(f".{_LAZY[name]}", __name__)
    value = getattr(module, "open_slide" if name == "open" else name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the public names alone, which editors complete."""
    return sorted(__all__)
