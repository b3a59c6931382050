"""Small TIFF and DICOM sources with one attribute changed at random: right or refused, and nothing else ever.

Right is what was stored, or what another library reads of the changed file: some changes make another valid file.
"""

from __future__ import annotations

import contextlib
import random
import struct
import zlib

import imagecodecs
import numpy as np
import pydicom
import pytest
from raw_tiff import SHORT, Page, basic_tags, segments_of, write_raw_tiff
from tiff_readers import picture, readers
from wsi_dicom import write_dicom

from rrip_format.errors import RripError
from rrip_format.sources import open_source

TILE = (16, 32)


def tiff_kinds(folder):
    """Files of different layouts, and what is in them."""
    for name, photometric, tiled, planar, compression, order, big in (
        ("plain", 2, False, False, 1, "<", False),
        ("deflate", 2, True, False, 8, ">", False),
        ("planes", 2, True, True, 8, "<", True),
        ("gray", 1, False, False, 8, "<", False),
        ("predicted", 2, False, False, 5, "<", False),
        ("jpeg", 6, True, False, 7, "<", False),
        ("alpha", 2, False, False, 8, "<", True),
        ("bits", 0, False, False, 32773, "<", False),
    ):
        samples = picture({"gray": 1, "bits": 1, "alpha": 4}.get(name, 3))
        bits = 4 if name == "bits" else 8
        tile, rows = (TILE, None) if tiled else (None, 20)
        extra = (2,) if name == "alpha" else ()
        tags = basic_tags(
            samples,
            photometric=photometric,
            compression=compression,
            planar=planar,
            tile=tile,
            rows=rows,
            bits=bits,
            extra=extra,
        )
        tags[274] = (SHORT, [1])
        parts = segments_of(samples, tile, rows, planar=planar)
        if name == "predicted":
            tags[317] = (SHORT, [2])
            parts = [np.diff(part, axis=1, prepend=np.uint8(0)) for part in parts]
        if name == "jpeg":
            data = [imagecodecs.jpeg8_encode(np.ascontiguousarray(part), level=95, subsampling="420") for part in parts]
            tags[530] = (SHORT, [2, 2])
        else:
            encode = {1: bytes, 8: zlib.compress, 5: imagecodecs.lzw_encode, 32773: imagecodecs.packbits_encode}
            raw = [part.tobytes() for part in parts]
            if bits == 4:
                raw = [((part[:, ::2, 0] & 0xF0) | (part[:, 1::2, 0] >> 4)).tobytes() for part in parts]
            data = [encode[compression](part) for part in raw]
        yield write_raw_tiff(folder / f"{name}.tif", [Page(tags, data, tiled)], byteorder=order, bigtiff=big)


def entries_of(data):
    """Offsets of the entries of the first directory of a TIFF, and their layout."""
    order = "<" if data[:2] == b"II" else ">"
    big = bytes(data[2:4]) in {b"+\0", b"\0+"}
    (at,) = struct.unpack_from(order + ("Q" if big else "I"), data, 8 if big else 4)
    (count,) = struct.unpack_from(order + ("Q" if big else "H"), data, at)
    start, size = at + (8 if big else 2), 20 if big else 12
    return [start + size * k for k in range(count)], order, big


def mutate_tiff(data, rng):
    """Change one field of one entry."""
    entries, order, big = entries_of(data)
    at = rng.choice(entries)
    kind = rng.choice(["value", "value", "value", "type", "count", "code", "small"])
    value_at = at + (12 if big else 8)
    if kind == "code":
        struct.pack_into(order + "H", data, at, rng.choice([rng.randrange(65536), 254, 262, 266, 317, 338, 339, 530]))
    elif kind == "type":
        struct.pack_into(order + "H", data, at + 2, rng.randrange(20))
    elif kind == "count":
        struct.pack_into(order + ("Q" if big else "I"), data, at + 4, rng.choice([0, 1, 2, 3, 5, 1000, 2**31]))
    elif kind == "small":
        struct.pack_into(order + "H", data, value_at, rng.randrange(12))
    else:
        (value,) = struct.unpack_from(order + "I", data, value_at)
        new = rng.choice([0, 1, value + 1, max(value, 1) - 1, value * 2, rng.randrange(2**16), rng.randrange(2**32)])
        struct.pack_into(order + "I", data, value_at, new % 2**32)
    return data


def outcome(path):
    """Why a file is refused, or its pixels."""
    try:
        with open_source(path) as source:
            return None, source.read(0, 0, source.info.height, source.info.width)
    except RripError as error:
        return str(error), None


@pytest.fixture(scope="module", name="tiffs")
def fixture_tiffs(tmp_path_factory):
    return list(tiff_kinds(tmp_path_factory.mktemp("tiffs")))


