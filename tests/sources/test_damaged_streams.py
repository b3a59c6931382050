"""Damage inside the compressed data of one tile, which decoders fill up or skip without an error."""

from __future__ import annotations

import io
from functools import partial

import imagecodecs
import numpy as np
import pytest
from PIL import Image
from raw_tiff import Page, basic_tags, write_raw_tiff
from tiff_readers import picture
from wsi_dicom import COLUMNS, ROWS, write_dicom

from rrip_format.errors import SourceError
from rrip_format.sources import open_source
from rrip_format.sources.jpegscan import is_sound

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

KINDS = {
    "baseline": {},
    "4:4:4, own codes": {"optimize": True, "subsampling": 0},
    "restarts": {"restart_marker_blocks": 2},
    "progressive": {"progressive": True},
}


def jpeg(samples=None, **options):
    out = io.BytesIO()
    Image.fromarray(picture() if samples is None else samples).save(out, "JPEG", quality=92, **options)
    return out.getvalue()


def scan_of(stream):
    """Return the first and the last byte of the codes of the last scan."""
    at = stream.rindex(b"\xff\xda")
    return at + 2 + int.from_bytes(stream[at + 2 : at + 4], "big"), stream.rindex(b"\xff\xd9")


def as_tiff(path, stream):
    tags = basic_tags(picture(), photometric=6, compression=7, rows=picture().shape[0])
    return write_raw_tiff(path, [Page(tags, [stream])])


def as_tables(path, stream):
    """Write the tables of a stream apart, as TIFF has it."""
    at = stream.index(b"\xff\xdb")
    tables = [stream[at : at + 2 + int.from_bytes(stream[at + 2 : at + 4], "big")]]
    while (at := at + len(tables[-1])) and stream[at + 1] == 0xDB:
        tables.append(stream[at : at + 2 + int.from_bytes(stream[at + 2 : at + 4], "big")])
    inside = b"".join(tables)
    tags = basic_tags(picture(), photometric=6, compression=7, rows=picture().shape[0])
    tags[347] = (7, b"\xff\xd8" + inside + b"\xff\xd9")
    return write_raw_tiff(path, [Page(tags, [stream.replace(inside, b"")])])


def as_file(path, stream):
    path.write_bytes(stream)
    return path


def read(path):
    with open_source(path) as source:
        return source.read(0, 0, source.info.height, source.info.width)


def refuse(path, words="damaged|more codes|Corrupt|Premature|premature|cannot be read|no end marker"):
    with pytest.raises(SourceError, match=words):
        read(path)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("write", [as_tiff, as_tables, as_file])
def test_more_codes_than_pixels(kind, write, tmp_path):
    """Part of the codes is there twice: all blocks are decoded before the end, which few decoders mention."""
    stream = jpeg(**KINDS[kind])
    first, last = scan_of(stream)
    path = tmp_path / "a.jpg"
    truth = read(write(path, stream))
    places = np.linspace(first + (last - first) // 3, last - 40, 12).astype(int)
    refused = 0
    for at in map(int, places):
        part = stream[at - 40 : at]
        damaged = stream[:at] + part + stream[at:]
        if b"\xff" in part + stream[at : at + 1] or is_sound(damaged, None, *picture().shape[:2]):
            continue  # with as many blocks as before it is another picture
        refuse(write(path, damaged))
        refused += 1
    assert refused >= 3
    np.testing.assert_array_equal(read(write(path, stream)), truth)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("write", [as_tiff, as_tables, as_file])
@pytest.mark.parametrize("size", [40, 400])
def test_codes_that_are_lost(kind, write, size, tmp_path):
    """The tail is zero, or not there."""
    stream = jpeg(**KINDS[kind])
    _, last = scan_of(stream)
    for tail in (bytes(size) + stream[last:], stream[last:], bytes(size + len(stream) - last)):
        refuse(write(tmp_path / "a.jpg", stream[: last - size] + tail))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("write", [as_tiff, as_tables, as_file])
@pytest.mark.parametrize("padding", [b"\0", b"\xff", b"\xff\xff\xff", bytes(3), bytes(8)])
def test_padding_before_the_end_is_no_damage(kind, write, padding, tmp_path):
    stream = jpeg(**KINDS[kind])
    _, last = scan_of(stream)
    truth = read(write(tmp_path / "a.jpg", stream))
    try:
        found = read(write(tmp_path / "a.jpg", stream[:last] + padding + stream[last:]))
    except SourceError:
        assert padding.startswith(b"\0")  # libjpeg itself may warn of bytes that are no codes
        return
    np.testing.assert_array_equal(found, truth)


@pytest.mark.parametrize(
    ("syntax", "photometric", "encode"),
    [
        ("50", "YBR_FULL_422", partial(jpeg, subsampling="4:2:2")),
        ("90", "YBR_RCT", partial(imagecodecs.jpeg2k_encode, codecformat="j2k", mct=True, reversible=True)),
        ("91", "YBR_ICT", partial(imagecodecs.jpeg2k_encode, codecformat="j2k", mct=True, level=60)),
        ("70", "MONOCHROME2", imagecodecs.ljpeg_encode),
        ("80", "RGB", imagecodecs.jpegls_encode),
    ],
)
def test_a_dicom_frame_whose_tail_is_lost(syntax, photometric, encode, tmp_path):
    size = 24

    def spoil(part, _):
        stream = encode(part[..., 0] if part.shape[-1] == 1 else part)
        return stream[:-size] + bytes(size)

    noise = np.random.default_rng(0).integers(0, 256, (ROWS, COLUMNS, 3)).astype(np.uint8)
    write_dicom(
        tmp_path / "a.dcm",
        syntax=f"1.2.840.10008.1.2.4.{syntax}",
        photometric=photometric,
        samples=noise,
        encode=spoil,
    )
    refuse(tmp_path / "a.dcm", "end marker|cannot be read")
