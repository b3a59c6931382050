"""Each check of the compiled core that stands before a read or a write, by the contract itself (``core/src/rrip.h``).

What a call reads is a block of exactly its size, so that a build with AddressSanitizer tells what reaches beyond
(``tools/harnesses/sanitize.py``). ``mutation_test.py``, beside it, removes one check after another; a test of this
module has to fail each time.
"""

from __future__ import annotations

from ctypes import POINTER, byref, c_char_p, c_double, c_int16, c_size_t, c_uint8, c_void_p, cast

import numpy as np
import pytest

from rrip_format.core import library as lib

ARGUMENT, SCRATCH = -1, -2
CORE = lib.library
HUGE = (1 << 32) + 5
"""More bytes than a stream may have."""


def block(data: bytes | int) -> np.ndarray:
    """Bytes, or so many, in memory of their own."""
    return np.frombuffer(data, np.uint8).copy() if isinstance(data, bytes) else np.full(data, 0x5A, np.uint8)


def place(array: np.ndarray | None) -> int | None:
    return None if array is None else lib.address(array)


# ---- Streams


def segment(marker: int, body: bytes, length: int | None = None) -> bytes:
    return bytes((0xFF, marker)) + (len(body) + 2 if length is None else length).to_bytes(2, "big") + body


def codes(kind: int, lengths: dict[int, bytes]) -> bytes:
    """A Huffman table of class and number `kind`: symbols by length."""
    counts = bytes(len(lengths.get(length, b"")) for length in range(1, 17))
    return bytes((kind,)) + counts + b"".join(symbols for _, symbols in sorted(lengths.items()))


DC, AC = codes(0x00, {1: b"\0"}), codes(0x10, {1: b"\0", 2: b"\x01", 9: b"\xf0", 16: b"\x12\x3f"})
"""A zero is one bit in both; the other symbols are there to be found or not."""
ZERO = bytes(64)


def frame(side: int = 16, planes: int = 1, *, ids: bytes = b"\1\2\3", tables: bytes = bytes(3)) -> bytes:
    size = side.to_bytes(2, "big")
    return b"\10" + size + size + bytes((planes,)) + b"".join(bytes((ids[c], 0x11, tables[c])) for c in range(planes))


def start(planes: int = 1, *, ids: bytes = b"\1\2\3", tables: bytes = bytes(3), spectrum: bytes = b"\0\77\0") -> bytes:
    return bytes((planes,)) + b"".join(bytes((ids[c], tables[c])) for c in range(planes)) + spectrum


def stream(planes: int = 1, data: bytes | None = None, **parts: bytes) -> bytes:
    """A flat picture of 16 x 16 px, or what is not quite one: parts by their name, as whole segments."""
    found = {
        "start_of_image": b"\xff\xd8",
        "before": b"",
        "quantiser": segment(0xDB, b"\0" + bytes([1]) * 64),
        "frame": segment(0xC0, frame(planes=planes)),
        "codes": segment(0xC4, DC + AC),
        "restart": b"",
        "start": segment(0xDA, start(planes)),
        "data": bytes(1 if planes == 1 else 3) if data is None else data,
        "end": b"\xff\xd9",
    }
    return b"".join((found | parts).values())


def decode(
    data: bytes, planes: int = 1, side: int = 16, rows: tuple[int, int] | None = None, room: int | None = None
) -> int:
    """The code of a stream, which must be that of its fault, too."""
    top, bottom = rows or (0, side)
    given, out, fault = block(data), block(planes * side * side), lib.Fault()
    scratch = block(CORE.rrip_decode_scratch(max(side, 64), len(data)) if room is None else room)
    code: int = CORE.rrip_decode_stream(
        *(lib.core(), place(given), len(data), side, planes, top, bottom, place(out), place(scratch), scratch.size),
        byref(fault),
    )
    assert fault.code == max(code, 0)
    return code


COMMENT = segment(0xFE, b"x" * 20)

