"""PyTorch's ``DataLoader``: the same pixels in its workers, whatever starts them and whenever the slide was opened."""

from __future__ import annotations

import multiprocessing

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed", exc_type=ImportError)

import rrip_format  # noqa: E402
from rrip_format.viewers.openslide_api import RripSlide  # noqa: E402

SIDE = 96
METHODS = [method for method in ("fork", "spawn", "forkserver") if method in multiprocessing.get_all_start_methods()]

# a fork in a process with threads is what users of DataLoader do on Linux
pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning", "ignore:.*CUDA.*:UserWarning")


def by_slide(slide, y, x):
    return slide.read_region(0, y, x, SIDE, SIDE)


def by_rrip_slide(slide, y, x):
    return np.array(slide.read_region((x, y), 0, (SIDE, SIDE)))[..., :3]


def by_zarr(group, y, x):
    return group["0"][:, y : y + SIDE, x : x + SIDE].transpose(1, 2, 0)


def open_group(path):
    import zarr

    return zarr.open_group(rrip_format.RripStore(path), mode="r")


READERS = {
    "open": (rrip_format.open, by_slide),
    "RripSlide": (RripSlide, by_rrip_slide),
    "zarr": (open_group, by_zarr),
}


class Patches(torch.utils.data.Dataset):
    """Patches of a slide that was opened before any worker has started, and that goes to it by fork or pickle."""

    def __init__(self, path, reader, places):
        opener, self.read = READERS[reader]
        self.slide, self.places = opener(path), places

    def __len__(self):
        return len(self.places)

    def __getitem__(self, index):
        return self.read(self.slide, *self.places[index])


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("method", METHODS)
def test_pixels_are_those_of_the_slide(kinds, reader, method):
    whole = kinds.decoded[0]
    choice = np.random.default_rng(1)
    places = [
        (int(choice.integers(whole.shape[0] - SIDE)), int(choice.integers(whole.shape[1] - SIDE))) for _ in "a" * 12
    ]
    patches = Patches(str(kinds.tif), reader, places)
    np.testing.assert_array_equal(
        patches[0], whole[places[0][0] :][:SIDE, places[0][1] :][:, :SIDE]
    )  # its caches are warm
    loader = torch.utils.data.DataLoader(patches, batch_size=4, num_workers=2, multiprocessing_context=method)
    found = np.concatenate([batch.numpy() for batch in loader])
    for (y, x), patch in zip(places, found, strict=True):
        np.testing.assert_array_equal(patch, whole[y : y + SIDE, x : x + SIDE])
