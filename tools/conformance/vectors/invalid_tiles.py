"""Stored tiles that a reader has to refuse."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import replace
from uuid import UUID

from rrip_format.spec.metadata import parse_coding
from rrip_format.spec.tile import TRAILER_BYTES, crc32c, join_tile

from .case import Case
from .pictures import Quality, encode, smooth, waves, with_restarts
from .valid import built, make_coding

OTHER_SLIDE = UUID("c0ffee00-1234-4abc-8def-0123456789ab")


def reseal_tile(tile: bytes) -> bytes:
    """Return `tile` with the checksum of its changed content."""
    return tile[:-4] + struct.pack("<I", crc32c(tile[:-4]))


def patched(tile: bytes, at: int, new: bytes, *, sealed: bool = True) -> bytes:
    """Return `tile` with bytes replaced, counted from its end if `at` is negative."""
    start = at % len(tile)
    changed = tile[:start] + new + tile[start + len(new) :]
    return reseal_tile(changed) if sealed else changed


def flipped(tile: bytes, at: int) -> bytes:
    """Return `tile` with one bit changed."""
    start = at % len(tile)
    return tile[:start] + bytes([tile[start] ^ 0x10]) + tile[start + 1 :]


def refused(family: Case, name: str, about: str, sections: str, rule: str, tiles: dict[int, bytes]) -> Case:
    """Return a case of `family` with some tiles replaced; empty bytes stand for an absent tile."""
    whole = {**family.tiles, **tiles}
    kept = {level: tile for level, tile in whole.items() if level >= min(tiles) and tile is not None}
    return replace(
        family, name=f"invalid/{name}", about=about, sections=sections, rule=rule, level=min(tiles), tiles=kept
    )


def seed_family() -> Case:
    """Return the family that the invalid tiles are made from."""
    coding, wave = make_coding(planes=(1, 3)), waves(128, 60, 128)
    return built("seed", "", "", coding, smooth(64), [wave, b"", wave], [waves(256, 60, 256)], 10)


def damaged_cases(family: Case) -> Iterator[Case]:
    """Return cases with changed bytes, and with whole tiles in the wrong place."""
    base, one, zero = family.tiles[2], family.tiles[1], family.tiles[0]
    flips = {
        "flip-base": (2, len(base) // 2, "in the entropy-coded data of the base tile"),
        "flip-l1": (1, len(one) // 2, "in the entropy-coded data of a residual"),
        "flip-l0": (0, len(zero) // 2, "in the entropy-coded data of a residual"),
        "flip-table": (2, 10, "in a quantisation table, which every decoder would accept"),
        "flip-start": (2, 0, "in the start marker"),
        "flip-length": (1, -36, "in the length of a stream"),
        "flip-row": (1, -24, "in the row"),
        "flip-level": (1, -16, "in the level"),
        "flip-slide": (1, -12, "in the slide's identity"),
        "flip-checksum": (1, -1, "in the checksum itself"),
    }
    for name, (level, at, where) in flips.items():
        changed = {level: flipped(family.tiles[level], at)}
        yield refused(family, name, f"one bit is flipped {where}", "7.1", "tile.checksum", changed)
    cut = {"truncated": zero[:-10], "truncated-half": zero[: len(zero) // 2], "appended": zero + b"\0"}
    for name, tile in cut.items():
        yield refused(family, name, "bytes at the end are missing or too many", "7.1", "tile.checksum", {0: tile})
    yield refused(family, "short", "fewer bytes than a trailer has", "6.2", "tile.short", {0: zero[-35:]})
    yield refused(family, "zero-bytes", "a file without content", "6.2", "tile.short", {0: b""})
    for level, name in ((2, "base"), (1, "l1"), (0, "l0")):
        case_ = refused(
            family,
            f"missing-{name}",
            "a tile of a family that is not empty is absent",
            "7.3",
            "tile.missing",
            {level: b""},
        )
        kept = {k: tile for k, tile in family.tiles.items() if k != level}
        yield replace(case_, level=0, tiles=kept)


def misplaced_cases(family: Case) -> Iterator[Case]:
    """Return tiles with a correct checksum and a wrong trailer."""
    one = family.tiles[1]
    body = len(one) - TRAILER_BYTES
    lengths = struct.unpack_from("<3I", one, body)
    trailers = {
        "other-row": (-24, struct.pack("<I", 1), "row 1", "tile.place"),
        "other-column": (-20, struct.pack("<I", 1), "column 1", "tile.place"),
        "other-level": (-16, b"\0", "level 0", "tile.place"),
        "other-slide": (-12, OTHER_SLIDE.bytes[:8], "another slide", "tile.place"),
        "length-long": (-36, struct.pack("<I", lengths[0] + 1), "a stream one byte longer", "tile.trailer"),
        "length-short": (-36, struct.pack("<I", lengths[0] - 1), "a stream one byte shorter", "tile.trailer"),
        "length-huge": (-32, struct.pack("<I", 2**32 - 1), "a stream of 4 GiB", "tile.trailer"),
        "one-stream": (-15, b"\1", "one stream where the metadata promise three", "tile.trailer"),
        "reserved": (-14, b"\1\0", "a reserved field that is not zero", "tile.trailer"),
    }
    for name, (at, new, says, rule) in trailers.items():
        sections = "7.2" if rule == "tile.place" else "6.2"
        yield refused(family, name, f"a sealed trailer says {says}", sections, rule, {1: patched(one, at, new)})
    zero = family.tiles[0]
    length = len(zero) - TRAILER_BYTES
    split = patched(zero, -36, struct.pack("<2I", length - 5, 5))
    yield refused(
        family, "unused-length", "a tile of one stream gives a length to a second", "6.2", "tile.trailer", {0: split}
    )
    three = patched(zero, -15, b"\3")
    yield refused(
        family, "three-streams", "three streams where the metadata promise one", "6.2", "tile.trailer", {0: three}
    )


def stream_problems(family: Case) -> Iterator[Case]:
    """Return tiles with correct checksums and a stream that breaks a rule of spec section 6.1."""
    coding = parse_coding(family.document["coding"])
    picture, wave, fine = smooth(64), waves(128, 60, 128), waves(256, 60, 256)
    luma = encode(fine, 10)
    coarse = Quality(10, flat=False, trellis=False)
    progressive = coarse.encode(picture, interlace=True)
    subsampled = coarse.encode(picture, subsample_mode="on")
    progressive_gray = coarse.encode(fine, interlace=True)
    frame = luma.index(b"\xff\xc0")
    header = luma[frame : frame + 13]

    def put(stream: bytes, at: int, new: bytes) -> bytes:
        return stream[: frame + at] + new + stream[frame + at + len(new) :]

    tables = luma.index(b"\xff\xdb")
    streams = {
        "base-progressive": (2, progressive, "a progressive base tile"),
        "base-subsampled": (2, subsampled, "a base tile with chroma at half size"),
        "base-gray": (2, encode(picture[..., 0], 10), "a base tile with one component"),
        "base-small": (2, encode(smooth(48), 10), "a base tile that is too small"),
        "base-zero": (2, b"", "a base stream of length zero, which stands for no picture"),
        "l0-progressive": (0, progressive_gray, "a progressive residual"),
        "l0-colour": (0, encode(smooth(256), 10), "a residual with three components"),
        "l0-small": (0, encode(wave, 10), "a residual of the size of another level"),
        "l0-wide": (0, put(luma, 7, b"\2\0"), "a frame that says 512 px where there are 256"),
        "l0-huge": (0, put(luma, 5, b"\xff\xff\xff\xff"), "a frame of 65535 x 65535 px"),
        "l0-height-0": (0, put(luma, 5, b"\0\0"), "a frame of height 0, which a later segment would define"),
        "l0-12-bit": (0, put(luma, 4, b"\x0c"), "12 bits a sample"),
        "l0-extended": (0, put(luma, 1, b"\xc1"), "an extended sequential frame"),
        "l0-arithmetic": (0, put(luma, 1, b"\xc9"), "arithmetic coding"),
        "l0-lossless": (0, put(luma, 1, b"\xc3"), "a lossless frame"),
        "l0-sampling": (0, put(luma, 11, b"\x22"), "a sampling factor of 2 for the only component"),
        "l0-two-frames": (0, luma[:frame] + header + luma[frame:], "two frame headers"),
        "l0-second-frame": (0, luma[:-2] + header + luma[-2:], "a frame header after the scan"),
        "l0-no-frame": (0, luma[:frame] + luma[frame + 13 :], "a scan without a frame header"),
        "l0-no-end": (0, luma[:-2], "no end marker"),
        "l0-after-end": (0, luma + b"\0\0", "bytes after the end marker"),
        "l0-no-start": (0, luma[2:], "no start marker"),
        "l0-no-table": (0, luma[:tables] + luma[tables + 69 :], "no quantisation table"),
        "l0-segment-long": (0, luma[: tables + 2] + b"\xff\xff" + luma[tables + 4 :], "a segment beyond the end"),
        "l0-no-marker": (0, luma[:2] + b"\0" + luma[2:], "a byte between segments that is no marker"),
        "l0-markers-only": (0, b"\xff\xd8\xff\xd9", "start and end markers alone"),
    }
    for name, (level, stream, about) in streams.items():
        tile = join_tile([stream], coding.place(level, 0, 0))
        rule = "stream.decode" if stream else "stream.empty"
        yield refused(family, name, f"{about}, in a tile with a correct checksum", "6.1", rule, {level: tile})
    tile = join_tile([encode(wave, 10), encode(wave, 10), luma], coding.place(1, 0, 0))
    about = "a Cr residual of the size of another level, in a tile with a correct checksum"
    yield refused(family, "l1-cr-size", about, "6.1", "stream.decode", {1: tile})


def strict_problems(family: Case) -> Iterator[Case]:
    """Return base tiles whose stream only strict readers refuse; other decoders warn or do not notice."""
    coding = parse_coding(family.document["coding"])
    stream = Quality(10, flat=False).encode(smooth(64))
    restarts = with_restarts(smooth(64), 10, 20)
    scan = stream.index(b"\xff\xda")
    data = scan + 14  # behind the scan header of three components
    table = stream.index(b"\xff\xdb") + 5
    codes = stream.rindex(b"\xff\xc4", 0, scan)
    codes_end = codes + 2 + int.from_bytes(stream[codes + 2 : codes + 4], "big")

    def put(at: int, new: bytes) -> bytes:
        return stream[:at] + new + stream[at + len(new) :]

    def insert(new: bytes) -> bytes:
        return stream[:codes] + new + stream[codes:]

    streams = {
        "step-zero": (put(table + 9, b"\0"), "a quantiser step of 0"),
        "no-codes": (stream[:codes] + stream[codes_end:], "no Huffman table for what the scan uses"),
        "scan-order": (
            put(scan + 5, stream[scan + 7 : scan + 9] + stream[scan + 5 : scan + 7]),
            "Cb before Y in the scan",
        ),
        "spectrum": (put(scan + 12, b"\x3e"), "a scan that ends at coefficient 62"),
        "scan-short": (stream[:-60] + stream[-2:], "a scan that ends early"),
        "scan-long": (stream[:-2] + bytes(4) + stream[-2:], "four bytes behind the last block"),
        "two-ends": (stream + b"\xff\xd9", "two end markers"),
        "no-code": (stream[:data] + b"\xff\0" * 40 + stream[-2:], "a scan of ones, which are no code"),
        "restart-order": (restarts.replace(b"\xff\xd1", b"\xff\xd3"), "restart markers 0, 3 and 2"),
        "restart-early": (insert(b"\xff\xd0"), "a restart marker before the scan"),
        "temporary": (insert(b"\xff\x01"), "the marker TEM, of arithmetic coding"),
        "segment": (insert(b"\xff\xdc\0\4\0\x40"), "a segment DNL before the scan"),
    }
    for name, (changed, about) in streams.items():
        tile = join_tile([changed], coding.place(2, 0, 0))
        made = refused(
            family, f"strict-{name}", f"{about}, in a tile with a correct checksum", "6.1", "stream.decode", {2: tile}
        )
        yield replace(made, strict=True)


def overview_problems() -> Iterator[Case]:
    """Return invalid tiles coarser than the base level."""
    coding = make_coding(size=(2049, 1100), empty=[(0, 0), (0, 1)])
    document = {"coding": coding.to_json()}
    about = "a coarser tile is absent though only some of its families are empty"
    yield Case("invalid/overview-missing", about, "7.3", document, level=3, rule="tile.missing")
    tile = join_tile([encode(smooth(256), 40)], coding.place(3, 0, 1))
    about = "a coarser tile of another place"
    yield Case("invalid/overview-misplaced", about, "7.2", document, level=3, tiles={3: tile}, rule="tile.place")


def cases() -> Iterator[Case]:
    """Return all cases of this module."""
    family = seed_family()
    for group in (damaged_cases, misplaced_cases, stream_problems, strict_problems):
        yield from group(family)
    yield from overview_problems()
