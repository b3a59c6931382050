"""RRIP: whole-slide images stored as a JPEG base and JPEG residuals, read as plain RGB arrays.

>>> import rrip_format
>>> slide = rrip_format.open("slide.rrip.zarr")  # doctest: +SKIP
>>> slide.read_region(0, 1000, 2000, 512, 512).shape  # doctest: +SKIP
(512, 512, 3)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .errors import RripError

__version__ = "0.1.0"

__all__ = [
    "RripError",
    "RripSlide",
    "RripStore",
    "Settings",
    "Slide",
    "__version__",
    "convert",
    "imread",
    "open",
    "repair",
    "validate",
]

if TYPE_CHECKING:
    from .conversion import convert
    from .encoder import Settings
    from .openslide_api import RripSlide
    from .reading import imread
    from .repairing import repair
    from .slide import Slide
    from .slide import open_slide as open  # noqa: A004
    from .store import RripStore
    from .validation import validate

_LAZY = {
    "RripSlide": "openslide_api",
    "RripStore": "store",
    "Settings": "encoder",
    "Slide": "slide",
    "convert": "conversion",
    "imread": "reading",
    "open": "slide",
    "repair": "repairing",
    "validate": "validation",
}


def __getattr__(name: str) -> Any:
    """Import the public names when they are first used: opening a container needs neither libvips nor OpenSlide."""
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    module = importlib.import_module(f".{_LAZY[name]}", __name__)
    value = getattr(module, "open_slide" if name == "open" else name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
