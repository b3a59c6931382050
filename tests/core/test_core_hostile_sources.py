"""Each check of the compiled core of the JPEG streams of a source, which are kept as they are.

See ``tests/support/hostile_calls.py`` for what a call reads and how the module is used.
"""

from __future__ import annotations

import pytest
from hostile_calls import AC, COMMENT, CORE, DC, SIXTEEN, bits, block, codes, frame, place, segment, start, stream

from rrip_format.core import library as lib


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
