"""The reader ``rrip`` of wsidata, on which LazySlide is built: to import this module enters it in ``wsidata.READERS``.

wsidata looks for readers in no entry point. From the import on, ``open_wsi("slide.rrip.tif")`` takes this reader.
"""

from __future__ import annotations

import warnings
from pathlib import Path

from ..containers.recognition import is_container
from ..errors import RripError
from ..extras import needs
from ..spec.extensions import EXTENSIONS
from .openslide_api import RripSlide

with needs("wsidata", "the reader of wsidata"):
    import wsidata
    from wsidata.reader import OpenSlideReader

__all__ = ["RripReader"]


class RripReader(OpenSlideReader):  # type: ignore[misc]  # wsidata is not installed
    """A container of any kind, at full resolution.

    Parameters
    ----------
    file : path
        Of a container.

    Raises
    ------
    UnsupportedSlideError
        If there is no RRIP container; wsidata then tries its other readers.
    """

    name = "rrip"
    pkg_namespaces = "rrip_format"
    pkgs = ("rrip-format",)
    extensions = tuple(dict.fromkeys(Path(suffix).suffix or suffix for suffix in EXTENSIONS))

    def create_reader(self) -> None:
        """Open the container; a damaged one is told in a warning, since wsidata drops the errors of its readers."""
        try:
            self.set_reader(RripSlide(self.file))
        except RripError as error:
            if is_container(self.file):
                warnings.warn(f"{error}; no other reader has its full resolution", stacklevel=2)
            raise


def _scenes(reader: OpenSlideReader) -> int:
    """Return 1, or 2 where wsidata would otherwise give its own store the name of a container.

    wsidata keeps results beside ``slide.rrip.tif`` in ``slide.rrip.zarr`` and deletes first what is there, be it the
    slide itself. Of slides with several scenes the store is ``slide.rrip.scene-0.zarr``.
    """
    store = Path(reader.file).with_suffix(".zarr")
    return 2 if store == Path(reader.file) or store.name.endswith(EXTENSIONS) else 1


OpenSlideReader.n_scenes = property(_scenes)  # where a program is run with patch_openslide too
if RripReader.name not in wsidata.READERS:
    wsidata.READERS[RripReader.name] = RripReader
    # before OpenSlide, which takes level 2 of a .rrip.tif for the slide; other files are left to the others at once
    wsidata.READERS.priority = [RripReader.name, *wsidata.READERS.priority]
