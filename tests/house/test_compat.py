"""Canaries: private names of other packages that this one depends on, in the installed releases."""

from __future__ import annotations

import importlib
import inspect
from importlib.metadata import version

import pytest
from zarr.abc.codec import ArrayBytesCodec, ArrayBytesCodecPartialDecodeMixin

from rrip_format.compat import openslide_cache_bytes
from rrip_format.zarr_views.codec import RripCodec
from rrip_format.zarr_views.key_encoding import RripKeyEncoding


def test_openslide_still_has_the_capacity_of_a_cache():
    openslide = pytest.importorskip("openslide")
    found = openslide_cache_bytes(openslide.OpenSlideCache(12345), -1)
    assert found == 12345, (
        f"openslide-python {version('openslide-python')} has no OpenSlideCache._capacity: see compat.py"
    )


def test_zarr_still_has_the_base_of_key_encodings():
    where = f"zarr {version('zarr')}: zarr.core.chunk_key_encodings.ChunkKeyEncoding"
    module = importlib.import_module("zarr.core.chunk_key_encodings")
    encode = module.ChunkKeyEncoding.encode_chunk_key
    assert list(inspect.signature(encode).parameters) == ["self", "chunk_coords"], where
    assert issubclass(RripKeyEncoding, module.ChunkKeyEncoding)


@pytest.mark.parametrize(
    ("base", "name", "arguments"),
    [
        (ArrayBytesCodec, "_decode_single", ["self", "chunk_data", "chunk_spec"]),
        (ArrayBytesCodec, "_encode_single", ["self", "chunk_data", "chunk_spec"]),
        (
            ArrayBytesCodecPartialDecodeMixin,
            "_decode_partial_single",
            ["self", "byte_getter", "selection", "chunk_spec"],
        ),
        (ArrayBytesCodecPartialDecodeMixin, "decode_partial", ["self", "batch_info"]),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_zarr_still_calls_what_the_codec_overrides(base, name, arguments):
    where = f"zarr {version('zarr')}: {base.__name__}.{name}"
    assert hasattr(base, name), f"{where} is gone: see rrip_format/zarr_views/codec.py"
    assert list(inspect.signature(getattr(base, name)).parameters) == arguments, f"{where} has other arguments"
    assert getattr(RripCodec, name) is not getattr(base, name)
