"""The reader of bioio: ``BioImage("slide.rrip.tif")`` has all levels, the finest first."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..containers.recognition import is_container
from ..errors import RripError
from ..extras import needs
from ..slides.slide import Slide, open_slide
from ..spec.extensions import EXTENSIONS

with needs("bioio", "the reader of bioio"):
    import dask.array as da
    import xarray as xr
    from bioio_base.exceptions import UnsupportedFileFormatError
    from bioio_base.reader import Reader as BaseReader
    from bioio_base.reader_metadata import ReaderMetadata as BaseReaderMetadata
    from bioio_base.types import PhysicalPixelSizes

__all__ = ["Reader", "ReaderMetadata"]

_DIMENSIONS = ("Y", "X", "S")


class Reader(BaseReader):  # type: ignore[misc]  # bioio's types are not installed
    """One scene; its levels are resolution levels, with the dimensions Y, X, S, which bioio shows as T, C, Z, Y, X, S.

    Parameters
    ----------
    image : path or URL
    fs_kwargs : dict, optional
        Not used: URLs are read by this package.

    Raises
    ------
    UnsupportedFileFormatError
        If no RRIP container is there, or a damaged one.
    """

    NAME = "rrip-format"

    def __init__(self, image: Any, fs_kwargs: dict[str, Any] | None = None, **_: Any) -> None:  # noqa: ARG002
        try:
            self._slide: Slide = open_slide(image)
        except (RripError, TypeError) as error:
            raise UnsupportedFileFormatError(self.NAME, str(image), str(error)) from error

    @staticmethod
    def _is_supported_image(fs: Any, path: str, **_: Any) -> bool:
        """Whether a path is a container, on the disk or behind the URL that bioio has split."""
        protocol = fs.protocol if isinstance(fs.protocol, str) else fs.protocol[0]
        whole = path if protocol in {"file", "local"} or "://" in path else f"{protocol}://{path}"
        if is_container(whole):
            return True
        raise UnsupportedFileFormatError(Reader.NAME, path, "is no RRIP container")

    @property
    def scenes(self) -> tuple[str, ...]:
        """The slide."""
        return ("Image:0",)

    @property
    def resolution_levels(self) -> tuple[int, ...]:
        """Levels, the finest first."""
        return tuple(level.index for level in self._slide.levels)

    @property
    def physical_pixel_sizes(self) -> PhysicalPixelSizes:
        """Of the current level, µm; None where it is not known."""
        width, height = self._slide.mpp or (None, None)
        factor = 2**self.current_resolution_level
        return PhysicalPixelSizes(None, *(size and size * factor for size in (height, width)))

    def _read_delayed(self) -> xr.DataArray:
        level = self.current_resolution_level
        array = self._slide.group[str(level)]
        return self._array(da.moveaxis(da.from_zarr(array), 0, -1))

    def _read_immediate(self) -> xr.DataArray:
        level = self.current_resolution_level
        height, width = self._slide.level_shape(level)
        return self._array(self._slide.read_region(level, 0, 0, height, width))

    def _array(self, data: Any) -> xr.DataArray:
        coordinates = {"S": ["R", "G", "B"]}
        sizes = self.physical_pixel_sizes
        for name, length, size in zip("YX", data.shape, (sizes.Y, sizes.X), strict=False):
            if size is not None:
                coordinates[name] = np.arange(length) * size
        attributes = {"unprocessed": self._slide.metadata.to_json()}
        return xr.DataArray(data, dims=_DIMENSIONS, coords=coordinates, attrs=attributes)


class ReaderMetadata(BaseReaderMetadata):  # type: ignore[misc]  # as above
    """What bioio asks of a package that has a reader."""

    @staticmethod
    def get_supported_extensions() -> list[str]:
        """Extensions of containers, without their dot."""
        return [suffix[1:] for suffix in EXTENSIONS]

    @staticmethod
    def get_reader() -> type[Reader]:
        """Give the reader."""
        return Reader

    @staticmethod
    def supports_directory_images() -> bool:
        """Whether a folder can be an image: those of Zarr are."""
        return True
