"""The filter of luma of level 0 (spec section 5.8): kernels equal the reference; windows: ``test_core_alike.py``."""

from __future__ import annotations

from ctypes import c_int16
from typing import Any

import numpy as np
import pytest
import reference
from conftest import tissue
from cores import CORES, using
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from rrip_format.core import library as lib
from rrip_format.core.luma_filter import filter_luma

EXTREMES = [(63, 63, 28, 0), (-63, -63, 0, -28), (63, -63, -14, 14), (0, 0, 28, 0), (0, 0, 0, 28), (10, 14, 7, -9)]
WRONG = [(64, 0, 0, 0), (-64, 0, 0, 0), (0, 64, 0, 0), (0, -64, 0, 0), (0, 0, 29, 0), (0, 0, 0, -29), (0, 0, 15, -14)]
INT16 = np.iinfo(np.int16)


@st.composite
def admissible_weights(draw: st.DrawFn) -> tuple[int, int, int, int]:
    first, second = draw(st.integers(-63, 63)), draw(st.integers(-63, 63))
    edge = draw(st.integers(-28, 28))
    return first, second, edge, draw(st.integers(abs(edge) - 28, 28 - abs(edge)))


@st.composite
def planes(draw: st.DrawFn) -> NDArray[np.uint8]:
    """Noise, black and white, or samples about the limit of the clipped differences."""
    height, width = draw(st.integers(1, 40)), draw(st.integers(1, 150))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    values = draw(st.sampled_from([range(256), (0, 255), range(94, 107), (0, 5, 6, 7, 249, 250, 255)]))
    return rng.choice(values, (height, width)).astype(np.uint8)


@given(planes(), admissible_weights() | st.sampled_from(EXTREMES))
def test_kernels_equal_the_reference(plane: NDArray[np.uint8], weights: Any) -> None:
    expected = reference.filter_luma(plane, weights)
    for core in CORES:
        with using(core):
            np.testing.assert_array_equal(filter_luma(plane, weights), expected)


@pytest.mark.parametrize("core", CORES)
def test_planes_of_any_width(core: str) -> None:
    """Vectors end in the middle of what a row has."""
    rng = np.random.default_rng(5)
    with using(core):
        for width in (*range(1, 135), 255, 256, 2047, 2048):
            plane = rng.integers(0, 256, (3, width)).astype(np.uint8)
            np.testing.assert_array_equal(
                filter_luma(plane, (-20, 33, 9, -17)), reference.filter_luma(plane, (-20, 33, 9, -17))
            )


@pytest.mark.parametrize("weights", EXTREMES)
def test_the_worst_planes(weights: tuple[int, int, int, int]) -> None:
    """Neighbours that follow the signs of the weights drive the sum to its bound, at either end of the samples."""
    edge, diagonal = np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]]), np.array([[1, 0, 1], [0, 0, 0], [1, 0, 1]])
    for core in CORES:
        for pattern in (edge, diagonal, edge + diagonal):
            for plane in (255 * pattern, 255 - 255 * pattern):
                tiled = np.tile(plane, (4, 50)).astype(np.uint8)
                with using(core):
                    np.testing.assert_array_equal(filter_luma(tiled, weights), reference.filter_luma(tiled, weights))


def test_every_value_fits_16_bits() -> None:
    """The table of spec section 5.8; one more would not fit, and neither would the next limit of the sum."""
    clipped, whole = 4 * 6, 4 * 255
    total = 63 * clipped + 63 * clipped + 28 * whole + 64
    assert (clipped, whole, total, total >> 7, 255 + (total >> 7)) == (24, 1020, 31648, 247, 502)
    assert total <= INT16.max
    assert 2 * 63 * clipped + 32 * whole + 64 > INT16.max


def test_a_flat_plane_stays_as_it_is() -> None:
    for value in (0, 100, 255):
        plane = np.full((9, 33), value, np.uint8)
        for weights in EXTREMES:
            np.testing.assert_array_equal(filter_luma(plane, weights), plane)


def test_read_only_and_strided_planes() -> None:
    plane = tissue(64, 64)[::2, ::2, 1]
    plane.flags.writeable = False
    np.testing.assert_array_equal(filter_luma(plane, (10, 14, 7, -9)), reference.filter_luma(plane, (10, 14, 7, -9)))


@pytest.mark.parametrize("weights", WRONG)
def test_weights_out_of_range_are_refused(weights: tuple[int, int, int, int]) -> None:
    with pytest.raises(ValueError, match="out of range"):
        filter_luma(np.zeros((4, 4), np.uint8), weights)


def call(source: NDArray[np.uint8], target: NDArray[np.uint8], memory: NDArray[np.uint8], **changes: Any) -> int:
    height, width = source.shape
    given = {"core": lib.core(), "plane": lib.address(source), "height": height, "width": width}
    given |= {"weights": (c_int16 * 4)(10, 14, 7, -9), "out": lib.address(target)}
    given |= {"scratch": lib.address(memory), "room": memory.size}
    code: int = lib.library.rrip_filter_luma(*(given | changes).values())
    return code


@pytest.mark.parametrize("core", CORES)
def test_scratch_of_any_alignment_and_content(core: str) -> None:
    plane = tissue(16, 100)[..., 0].copy()
    with using(core):
        wanted = filter_luma(plane, (10, 14, 7, -9))
        room = lib.library.rrip_filter_scratch(100)
        for offset in (0, 1, 8, 31, 63):
            for content in (0x00, 0xFF):
                memory, out = np.full(room + 192, content, np.uint8), np.empty_like(plane)
                memory[offset + room :] = memory[:offset] = 0x5A
                assert call(plane, out, memory, scratch=lib.address(memory) + offset, room=room) == 0
                np.testing.assert_array_equal(out, wanted)
                assert (memory[:offset] == 0x5A).all()
                assert (memory[offset + room :] == 0x5A).all()
