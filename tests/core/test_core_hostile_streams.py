"""Each check of the compiled core before a stream is decoded, and of what streams it calls damaged.

See ``tests/support/hostile_calls.py`` for what a call reads and how the module is used.
"""

from __future__ import annotations

from ctypes import byref

import pytest
from hostile_calls import (
    AC,
    ARGUMENT,
    COMMENT,
    CORE,
    DC,
    HUGE,
    SCRATCH,
    SIXTEEN,
    bits,
    block,
    codes,
    flat,
    frame,
    place,
    segment,
    start,
    stream,
)

from rrip_format.core import library as lib


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
