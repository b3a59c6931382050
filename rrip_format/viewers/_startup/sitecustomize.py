"""Patches OpenSlide as a Python starts that has this folder on its path (``python -m rrip_format.openslide``)."""

import sys
from contextlib import suppress
from pathlib import Path

with suppress(ImportError):  # another Python, or another program, which may have neither
    import openslide  # noqa: F401

    from rrip_format.viewers.openslide_patch import patch_openslide

    patch_openslide()

# then the module of this name that would have been imported without this folder
_here = str(Path(__file__).parent)
sys.path[:] = [place for place in sys.path if place != _here]
_own = sys.modules.pop("sitecustomize")
try:
    import sitecustomize  # type: ignore[import-not-found]  # noqa: F401
except ImportError:
    sys.modules["sitecustomize"] = _own