@pytest.mark.parametrize("seed", range(220))
def test_tiff_tags(seed, tiffs, tmp_path):
    rng = random.Random(seed)
    origin = tiffs[seed % len(tiffs)]
    path = tmp_path / origin.name
    path.write_bytes(mutate_tiff(bytearray(origin.read_bytes()), rng))
    error, pixels = outcome(path)
    if error is not None:
        assert "\n" not in error
        assert str(path) in error
        return
    _, truth = outcome(origin)
    known = [truth, *readers(path)]
    assert any(other.shape == pixels.shape and np.abs(other.astype(int) - pixels).max() <= 2 for other in known)


# --- DICOM ------------------------------------------------------------------------------------------------------------

DICOM = {
    "native": {"syntax": "1.2.840.10008.1.2.1"},
    "implicit": {"syntax": "1.2.840.10008.1.2"},
    "jpeg": {"syntax": "1.2.840.10008.1.2.4.50", "photometric": "YBR_FULL_422"},
    "sparse": {"syntax": "1.2.840.10008.1.2.4.90", "sparse": True},
}
CHANGED = [
    ("Rows", [0, 1, 15, 17, 32, 65535]),
    ("Columns", [0, 1, 31, 33, 64]),
    ("TotalPixelMatrixRows", [0, 1, 43, 45, 48, 49, 2**31]),
    ("TotalPixelMatrixColumns", [0, 1, 69, 71, 96, 97]),
    ("NumberOfFrames", ["0", "1", "8", "10", "100000"]),
    ("SamplesPerPixel", [0, 1, 4]),
    ("PhotometricInterpretation", ["RGB", "YBR_FULL", "MONOCHROME2", "PALETTE COLOR", "YBR_ICT", "", "CMYK"]),
    ("BitsAllocated", [1, 16, 0]),
    ("BitsStored", [7, 12]),
    ("HighBit", [6, 15]),
    ("PixelRepresentation", [1]),
    ("PlanarConfiguration", [2, 7]),
    ("DimensionOrganizationType", ["TILED_SPARSE", "TILED_FULL", "3D", ""]),
    ("TotalPixelMatrixFocalPlanes", [0, 2, 3]),
    ("NumberOfOpticalPaths", [0, 2]),
    ("ImageType", [["ORIGINAL"], ["ORIGINAL", "PRIMARY", "LABEL", "NONE"], []]),
    ("SOPClassUID", ["1.2.840.10008.5.1.4.1.1.2", ""]),
    ("TransferSyntaxUID", ["1.2.840.10008.1.2.4.70", "1.2.840.10008.1.2.4.91", "1.2.840.10008.1.2.1", "1.2.3"]),
    ("SeriesInstanceUID", ["", "1.2.3"]),
    ("ConcatenationUID", ["1.2.3"]),
    ("InConcatenationTotalNumber", [2]),
]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("seed", range(120))
def test_dicom_attributes(seed, tmp_path):
    rng = random.Random(seed)
    name = rng.choice(list(DICOM))
    path = tmp_path / "a.dcm"
    write_dicom(path, **DICOM[name])
    _, truth = outcome(path)
    if seed % 3 == 0:  # somewhere in the header
        data = bytearray(path.read_bytes())
        at = rng.randrange(132, data.index(b"\xe0\x7f\x10\x00"))
        data[at] ^= 1 << rng.randrange(8)
        path.write_bytes(data)
    else:
        keyword, values = rng.choice(CHANGED)
        dataset = pydicom.dcmread(path)
        value = rng.choice(values)
        target = dataset.file_meta if keyword == "TransferSyntaxUID" else dataset
        if rng.random() < 0.2 and keyword in target and keyword != "TransferSyntaxUID":
            del target[keyword]
        else:
            setattr(target, keyword, value)
        try:
            dataset.save_as(path, enforce_file_format=False)
        except Exception:  # noqa: BLE001 - pydicom refuses to write some of these: then patch the bytes
            pytest.skip("pydicom does not write it")
    error, pixels = outcome(path)
    if error is not None:
        assert "\n" not in error
        return
    known = [truth, *witnesses(path, pixels.shape)]
    assert any(other.shape == pixels.shape and np.abs(other.astype(int) - pixels).max() <= 3 for other in known)


def witnesses(path, shape):
    """What pydicom reads, put together here; OpenSlide is not asked, which some changed headers end."""
    with contextlib.suppress(Exception):
        dataset = pydicom.dcmread(path)
        frames = pydicom.pixels.pixel_array(dataset).reshape(-1, dataset.Rows, dataset.Columns, dataset.SamplesPerPixel)
        across = -(-shape[1] // dataset.Columns)
        groups = dataset.get("PerFrameFunctionalGroupsSequence") or []
        out = np.full((shape[0] + dataset.Rows, shape[1] + dataset.Columns, 3), 255, np.uint8)
        for number, frame in enumerate(frames):
            y, x = (part * side for part, side in zip(divmod(number, across), frame.shape, strict=False))
            if groups:
                place = groups[number].PlanePositionSlideSequence[0]
                y, x = place.RowPositionInTotalImagePixelMatrix - 1, place.ColumnPositionInTotalImagePixelMatrix - 1
            out[y : y + frame.shape[0], x : x + frame.shape[1]] = frame
        yield out[: shape[0], : shape[1]]