BROKEN = {
    "nothing": (b"", 1),
    "one byte": (b"\xff", 1),
    "half a start": (b"\xff\xd8\xff", 1),
    "first byte": (stream(start_of_image=b"\xfe\xd8"), 1),
    "no start": (stream(start_of_image=b"\xff\xd7"), 1),
    "no end": (stream(end=b"\xff\xd8"), 1),
    "no marker of the end": (stream(end=b"\0\xd9"), 1),
    "no segments": (b"\xff\xd8\xff\xd9", 2),
    "no marker": (stream(before=b"\0" * 4), 2),
    "a segment up to the very end": (b"\xff\xd8" + segment(0xFE, b"x\xff\xd9"), 2),
    "a segment up to the last byte": (b"\xff\xd8" + segment(0xFE, b"x\xff\xd9", 4), 2),
    "a segment without a body, up to the very end": (b"\xff\xd8\xff\xfe\0\2\xff\xd9", 2),
    "fill bytes up to the end": (b"\xff\xd8\xff\xff\xff\xd9", 2),
    "length of 0": (stream(before=segment(0xFE, b"xx", 0)), 3),
    "length of 1": (stream(before=segment(0xFE, b"xx", 1)), 3),
    "one byte too long": (b"\xff\xd8" + segment(0xFE, b"x\xff\xd9", 6), 3),
    "far too long": (stream(before=segment(0xFE, b"", 65535)), 3),
    "two frames": (stream(before=segment(0xC0, frame())), 4),
    "progressive": (stream(frame=segment(0xC2, frame())), 5),
    "arithmetic conditioning": (stream(frame=segment(0xCC, frame())), 5),
    "12 bits": (stream(frame=segment(0xC0, b"\14" + frame()[1:])), 5),
    "a frame of no bytes": (b"\xff\xd8\xff\xc0\0\2\xff\xd9", 5),
    "a frame of five bytes": (b"\xff\xd8" + segment(0xC0, frame()[:3] + b"\xff\xd9"), 5),
    "height": (stream(frame=segment(0xC0, b"\10\0\30\0\20" + frame()[5:])), 6),
    "width": (stream(frame=segment(0xC0, b"\10\0\20\0\30" + frame()[5:])), 6),
    "components": (stream(frame=segment(0xC0, frame(planes=3))), 6),
    "a frame without its component": (b"\xff\xd8" + segment(0xC0, frame()[:6] + b"\xff\xd9"), 7),
    "a frame that is too short": (stream(frame=segment(0xC0, frame()[:-1])), 7),
    "a frame that is too long": (stream(frame=segment(0xC0, frame() + b"\0")), 7),
    "subsampled": (stream(frame=segment(0xC0, frame()[:7] + b"\x21\0")), 7),
    "no frame": (stream(frame=b""), 8),
    "a scan header of no bytes": (stream(start=segment(0xDA, b"")), 9),
    "a scan header that is too short": (stream(start=segment(0xDA, start()[:-1])), 9),
    "a scan header that is too long": (stream(start=segment(0xDA, start() + b"\0")), 9),
    "components of the scan": (stream(start=segment(0xDA, b"\2" + start()[1:])), 9),
    "another component": (stream(start=segment(0xDA, start(ids=b"\2"))), 9),
    "first coefficient": (stream(start=segment(0xDA, start(spectrum=b"\1\77\0"))), 9),
    "last coefficient": (stream(start=segment(0xDA, start(spectrum=b"\0\76\0"))), 9),
    "approximation": (stream(start=segment(0xDA, start(spectrum=b"\0\77\1"))), 9),
    "number of a quantiser": (stream(quantiser=segment(0xDB, b"\4" + bytes([1]) * 64)), 10),
    "quantiser of 16 bits": (stream(quantiser=segment(0xDB, b"\x10" + bytes([1]) * 64)), 10),
    "half a quantiser": (b"\xff\xd8" + segment(0xDB, b"\0" + bytes([1]) * 40 + b"\xff\xd9"), 10),
    "quantiser of 0": (stream(quantiser=segment(0xDB, b"\0" + bytes([1]) * 63 + b"\0")), 10),
    "class of a Huffman table": (stream(codes=segment(0xC4, DC + b"\x20" + AC[1:])), 11),
    "number of a Huffman table": (stream(codes=segment(0xC4, b"\2" + DC[1:])), 11),
    "half a Huffman table": (b"\xff\xd8" + segment(0xC4, b"\0" + bytes(8) + b"\xff\xd9"), 11),
    "symbols that are missing": (b"\xff\xd8" + segment(0xC4, b"\0" + bytes(15) + b"\xc8" + b"\1\2\xff\xd9"), 11),
    "more than 256 symbols": (stream(codes=segment(0xC4, b"\0" + bytes(14) + b"\xff\xff" + bytes(510))), 11),
    "no quantiser": (stream(quantiser=b""), 12),
    "the quantiser of another number": (stream(quantiser=segment(0xDB, b"\1" + bytes([1]) * 64)), 12),
    "a quantiser beyond the last": (stream(frame=segment(0xC0, frame(tables=b"\4"))), 12),
    "a quantiser far beyond the last": (stream(frame=segment(0xC0, frame(tables=b"\xff"))), 12),
    "no Huffman tables": (stream(codes=b""), 12),
    "no AC table": (stream(codes=segment(0xC4, DC)), 12),
    "no DC table": (stream(codes=segment(0xC4, AC)), 12),
    "an empty AC table": (stream(codes=segment(0xC4, DC + b"\x10" + bytes(16))), 12),
    "a DC table beyond the last": (stream(start=segment(0xDA, start(tables=b"\xf0"))), 12),
    "an AC table beyond the last": (stream(start=segment(0xDA, start(tables=b"\x0f"))), 12),
    "no restart interval": (stream(restart=b"\xff\xdd\0\2"), 13),
    "half a restart interval": (stream(restart=segment(0xDD, b"\1")), 13),
    "two restart intervals": (stream(restart=segment(0xDD, b"\0\0\0\0")), 13),
    "restart marker before the scan": (stream(before=b"\xff\xd0\0\2"), 14),
    "TEM": (stream(before=b"\xff\1\0\2"), 14),
    "start of another image": (stream(before=b"\xff\xd8\0\2"), 14),
    "end of the image": (stream(before=b"\xff\xd9\0\2"), 14),
    "number of lines": (stream(before=b"\xff\xdc\0\2"), 14),
    "reserved": (stream(before=b"\xff\xf0\0\2"), 14),
    "too many codes of one bit": (stream(codes=segment(0xC4, codes(0, {1: b"\0\1\2"}) + AC)), 20),
    "too many codes of 16 bits": (stream(codes=segment(0xC4, DC + codes(0x10, {1: b"\0\1", 16: b"\2"}))), 20),
    "no code": (stream(data=b"\x80"), 21),
    "no code of 16 bits": (stream(data=b"\x7f\xff\0\xff\0"), 21),
    "no symbol of DC": (stream(codes=segment(0xC4, codes(0, {1: b"\x0c"}) + AC)), 21),
    "no symbol of AC": (stream(codes=segment(0xC4, DC + codes(0x10, {1: b"\x0b"}))), 21),
    "no symbol of a long code": (
        stream(codes=segment(0xC4, DC + codes(0x10, {16: b"\x0b"})), data=bytes(8)),
        21,
    ),
    "no data": (stream(data=b""), 23),
    "more data": (stream(data=bytes(2)), 24),
    "much more data": (stream(data=bytes(64)), 24),
    "a marker in the scan": (stream(data=b"\0\xff\xfe"), 25),
    "a table in the scan": (stream(data=b"\0\xff\xc4"), 25),
    "the end of another image in the scan": (stream(data=b"\0\xff\xd9"), 25),
    "restart marker without an interval": (stream(data=b"\0\xff\xd0\0"), 26),
    "restart markers out of order": (stream(restart=segment(0xDD, b"\0\2"), data=b"\x0f\xff\xd1\x0f"), 26),
    "restart markers missing": (stream(restart=segment(0xDD, b"\0\2"), data=b"\0"), 26),
    "more restart markers than intervals": (
        stream(restart=segment(0xDD, b"\0\2"), data=b"\x0f\xff\xd0\x0f\xff\xd1\x0f" * 1 + b"\xff\xd2\x0f\xff\xd3" * 99),
        26,
    ),
    "an interval that ends early": (stream(restart=segment(0xDD, b"\0\2"), data=b"\xff\xd0\x0f"), 23),
    "an interval that goes on": (stream(restart=segment(0xDD, b"\0\2"), data=b"\x0f\0\xff\xd0\x0f"), 24),
    "the last interval goes on": (stream(restart=segment(0xDD, b"\0\2"), data=b"\x0f\xff\xd0\x0f\0"), 24),
    "the scan's header reaches into the end marker": (
        stream(data=b"", start=segment(0xDA, start())[:-2], end=b"\xff\xd9"),
        9,
    ),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_stream_has_its_code(what):
    data, code = BROKEN[what]
    assert decode(data) == code


@pytest.mark.parametrize("planes", [1, 3])
def test_what_is_broken_is_so_by_its_fault_alone(planes):
    assert decode(stream(planes), planes) == 0
    assert decode(stream(planes, before=COMMENT, restart=segment(0xDD, b"\0\0")), planes) == 0
    if planes == 1:
        assert decode(stream(restart=segment(0xDD, b"\0\2"), data=b"\x0f\xff\xd0\x0f")) == 0
        for fill in (b"", b"\xff", b"\xff" * 20):  # before markers, also that of the end
            data = b"\x0f" + fill + b"\xff\xd0\x0f" + fill
            assert decode(stream(restart=segment(0xDD, b"\0\2"), data=data)) == 0
        assert decode(stream(codes=segment(0xC4, codes(0, {1: b"\0", 2: b"\1"}) + AC))) == 0


def bits(text: str) -> bytes:
    text += "1" * (-len(text) % 8)
    return int(text, 2).to_bytes(len(text) // 8, "big").replace(b"\xff", b"\xff\0")


@pytest.mark.parametrize(("kind", "tables"), [(1, b"\0\0\x10"), (0x11, b"\0\0\1")])
def test_cr_with_a_table_of_its_own(kind, tables):
    """Its zero takes two bits, where that of Cb takes one."""
    parts = {"codes": segment(0xC4, DC + AC + codes(kind, {2: b"\0"})), "start": segment(0xDA, start(3, tables=tables))}
    assert decode(stream(3, bits("0" * 28), **parts), 3) == 0
    assert decode(stream(3, bits("0" * 24), **parts), 3) == 23


@pytest.mark.parametrize("size", [0, 7000])
@pytest.mark.parametrize("length", range(3, 13))
def test_codes_of_each_length_in_a_row(length, size):
    """No look takes more bits than the reader holds, with the small tables of short streams and the large ones."""
    ac = codes(0x10, {1: b"\0", length: b"\1"})
    text = ("0" + ("1" + "0" * (length - 1) + "1") * 60 + "0") * 4
    before = segment(0xFE, bytes(size))
    assert decode(stream(data=bits(text), before=before, codes=segment(0xC4, DC + ac))) == 0


SIXTEEN = "110000000"
"""The code of sixteen zeros in :data:`AC`."""


@pytest.mark.parametrize(
    ("block_bits", "code"),
    [
        ("0" + SIXTEEN * 3 + "101" * 15 + "0", 0),  # the last coefficient is the 63rd of AC, and no end follows
        ("0" + SIXTEEN * 4, 22),
        ("0" + SIXTEEN * 3 + "101" * 13 + SIXTEEN, 22),
        ("0" + "101" * 60 + SIXTEEN, 22),
        ("0" + "101" * 62 + SIXTEEN, 22),
    ],
)
def test_coefficients_of_a_block(block_bits, code):
    rest = "00" * 3
    if code == 0:
        block_bits = block_bits[:-1]
    assert decode(stream(data=bits(block_bits + rest))) == code


def test_long_runs_in_every_block_stay_in_it():
    """Positions behind the last coefficient are reached from all positions, in all blocks of a group."""
    for start_at in range(63):
        for before in range(3):
            text = "00" * before + "0" + "101" * start_at + SIXTEEN * 4
            is_filled = start_at % 16 == 15  # so that the next code is one of DC
            assert decode(stream(data=bits(text))) == (21 if is_filled else 22)


@pytest.mark.parametrize("most", range(40))
def test_streams_that_end_in_the_midst_of_codes(most):
    """The reader goes beyond the end by no more than the zeros behind it; any rest of a code may be there."""
    long_codes = segment(0xC4, codes(0, {16: b"\x0b\0"}) + codes(0x10, {16: b"\x0a\x0a\xf0"}))
    for data in (bytes(most), b"\xfe" * most, b"\0\1" * most):
        assert decode(stream(codes=long_codes, data=data)) in {21, 22, 23, 24}
        assert decode(stream(3, codes=long_codes, data=data), 3) in {21, 22, 23, 24}


def test_a_stream_in_which_each_block_is_an_interval():
    """The place that the bytes of 64 intervals need, with all that is read behind them."""
    size = segment(0xC0, frame(64))
    each = segment(0xDD, b"\0\1")
    data = b"\xff".join((b"\x3f" if n == 0 else bytes((0xD0 + (n - 1) % 8, 0x3F))) for n in range(64))
    assert decode(stream(frame=size, restart=each, data=data), side=64) == 0
    assert decode(stream(frame=size, restart=each, data=data[:-2]), side=64) == 26
    assert decode(stream(frame=size, restart=each, data=data[:-1]), side=64) == 23
    assert decode(stream(frame=size, restart=each, data=data + b"\xff\xd7\x3f"), side=64) == 26
    room = CORE.rrip_decode_scratch(64, 1000)
    assert decode(stream(frame=size, restart=each, data=data), side=64, room=room) == 0


STREAM_SCRATCH = sorted({*range(0, 200, 9), *range(200, 60_000, 997)})


@pytest.mark.parametrize("planes", [1, 3])
def test_too_little_scratch_for_a_stream(planes):
    """Whatever does not fit, the code is the same."""
    data, most = stream(planes), CORE.rrip_decode_scratch(64, 1000)
    found = [decode(data, planes, room=room) for room in STREAM_SCRATCH if room < most]
    assert set(found) <= {0, SCRATCH}
    assert found == sorted(found)
    assert found[0] == SCRATCH


def test_scratch_that_ends_before_its_first_boundary():
    data, fault = block(stream()), lib.Fault()
    out = block(256)
    for offset in range(1, 64, 7):
        for size in (1, 20, 62):
            memory = block(offset + size)
            code = CORE.rrip_decode_stream(
                *(lib.core(), place(data), data.size, 16, 1, 0, 16, place(out), place(memory) + offset, size),
                byref(fault),
            )
            assert code == SCRATCH


@pytest.mark.parametrize(
    "wrong",
    [
        *({name: None} for name in ("core", "data", "out", "fault")),
        *({"side": side, "bottom": min(side, 16)} for side in (-8, 0, 4, 12, 20, 2056, 4096)),
        *({"planes": planes} for planes in (-1, 0, 2, 4)),
        *({"top": top} for top in (-1, 16, 17)),
        *({"bottom": bottom} for bottom in (0, 17)),
        {"size": HUGE},
    ],
    ids=str,
)
def test_arguments_of_a_stream(wrong):
    data, out, scratch, fault = block(stream()), block(256), block(CORE.rrip_decode_scratch(64, 1000)), lib.Fault()
    given = {"core": lib.core(), "data": place(data), "size": data.size, "side": 16, "planes": 1, "top": 0}
    given |= {"bottom": 16, "out": place(out), "scratch": place(scratch), "room": scratch.size, "fault": byref(fault)}
    assert CORE.rrip_decode_stream(*given.values()) == 0
    assert CORE.rrip_decode_stream(*(given | wrong).values()) == ARGUMENT


@pytest.mark.parametrize("planes", [1, 3])
def test_every_variant_names_the_same_row(planes):
    """Where a scan ends early, whatever number of blocks a variant reads at once."""
    side, sound = 256, flat(256, planes)
    scan = sound.rindex(b"\0\77\0") + 3
    for kept in range(0, len(sound) - scan - 2, 5):
        data, found = block(sound[: scan + kept] + b"\xff\xd9"), set()
        for name in lib.list_cores():
            out, fault = block(planes * side * side), lib.Fault()
            scratch = block(CORE.rrip_decode_scratch(side, data.size))
            code = CORE.rrip_decode_stream(
                *(CORE.rrip_core_named(name.encode()), place(data), data.size, side, planes, 0, side, place(out)),
                *(place(scratch), scratch.size, byref(fault)),
            )
            found.add((code, fault.numbers[0]))
        assert len(found) == 1, f"{kept} bytes: {found}"


# ---- Tiles

SLIDE = bytes(range(1, 9))
T = 64


def coding(
    planes: tuple[int, int] = (1, 1), tile: int = T, weights: tuple[int, int, int, int] = (0, 0, 0, 0)
) -> lib.Coding:
    taps = (-2, 58, 9, -1)
    levels = [lib.Residual(taps, taps, (10, -10), count) for count in planes]
    return lib.Coding((c_uint8 * 8)(*SLIDE), tile, (lib.Residual * 2)(*levels), weights)


def flat(side: int, planes: int) -> bytes:
    """A flat picture of that side."""
    data = bytes(planes * side * side // 64 // 4)
    return stream(planes, data, frame=segment(0xC0, frame(side, planes)))


def stored(
    level: int,
    streams: tuple[bytes, ...],
    *,
    row: int = 0,
    col: int = 0,
    lengths: tuple[int, ...] | None = None,
    count: int | None = None,
    flags: bytes = b"\0\0",
    slide: bytes = SLIDE,
    wrong: int = 0,
) -> bytes:
    """A stored tile with a right checksum, or one that differs in the bits of `wrong`."""
    sizes = (*(lengths or map(len, streams)), 0, 0)[:3]
    body = b"".join(streams) + b"".join(size.to_bytes(4, "little") for size in sizes)
    body += row.to_bytes(4, "little") + col.to_bytes(4, "little")
    body += bytes((level, len(streams) if count is None else count)) + flags + slide
    given = block(body)
    found = CORE.rrip_crc32c(lib.core(), 0, place(given), len(body))
    return body + (found ^ wrong).to_bytes(4, "little")


def tiles_of(level: int, planes: int = 1) -> list[bytes]:
    if level >= 2:
        return [stored(level, (flat(T if level == 2 else 4 * T, 3),))]
    found = [stored(2, (flat(T, 3),))]
    return found + [stored(at, (flat(T << (2 - at), 1),) * planes) for at in range(1, level - 1, -1)]


def decode_tile(
    tiles: list[bytes | None],
    level: int,
    *,
    how: lib.Coding | None = None,
    window: tuple[int, int, int, int] | None = None,
    target: lib.Target | None = None,
    room: int | None = None,
    row: int = 0,
    col: int = 0,
    sizes: tuple[int, ...] | None = None,
    without: str = "",
) -> int:
    side = 4 * T if level > 2 else T << max(2 - level, 0)
    top, bottom, left, right = window or (0, side, 0, side)
    out = block(3 * side * side)
    to = target or lib.Target(place(out), out.size, 0, side * side, side, 1)
    blocks = [None if tile is None else block(tile) for tile in tiles]
    places = cast((c_void_p * 3)(*map(place, blocks)), POINTER(c_char_p))
    found = (c_size_t * 3)(*(sizes or (len(tile or b"") for tile in tiles)))
    scratch = block(
        CORE.rrip_decode_scratch(T, max(map(len, filter(None, tiles)), default=0)) if room is None else room
    )
    fault, numbers, part = lib.Fault(), how or coding(), lib.Window(top, bottom, left, right)
    given = {"core": lib.core(), "coding": byref(numbers), "level": level, "row": row, "col": col, "tiles": places}
    given |= {"sizes": found, "window": byref(part), "target": byref(to), "scratch": place(scratch)}
    given |= {"room": scratch.size, "fault": byref(fault)}
    code: int = CORE.rrip_decode_tile(*(None if name == without else value for name, value in given.items()))
    return code


@pytest.mark.parametrize("level", [0, 1, 2, 3, 200])
@pytest.mark.parametrize("planes", [1, 3])
def test_tiles_that_are_in_order(level, planes):
    assert decode_tile(tiles_of(level, planes), level, how=coding((planes, planes))) == 0


@pytest.mark.parametrize(
    ("tile", "code"),
    [
        (b"", 40),
        (bytes(35), 40),
        (bytes(36), 41),
        (stored(2, (flat(T, 3),), wrong=1), 41),
        (stored(2, (flat(T, 3),), wrong=1 << 31), 41),
        (stored(2, (flat(T, 3),), row=1), 42),
        (stored(2, (flat(T, 3),), col=1), 42),
        (stored(3, (flat(T, 3),)), 42),
        (stored(2, (flat(T, 3),), slide=SLIDE[:7] + b"\0"), 42),
        (stored(2, (flat(T, 3),), slide=b"\0" + SLIDE[1:]), 42),
        (stored(2, (flat(T, 3), b""), lengths=(len(flat(T, 3)) - 5, 5), count=1), 43),
        (stored(2, (flat(T, 3), b""), lengths=(len(flat(T, 3)), 0, 5), count=1), 43),
        (stored(2, (flat(T, 3),), lengths=(len(flat(T, 3)) + 1,)), 43),
        (stored(2, (flat(T, 3),), lengths=(len(flat(T, 3)) - 1,)), 43),
        (stored(2, (flat(T, 3),), lengths=(0xFFFFFFFF,)), 43),
        (stored(2, (flat(T, 3),), count=2), 43),
        (stored(2, (flat(T, 3),), flags=b"\1\0"), 43),
        (stored(2, (flat(T, 3),), flags=b"\0\1"), 43),
        (stored(2, (b"",)), 44),
        (stored(2, (b"x",)), 1),
    ],
)
def test_a_broken_tile_has_its_code(tile, code):
    assert decode_tile([tile], 2) == code
    assert decode_tile([tile, *tiles_of(0)[1:]], 0) == code


@pytest.mark.parametrize("plane", [0, 1, 2])
def test_lengths_of_three_streams(plane):
    one = flat(128, 1)
    sizes = [len(one)] * 3
    for length in (len(one) + 1, len(one) - 1, 0xFFFFFFFF, 0):
        sizes[plane] = length
        tiles = [*tiles_of(2), stored(1, (one,) * 3, lengths=tuple(sizes))]
        assert decode_tile(tiles, 1, how=coding((1, 3))) == 43
    assert decode_tile([*tiles_of(2), stored(1, (b"",) * 3)], 1, how=coding((1, 3))) == 0


@pytest.mark.parametrize("broken", [0, 1, 2])
def test_a_broken_stream_of_each_plane(broken):
    """Both what its header breaks and what its codes do, in the first rows and in the last."""
    end = b"\xff\xd9"

    def damaged(sound: bytes) -> list[tuple[int, bytes]]:
        found = [(23, sound[:-3] + end), (23, sound[:-20] + end), (24, sound[:-2] + bytes(2) + end)]
        return [*found, (21, sound[:-18] + b"\x80" + sound[-17:]), (2, b"\xff\xd8\xff\xd9")]

    for code, other in damaged(flat(128, 1)):
        streams = [flat(128, 1)] * 3
        streams[broken] = other
        assert decode_tile([*tiles_of(2), stored(1, tuple(streams))], 1, how=coding((1, 3))) == code
    for code, other in damaged(flat(T, 3)):
        assert decode_tile([stored(2, (other,))], 2) == code
        assert decode_tile([stored(2, (other,)), *tiles_of(0)[1:]], 0) == code


@pytest.mark.parametrize("is_empty", [False, True], ids=["residuals", "no residuals"])
@pytest.mark.parametrize("level", [0, 1, 2, 3])
def test_too_little_scratch_for_a_tile(level, is_empty):
    small, tiles = (0, 1, 0, 1), tiles_of(level, 3)
    if is_empty:
        tiles = [tiles[0], *(stored(1 - k, (b"",) * 3) for k in range(len(tiles) - 1))]
    most = CORE.rrip_decode_scratch(T, max(map(len, tiles)))
    rooms = (0, 21, 63, *range(64, most, 1999))
    found = [decode_tile(tiles, level, how=coding((3, 3)), window=small, room=room) for room in rooms]
    assert set(found) == {0, SCRATCH}


WRONG_WEIGHTS = [(64, 0, 0, 0), (-64, 0, 0, 0), (0, 64, 0, 0), (0, -64, 0, 0), (0, 0, 29, 0), (0, 0, 15, -14)]


@pytest.mark.parametrize("planes", [1, 3])
def test_windows_of_a_filtered_tile(planes):
    """At each edge of the tile and inside, with the least memory that holds the window."""
    how, tiles, side = coding((planes, planes), weights=(63, -63, 14, -14)), tiles_of(0, planes), 4 * T
    ends = (0, 1), (0, 2), (7, 9), (63, 65), (side - 2, side - 1), (side - 1, side), (0, side)
    for top, bottom in ends:
        for left, right in ends:
            out = block(3 * (bottom - top) * (right - left))
            to = lib.Target(place(out), out.size, 0, 1, 3 * (right - left), 3)
            assert decode_tile(tiles, 0, how=how, window=(top, bottom, left, right), target=to) == 0
            assert len(set(out.tolist())) == 1  # flat


def test_too_little_scratch_for_a_filtered_tile():
    how, tiles = coding((3, 3), weights=(10, 14, 7, -9)), tiles_of(0, 3)
    most = CORE.rrip_decode_scratch(T, max(map(len, tiles)))
    found = [
        decode_tile(tiles, 0, how=how, window=(0, 1, 0, 1), room=room) for room in (0, 21, 63, *range(64, most, 499))
    ]
    assert set(found) == {0, SCRATCH}


@pytest.mark.parametrize("level", [0, 1, 2, 3])
def test_weights_of_a_filter(level):
    tiles = tiles_of(level)
    for weights in ((63, 63, 28, 0), (-63, -63, 0, -28), (0, 0, -14, 14)):
        assert decode_tile(tiles, level, how=coding(weights=weights)) == 0
    for weights in WRONG_WEIGHTS:
        assert decode_tile(tiles, level, how=coding(weights=weights)) == ARGUMENT


def test_scratch_is_as_large_as_the_function_says():
    """For the most restart intervals and planes that there can be."""
    each, side = segment(0xDD, b"\0\1"), 4 * T
    count = (side // 8) ** 2
    gray = b"\xff".join((b"\x3f" if n == 0 else bytes((0xD0 + (n - 1) % 8, 0x3F))) for n in range(count))
    colour = gray.replace(b"\x3f", b"\x03")
    size = {planes: segment(0xC0, frame(side, planes)) for planes in (1, 3)}
    residual, base = stream(frame=size[1], restart=each, data=gray), stream(3, colour, frame=size[3], restart=each)
    assert decode_tile([stored(3, (base,))], 3) == 0
    for weights in ((0, 0, 0, 0), (1, 0, 0, 0)):
        how = coding((3, 3), weights=weights)
        assert decode_tile([*tiles_of(1, 3), stored(0, (residual,) * 3)], 0, how=how) == 0
    assert CORE.rrip_decode_scratch(7, 1000) == 0
    assert CORE.rrip_decode_scratch(2049, 1000) == 0


@pytest.mark.parametrize("name", ["core", "coding", "tiles", "sizes", "window", "target", "fault"])
def test_a_tile_without_an_argument(name):
    assert decode_tile(tiles_of(0), 0, without=name) == ARGUMENT


def test_arguments_of_a_tile():
    tiles = tiles_of(0)
    for tile in (-64, 0, 16, 48, 63, 65, 72, 528, 1024):
        assert decode_tile(tiles[:1], 2, how=coding(tile=tile), window=(0, 1, 0, 1)) == ARGUMENT
    for planes in ((0, 1), (2, 1), (4, 1), (1, 0), (1, 2), (1, -1)):
        assert decode_tile(tiles, 0, how=coding(planes)) == ARGUMENT
    for level in (256, 0xFFFFFFFF):
        assert decode_tile([stored(level & 255, (flat(4 * T, 3),))], level) == ARGUMENT
    for missing in range(3):
        given: list[bytes | None] = list(tiles)
        given[missing] = None
        assert decode_tile(given, 0) == ARGUMENT
        sizes = [len(tile) for tile in tiles]
        sizes[missing] = HUGE
        assert decode_tile(tiles, 0, sizes=tuple(sizes)) == ARGUMENT


WINDOWS = [(-1, 4, 0, 4), (4, 4, 0, 4), (5, 4, 0, 4), (0, 65, 0, 4), (0, 4, -1, 4), (0, 4, 4, 4), (0, 4, 5, 4)]


@pytest.mark.parametrize("window", [*WINDOWS, (0, 4, 0, 65)])
def test_windows_that_are_not_in_the_tile(window):
    out = block(1 << 20)
    to = lib.Target(place(out), out.size, 0, 1 << 14, 128, 1)
    assert decode_tile(tiles_of(2), 2, window=window, target=to) == ARGUMENT
    planes = block(3 * T * T)
    assert convert(planes, T, T, window, to) == ARGUMENT
    double = tuple(2 * edge if edge > 4 else edge for edge in window)
    assert reconstruct(planes, T, T, double, to) == ARGUMENT


# ---- Targets and single steps


def convert(planes: np.ndarray | None, height: int, width: int, window: tuple[int, ...], to: lib.Target | None) -> int:
    part = lib.Window(*window)
    code: int = CORE.rrip_convert_planes(
        lib.core(), place(planes), height, width, byref(part), 1, None if to is None else byref(to)
    )
    return code


def reconstruct(
    planes: np.ndarray | None, height: int, width: int, window: tuple[int, ...], to: lib.Target | None, room: int = -1
) -> int:
    part, how, none = lib.Window(*window), coding().residuals[0], (c_void_p * 3)()
    scratch = block(CORE.rrip_predict_scratch() if room < 0 else room)
    code: int = CORE.rrip_reconstruct(
        *(lib.core(), place(planes), height, width, none, byref(how), byref(part), 1),
        *(None if to is None else byref(to), place(scratch), scratch.size),
    )
    return code


@pytest.mark.parametrize(
    ("planes", "row", "step", "start", "size"),
    [(20, 5, 1, 3, 62), (1, 12, 3, 3, 51), (1, 20, 4, 3, 79), (1, 16, 4, 0, 64)],
)
def test_the_smallest_target(planes, row, step, start, size):
    """Of 4 x 4 px: one byte less does not do, and nothing is written behind it."""
    data = block(3 * 8 * 8)
    for function in (convert, reconstruct):
        out = block(size)
        assert function(data, 8, 8, (2, 6, 2, 6), lib.Target(place(out), size, start, planes, row, step)) == 0
        less = block(size - 1)
        to = lib.Target(place(less), size - 1, start, planes, row, step)
        assert function(data, 8, 8, (2, 6, 2, 6), to) == ARGUMENT


@pytest.mark.parametrize(
    "target",
    [
        {"data": None},
        {"pixel_stride": 0},
        {"pixel_stride": 2},
        {"pixel_stride": 5},
        {"pixel_stride": 3, "plane_stride": 2},
        {"pixel_stride": 4, "plane_stride": 2},
        {"plane_stride": 0},
        {"plane_stride": 1 << 63},
        {"plane_stride": (1 << 63) + 20},
        {"row_stride": (1 << 64) - 1},
        {"row_stride": 1 << 63},
        {"row_stride": 1 << 62},
        {"start": (1 << 64) - 50},
        {"start": (1 << 63)},
    ],
    ids=str,
)
def test_targets_that_are_none(target):
    data, out = block(3 * 8 * 8), block(100)
    sound = {"data": place(out), "size": 100, "start": 0, "plane_stride": 25, "row_stride": 5, "pixel_stride": 1}
    for function in (convert, reconstruct):
        assert function(data, 8, 8, (2, 7, 2, 6), lib.Target(*sound.values())) == 0
        assert function(data, 8, 8, (2, 7, 2, 6), lib.Target(*(sound | target).values())) == ARGUMENT


def test_a_row_stride_whose_multiple_is_beyond_64_bits():
    """Rows times stride are 0 then, and every place but that of the first row is far away."""
    height = (1 << 16) + 1
    data, out = block(3 * height), block(100)
    for stride in (1 << 48, (1 << 49) + (1 << 48)):
        to = lib.Target(place(out), out.size, 0, 1, stride, 3)
        assert convert(data, height, 1, (0, height, 0, 1), to) == ARGUMENT


def test_arguments_of_single_steps():
    data, out = block(3 * 8 * 8), block(3 * 16 * 16)
    taps, to = (c_int16 * 4)(-2, 58, 9, -1), lib.Target(place(out), out.size, 0, 256, 16, 1)
    scratch = block(CORE.rrip_predict_scratch())

    def up2(height: int = 8, width: int = 8, room: int | None = None, **wrong: None) -> int:
        given = {"core": lib.core(), "plane": place(data), "height": height, "width": width, "taps": taps}
        given |= {"out": place(out), "scratch": place(scratch), "room": scratch.size if room is None else room}
        return CORE.rrip_up2(*(given | wrong).values())

    assert up2() == 0
    assert [up2(**{name: None}) for name in ("core", "plane", "taps", "out")] == [ARGUMENT] * 4
    for height, width in ((0, 8), (-1, 8), (8, 0), (8, -1), (1, 1025), (1 << 30, 1)):
        assert up2(height, width) == ARGUMENT
        assert reconstruct(data, height, width, (0, 1, 0, 1), to) == ARGUMENT
        if width != 1025 and height < 8:
            assert convert(data, height, width, (0, 1, 0, 1), to) == ARGUMENT
    assert convert(None, 8, 8, (0, 8, 0, 8), to) == ARGUMENT
    assert convert(data, 8, 8, (0, 8, 0, 8), None) == ARGUMENT
    assert reconstruct(None, 8, 8, (0, 8, 0, 8), to) == ARGUMENT
    assert reconstruct(data, 8, 8, (0, 8, 0, 8), None) == ARGUMENT
    for room in (0, 1, 100, scratch.size - 64):
        assert up2(room=room) == SCRATCH
        assert reconstruct(data, 8, 8, (0, 8, 0, 8), to, room) == SCRATCH
    assert up2(scratch=None) == SCRATCH


def test_arguments_of_the_filter():
    plane, out, scratch = block(8 * 20), block(8 * 20), block(CORE.rrip_filter_scratch(20))

    def call(*weights: int, **wrong: object) -> int:
        given = {"core": lib.core(), "plane": place(plane), "height": 8, "width": 20}
        given |= {"weights": (c_int16 * 4)(*(weights or (10, 14, 7, -9))), "out": place(out)}
        given |= {"scratch": place(scratch), "room": scratch.size}
        return CORE.rrip_filter_luma(*(given | wrong).values())

    assert call() == 0
    assert (out == plane).all()  # flat
    assert [call(**{name: None}) for name in ("core", "plane", "weights", "out")] == [ARGUMENT] * 4
    for height, width in ((0, 20), (-1, 20), (2049, 1), (8, 0), (8, -1), (1, 2049)):
        assert call(height=height, width=width) == ARGUMENT
    for weights in WRONG_WEIGHTS:
        assert call(*weights) == ARGUMENT
    assert call(scratch=None) == SCRATCH
    for room in (0, 1, 63, scratch.size - 64):
        assert call(room=room) == SCRATCH
    assert [CORE.rrip_filter_scratch(width) for width in (-1, 0, 2049)] == [0, 0, 0]
    for height, width in ((1, 1), (1, 2048), (2048, 1), (3, 63), (3, 64), (3, 65)):
        plane, out, scratch = block(height * width), block(height * width), block(CORE.rrip_filter_scratch(width))
        assert call(height=height, width=width) == 0


def test_the_widest_plane():
    data, out = block(3 * 1024), block(3 * 2 * 2048)
    assert reconstruct(data, 1, 1024, (0, 2, 0, 2048), lib.Target(place(out), out.size, 0, 4096, 2048, 1)) == 0
    scratch, taps = block(CORE.rrip_predict_scratch()), (c_int16 * 4)(-2, 58, 9, -1)
    assert CORE.rrip_up2(lib.core(), place(data), 1, 1024, taps, place(out), place(scratch), scratch.size) == 0


PICTURES = ("rrip_rgb_to_ycc", "rrip_rgb_to_exact_ycc", "rrip_box2", "rrip_luma")


@pytest.mark.parametrize("name", PICTURES)
def test_arguments_of_pictures(name):
    call, rgb, out = getattr(CORE, name), block(3 * 64), block(12 * 64)
    assert call(lib.core(), place(rgb), 8, 8, place(out)) == 0
    assert call(None, place(rgb), 8, 8, place(out)) == ARGUMENT
    assert call(lib.core(), None, 8, 8, place(out)) == ARGUMENT
    assert call(lib.core(), place(rgb), 8, 8, None) == ARGUMENT
    for height, width in ((0, 8), (-8, 8), (8, 0), (8, -8), (1 << 20, 1), (1, 1 << 20)):
        assert call(lib.core(), place(rgb), height, width, place(out)) == ARGUMENT


def test_arguments_of_differences():
    rgb, out = block(3 * 64), block(12 * 64)
    for first, count in ((-1, 1), (0, 0), (0, -1), (0, 4), (1, 3), (2, 2), (3, 1), (3, 0), (-1, 4)):
        code = CORE.rrip_difference(lib.core(), place(rgb), 8, 8, first, count, None, place(out))
        assert code == ARGUMENT
    assert CORE.rrip_difference(lib.core(), place(rgb), 8, 8, 0, 3, None, place(out)) == 0
    assert CORE.rrip_difference(lib.core(), place(rgb), 0, 8, 0, 3, None, place(out)) == ARGUMENT


def test_arguments_of_back_projection():
    fine, coarse, out = block(4 * 4 * 64), block(4 * 64), block(4 * 64)
    taps, wrong_taps = (c_int16 * 4)(-8, 60, 16, -4), [(c_int16 * 4)(*k) for k in ((0, 0, 0, 0), (80, -16, 0, 0))]
    scratch = block(CORE.rrip_back_project_scratch(8, 8))

    def call(**wrong: object) -> int:
        given = {"core": lib.core(), "fine": place(fine), "coarse": place(coarse), "height": 8, "width": 8}
        given |= {"taps": taps, "out": place(out), "scratch": place(scratch), "room": scratch.size}
        return CORE.rrip_back_project(*(given | wrong).values())

    assert call() == 0
    assert [call(**{name: None}) for name in ("core", "fine", "coarse", "taps", "out")] == [ARGUMENT] * 5
    assert [call(taps=each) for each in wrong_taps] == [ARGUMENT] * 2
    for height, width in ((0, 8), (8, 0), (-8, 8), (1025, 1), (1, 1025), (2**31 - 1, 8)):
        assert call(height=height, width=width) == ARGUMENT
        assert CORE.rrip_back_project_scratch(height, width) == 0
    assert call(scratch=None) == SCRATCH
    assert call(room=scratch.size - 64) == SCRATCH


def test_arguments_of_dissimilarity():
    first, weights, mean = block(4 * 64), np.full(5, 0.2, np.float32), c_double()
    scratch = block(CORE.rrip_dissimilarity_scratch(8))

    def call(height: int = 8, width: int = 8, reach: int = 5, room: int | None = None, **wrong: None) -> int:
        given = {"core": lib.core(), "first": place(first), "second": place(first), "height": height, "width": width}
        given |= {"weights": place(weights), "reach": reach, "c1": 6.5, "c2": 58.5, "mean": byref(mean)}
        given |= {"scratch": place(scratch), "room": scratch.size if room is None else room}
        return CORE.rrip_dissimilarity(*(given | wrong).values())

    assert call() == 0
    assert [call(**{name: None}) for name in ("core", "first", "second", "weights", "mean")] == [ARGUMENT] * 5
    for height, width, reach in ((0, 8, 1), (8, 0, 1), (8, 8, 0), (8, 8, -1), (4, 8, 5), (8, 4, 5), (8, 1 << 20, 1)):
        assert call(height, width, reach) == ARGUMENT
    assert call(room=0) == SCRATCH
    assert call(room=scratch.size - 64) == SCRATCH
    assert call(scratch=None) == SCRATCH
    assert [CORE.rrip_dissimilarity_scratch(width) for width in (-1, 0, 1 << 20)] == [0, 0, 0]


# ---- Encoder


def encode(
    floats: np.ndarray | None,
    planes: int,
    height: int,
    width: int,
    *,
    rate: float = 0.5,
    passes: int = 1,
    **wrong: object,
) -> tuple[int, bytes, np.ndarray]:
    """Code, stream, and what it decodes to."""
    how = (lib.Quantiser * 2)(*(lib.Quantiser((c_uint8 * 64)(*[4] * 64), rate) for _ in range(2)))
    found, size = c_void_p(), c_size_t()
    scratch, decoded = (
        block(CORE.rrip_encode_scratch(planes, height, width)),
        block(0 if floats is None else floats.size),
    )
    given = {"core": lib.core(), "samples": place(floats), "planes": planes, "height": height, "width": width}
    given |= {"quantisers": how, "passes": passes, "optional": 0, "decoded": place(decoded), "scratch": place(scratch)}
    given |= {"room": scratch.size, "stream": byref(found), "size": byref(size)}
    code = CORE.rrip_encode(*(given | wrong).values())
    data = bytes(cast(found.value, POINTER(c_uint8 * size.value)).contents) if found.value and size.value else b""
    return code, data, decoded


def waves(count: int) -> np.ndarray:
    return (100 * np.sin(np.arange(count) / 3)).astype(np.float32)


def test_arguments_of_the_encoder():
    samples = waves(3 * 64)
    assert encode(samples, 3, 8, 8)[0] == 0
    assert encode(None, 1, 8, 8)[0] == ARGUMENT
    for name in ("core", "quantisers", "stream", "size"):
        assert encode(samples, 1, 8, 8, **{name: None})[0] == ARGUMENT
    for planes in (-1, 0, 2, 4):
        assert encode(samples, planes, 8, 8, scratch=None)[0] == ARGUMENT
    for side in (-8, 0, 4, 12, 2056, 4096):
        assert encode(samples, 1, side, 8, scratch=None)[0] == ARGUMENT
        assert encode(samples, 1, 8, side, scratch=None)[0] == ARGUMENT
    for passes in (-1, 9):
        assert encode(samples, 1, 8, 8, passes=passes)[0] == ARGUMENT
    for rate in (-1.0, float("nan"), 2e6, float("inf")):
        assert encode(samples, 1, 8, 8, rate=rate)[0] == ARGUMENT
    for planes, at in ((1, 0), (1, 63), (3, 64), (3, 127)):
        how = (lib.Quantiser * 2)(*(lib.Quantiser((c_uint8 * 64)(*[4] * 64), 0) for _ in range(2)))
        how[at // 64].steps[at % 64] = 0
        assert encode(samples, planes, 8, 8, quantisers=how)[0] == ARGUMENT
    for planes, height, width in ((0, 8, 8), (4, 8, 8), (1, 0, 8), (1, 8, 0), (1, 2056, 8), (1, 8, 2056)):
        assert CORE.rrip_encode_scratch(planes, height, width) == 0


def test_too_little_scratch_for_the_encoder():
    samples, most = waves(3 * 256), CORE.rrip_encode_scratch(3, 16, 16)
    found = []
    for room in (*range(0, 200, 3), *range(200, most, 701)):
        memory = block(room)
        found.append(encode(samples, 3, 16, 16, scratch=place(memory), room=room)[0])
    assert set(found) <= {0, SCRATCH}
    assert found == sorted(found)
    assert encode(samples, 3, 16, 16, scratch=None)[0] == SCRATCH


@pytest.mark.parametrize("rate", [0, 0.5, 100])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e38, 1e20, 3000, -3000])
def test_samples_out_of_their_range(value, rate):
    """The stream is some picture, and the one that the encoder says; no kernel takes another way."""
    rng = np.random.default_rng(1)
    samples = waves(3 * 256)
    samples[rng.integers(0, samples.size, 40)] = value
    for samples_given in (samples, np.full_like(samples, value)):
        for planes in (1, 3):
            code, data, decoded = encode(samples_given[: planes * 256], planes, 16, 16, rate=rate, passes=2)
            assert code == 0
            if not data:
                continue
            out, fault, given = block(planes * 256), lib.Fault(), block(data)
            scratch = block(CORE.rrip_decode_scratch(64, len(data)))
            assert not CORE.rrip_decode_stream(
                *(lib.core(), place(given), len(data), 16, planes, 0, 16, place(out), place(scratch), scratch.size),
                byref(fault),
            )
            assert np.array_equal(out, decoded)


# ---- Sources


def is_sound(
    data: bytes | None, tables: bytes | None = None, height: int = 16, width: int = 16, **wrong: object
) -> int:
    given = None if data is None else block(data)
    more = None if tables is None else block(tables)
    arguments = {"core": lib.core(), "data": place(given), "size": len(data or b""), "tables": place(more)}
    arguments |= {"tables_size": len(tables or b""), "height": 16, "width": 16}
    found: int = CORE.rrip_is_sound_jpeg(*(arguments | wrong).values())
    return found


TABLES = b"\xff\xd8" + segment(0xDB, b"\0" + bytes([1]) * 64) + segment(0xC4, DC + AC) + b"\xff\xd9"
ABBREVIATED = stream(quantiser=b"", codes=b"")


def test_sources_that_are_sound():
    assert is_sound(stream()) == is_sound(stream(3)) == is_sound(ABBREVIATED, TABLES) == 1
    assert is_sound(stream(end=b"\xff\xd9\0\0\0")) == 1
    assert is_sound(stream(restart=segment(0xDD, b"\0\2"), data=b"\x0f\xff\xd0\x0f")) == 1
    assert is_sound(stream(data=bits("0" + SIXTEEN * 3 + "101" * 15 + "00" * 3))) == 1
    assert is_sound(stream(before=segment(0xE0, b"JFIF\0\1\1"))) == 1
    halved = segment(0xC0, b"\10\0\20\0\20\3\1\x22\0\2\x11\0\3\x11\0")
    assert is_sound(stream(3, data=b"\0\x0f", frame=halved)) == 1


UNUSUAL = {
    "nothing": b"",
    "three bytes": b"\xff\xd8\xff",
    "no start": stream(start_of_image=b"\xff\xd7"),
    "first byte": stream(start_of_image=b"\xfe\xd8"),
    "start alone": b"\xff\xd8\xff\xd9",
    "no segments": b"\xff\xd8\xff\xc0",
    "a marker without a length": b"\xff\xd8\xff\xc4\0",
    "a segment up to the very end": b"\xff\xd8" + COMMENT,
    "a segment up to one byte before": b"\xff\xd8" + COMMENT + b"\xff",
    "length of 0": stream(before=segment(0xFE, b"xx", 0)),
    "length of 1": stream(before=segment(0xFE, b"xx", 1)),
    "too long": b"\xff\xd8" + segment(0xFE, b"x" * 5, 8),
    "half a Huffman table": b"\xff\xd8" + segment(0xC4, bytes(10)),
    "symbols that are missing": b"\xff\xd8" + segment(0xC4, bytes(16) + b"\xc8" + b"xx"),
    "a symbol that is missing": b"\xff\xd8" + segment(0xC4, bytes(16) + b"\3" + b"xx"),
    "class of a Huffman table": stream(codes=segment(0xC4, DC + AC + codes(0x20, {1: b"\0"}))),
    "too many codes": stream(codes=segment(0xC4, codes(0, {1: b"\0\1\2"}) + AC)),
    "too many codes of AC": stream(codes=segment(0xC4, DC + codes(0x10, {1: b"\0\1", 16: b"\2"}))),
    "no DC table": stream(codes=segment(0xC4, AC)),
    "no AC table": stream(codes=segment(0xC4, DC)),
    "half a frame": b"\xff\xd8" + segment(0xC0, frame()[:5]),
    "a frame without its component": b"\xff\xd8" + segment(0xC0, frame()[:6]),
    "12 bits": stream(frame=segment(0xC0, b"\14" + frame()[1:])),
    "no components": stream(frame=segment(0xC0, frame()[:5] + b"\0")),
    "five components": stream(frame=segment(0xC0, frame()[:5] + b"\5" + b"\1\x11\0\2\x11\0\3\x11\0\4\x11\0\5\x11\0")),
    "two components of one name": stream(3, frame=segment(0xC0, frame(planes=3, ids=b"\1\2\1"))),
    "height": stream(frame=segment(0xC0, b"\10\0\30\0\20" + frame()[5:]), data=b"\0\x0f"),
    "width": stream(frame=segment(0xC0, b"\10\0\20\0\30" + frame()[5:]), data=b"\0\x0f"),
    "progressive": stream(frame=segment(0xC2, frame())),
    "no frame": stream(frame=b""),
    "a scan header of no bytes": b"\xff\xd8" + segment(0xC0, frame()) + segment(0xDA, b""),
    "no component in the scan": stream(start=segment(0xDA, b"\0\0\77\0")),
    "five components in the scan": stream(start=segment(0xDA, b"\5" + b"\1\0" * 5 + b"\0\77\0")),
    "a scan header that is too short": b"\xff\xd8" + segment(0xC0, frame()) + segment(0xDA, start()[:-1]),
    "a scan header that is too long": stream(start=segment(0xDA, start() + b"\0")),
    "fewer components in the scan": stream(frame=segment(0xC0, frame(planes=3))),
    "another component in the scan": stream(start=segment(0xDA, start(ids=b"\2"))),
    "a component twice in the scan": stream(3, start=segment(0xDA, start(3, ids=b"\1\2\2"))),
    "first coefficient": stream(start=segment(0xDA, start(spectrum=b"\1\77\0"))),
    "last coefficient": stream(start=segment(0xDA, start(spectrum=b"\0\76\0"))),
    "approximation": stream(start=segment(0xDA, start(spectrum=b"\0\77\1"))),
    "no height of a component": stream(3, frame=segment(0xC0, b"\10\0\20\0\20\3\1\x10\0\2\x11\0\3\x11\0")),
    "no width of a component": stream(3, frame=segment(0xC0, b"\10\0\20\0\20\3\1\x01\0\2\x11\0\3\x11\0")),
    "a component of five blocks": stream(
        3, frame=segment(0xC0, b"\10\0\20\0\20\3\1\x51\0\2\x11\0\3\x11\0"), data=b"\0" + b"\0\x03"
    ),
    "a component of five rows": stream(
        3, frame=segment(0xC0, b"\10\0\20\0\20\3\1\x15\0\2\x11\0\3\x11\0"), data=b"\0" + b"\0\x03"
    ),
    "eleven blocks in a unit": stream(
        3, frame=segment(0xC0, b"\10\0\20\0\20\3\1\x42\0\2\x21\0\3\x11\0"), data=bytes(3)[:2] + b"\0\0\0"
    ),
    "48 blocks in a unit": stream(3, frame=segment(0xC0, b"\10\0\20\0\20\3\1\x44\0\2\x44\0\3\x44\0"), data=bytes(12)),
    "no restart interval": stream(restart=b"\xff\xdd\0\2"),
    "no restart interval, at the end": b"\xff\xd8\xff\xdd\0\2",
    "half a restart interval, at the end": b"\xff\xd8\xff\xdd\0\3\0",
    "half a restart interval": stream(restart=segment(0xDD, b"\1")),
    "JFIF of another kind": stream(before=segment(0xE0, b"JFIF\0\2\1")),
    "JFIF without a version": b"\xff\xd8" + segment(0xE0, b"JFIF\0"),
    "a marker without its first byte": stream(before=b"\xfe\xfe\0\2"),
    "a marker of no use": stream(before=b"\xff\xf0\0\2"),
    "no code": stream(data=b"\x80"),
    "no symbol": stream(codes=segment(0xC4, DC + codes(0x10, {1: b"\x0b"}))),
    "no symbol of a long code": stream(codes=segment(0xC4, DC + codes(0x10, {16: b"\x0b"})), data=bytes(9)),
    "no data": stream(data=b""),
    "no data and no end": stream(data=b"", end=b""),
    "half a byte at the end": stream(data=b"", end=b"\xff"),
    "no end": stream(end=b""),
    "half an end": stream(end=b"\xff"),
    "another end": stream(end=b"\xff\xd8"),
    "no marker at the end": stream(end=b"\0\xd9"),
    "more data": stream(data=bytes(2)),
    "too many coefficients": stream(data=bits("0" + SIXTEEN * 4 + "00" * 3)),
    "something behind the end": stream(end=b"\xff\xd9\0\1"),
    "an interval that ends early": stream(restart=segment(0xDD, b"\0\2"), data=b"\xff\xd0\x0f"),
    "an interval that goes on": stream(restart=segment(0xDD, b"\0\2"), data=b"\x0f\0\xff\xd0\x0f"),
    "no restart marker": stream(restart=segment(0xDD, b"\0\2"), data=b"\x0f", end=b""),
    "half a restart marker": stream(restart=segment(0xDD, b"\0\2"), data=b"\x0f", end=b"\xff"),
    "no marker where one should be": stream(restart=segment(0xDD, b"\0\2"), data=b"\x0f\0\xd0\x0f"),
    "restart markers out of order": stream(restart=segment(0xDD, b"\0\2"), data=b"\x0f\xff\xd1\x0f"),
}


@pytest.mark.parametrize("what", UNUSUAL)
def test_a_source_that_is_not_sound(what):
    assert is_sound(UNUSUAL[what]) == 0


def test_arguments_of_sources():
    assert is_sound(stream(), core=None) == is_sound(None, size=10) == 0
    assert is_sound(ABBREVIATED, None, tables_size=len(TABLES)) == 0
    assert is_sound(ABBREVIATED) == 0
    for cut in range(len(TABLES)):
        assert is_sound(ABBREVIATED, TABLES[:cut]) == (0 if cut else is_sound(ABBREVIATED))
    for whole, tables in ((stream(), None), (ABBREVIATED, TABLES)):
        assert not any(is_sound(whole[:cut], tables) for cut in range(len(whole)))
