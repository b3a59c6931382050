"""Arrays that say more than NumPy's: names of dimensions, labels of channels, masks of lazy blocks."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from tiff_readers import picture

from rrip_format.errors import SourceError
from rrip_format.sources import open_source


class Named:
    """An array with what xarray or Zarr add to it."""

    def __init__(self, values, **facts):
        self.values = values
        self.shape, self.dtype = values.shape, values.dtype
        vars(self).update(facts)

    def __getitem__(self, key):
        return self.values[key]


def read(array):
    with open_source(array) as source:
        return source.read(0, 0, source.info.height, source.info.width)


@pytest.mark.parametrize(
    "dims", [("y", "x", "c"), ("Y", "X", "S"), ("a", "b", "c"), ("c", "y", "x"), ("lat", "lon", "band")]
)
@pytest.mark.parametrize("labels", [None, ["R", "G", "B"], ["red", "green", "blue"], [0, 1, 2], [10.5, 3.0, 7.5]])
def test_names_in_order(dims, labels, tmp_path):
    first = dims[0] == "c"
    coords = {} if labels is None else {dims[0 if first else 2]: np.array(labels)}
    array = Named(np.moveaxis(picture(), -1, 0) if first else picture(), dims=dims, coords=coords)
    np.testing.assert_array_equal(read(array), picture())


@pytest.mark.parametrize("dims", [("x", "y", "c"), ("X", "Y", "S"), ("c", "x", "y"), ("x", "y")])
@pytest.mark.parametrize("where", ["xarray", "zarr"])
def test_rows_and_columns_exchanged(dims, where):
    values = {"c": np.moveaxis(picture(), -1, 0), "y": picture()[..., 0]}.get(
        dims[0] if len(dims) == 3 else "y", picture()
    )
    facts = {"dims": dims} if where == "xarray" else {"metadata": SimpleNamespace(dimension_names=dims)}
    with pytest.raises(SourceError, match="expected y before x; transpose it"):
        open_source(Named(values, **facts))


@pytest.mark.parametrize("labels", [["B", "G", "R"], ["blue", "green", "red"], ["g", "r", "b"], ["B", "G", "R", "A"]])
def test_channels_in_another_order(labels):
    array = Named(picture(4)[..., : len(labels)], dims=("y", "x", "c"), coords={"c": np.array(labels)})
    with pytest.raises(SourceError, match="expected red, green, blue"):
        open_source(array)


def test_a_mask_that_shows_when_a_block_is_computed():
    dask = pytest.importorskip("dask.array")
    array = dask.ma.masked_less(dask.from_array(picture(), chunks=16), 40)
    with pytest.raises(SourceError, match="is masked"):
        read(array)
    np.testing.assert_array_equal(read(dask.from_array(picture(), chunks=16)), picture())
