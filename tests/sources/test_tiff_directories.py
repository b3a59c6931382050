"""TIFF files whose directories are broken, too many or too large: refused before a library loads them."""

from __future__ import annotations

import struct
import tracemalloc

import pytest
import tifffile
from tiff_readers import picture

from rrip_format.errors import SourceError
from rrip_format.sources import open_source
from rrip_format.sources.tiffcheck import first_page_px
from rrip_format.sources.tiffdirectories import MOST_DIRECTORIES

FORMS = {"classic": ("<", False), "classic, big-endian": (">", False), "BigTIFF": ("<", True)}
SHORT, LONG = 3, 4


class Writer:
    """A file of directories, made by hand."""

    def __init__(self, form):
        self.order, self.is_big = FORMS[form]
        magic = b"II" if self.order == "<" else b"MM"
        self.data = bytearray(magic + self.pack("HHH" if self.is_big else "H", *((43, 8, 0) if self.is_big else (42,))))
        self.word = "Q" if self.is_big else "I"
        self.link = len(self.data)
        self.data += self.pack(self.word, 0)

    def pack(self, form, *values):
        return struct.pack(self.order + form, *values)

    def append(self, data):
        """Append bytes and return their offset."""
        self.data += bytes(-len(self.data) % 8)
        self.data += data
        return len(self.data) - len(data)

    def directory(self, tags, *, linked=True):
        """Append a directory of (code, type, count, value or offset), and link the last one to it."""
        body = self.pack("Q" if self.is_big else "H", len(tags))
        for code, kind, count, value in sorted(tags):
            inline = self.pack("H", value) if kind == SHORT and count == 1 else self.pack(self.word, value)
            body += self.pack("HHQ" if self.is_big else "HHI", code, kind, count) + inline.ljust(
                8 if self.is_big else 4, b"\0"
            )
        at = self.append(body + self.pack(self.word, 0))
        if linked:
            self.set_link(at)
            self.link = len(self.data) - struct.calcsize(self.order + self.word)
        return at

    def set_link(self, at):
        struct.pack_into(self.order + self.word, self.data, self.link, at)

    def page(self, rows=1, index=None, **options):
        """Append a gray page of 1 px width, each row a strip."""
        at = (8, 8) if index is None else index
        short = {256: 1, 258: 8, 259: 1, 262: 1, 277: 1, 278: 1}
        tags = [(code, SHORT, 1, value) for code, value in short.items()]
        tags += [(257, LONG, 1, rows), (273, LONG, rows, at[0]), (279, LONG, rows, 1 if rows == 1 else at[1])]
        return self.directory([*tags, *options.pop("more", [])], **options)

    def save(self, path):
        path.write_bytes(self.data)
        return path


def refusal(path):
    """Return the error, and check that it cost little."""
    tracemalloc.start()
    try:
        with pytest.raises(SourceError) as caught:
            open_source(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 16 << 20
    assert first_page_px(path) == 0
    return str(caught.value)


@pytest.mark.parametrize("form", FORMS)
def test_a_long_chain(form, tmp_path):
    file = Writer(form)
    for _ in range(MOST_DIRECTORIES + 1):
        file.page()
    assert f"more than {MOST_DIRECTORIES} TIFF directories" in refusal(file.save(tmp_path / "a.tif"))


@pytest.mark.parametrize("form", FORMS)
def test_sub_pages_that_are_shared(form, tmp_path):
    """150 sub-pages of 150 sub-pages are 22,500, in two directories."""
    file = Writer(form)
    inner = file.page(linked=False)
    middle = file.page(linked=False, more=[(330, LONG, 150, file.append(file.pack("150I", *[inner] * 150)))])
    file.page(more=[(330, LONG, 150, file.append(file.pack("150I", *[middle] * 150)))])
    assert f"more than {MOST_DIRECTORIES} TIFF directories" in refusal(file.save(tmp_path / "a.tif"))


@pytest.mark.parametrize("form", FORMS)
def test_a_sub_page_that_is_its_own_page(form, tmp_path):
    """No library follows it for ever, and neither does this package."""
    file = Writer(form)
    place = len(file.data) + -len(file.data) % 8
    assert file.page(more=[(330, LONG, 1, place)]) == place
    path = file.save(tmp_path / "a.tif")
    assert "gray pictures" in refusal_or_note(path)


def refusal_or_note(path):
    try:
        with open_source(path) as source:
            return " ".join(source.info.notes)
    except SourceError as error:
        return str(error)


@pytest.mark.parametrize("form", FORMS)
def test_an_index_that_is_shared(form, tmp_path):
    """Each of 300 pages has the same 20,000 strips: a library would load 6 million."""
    file = Writer(form)
    rows = 20_000
    index = (file.append(file.pack(f"{rows}I", *[8] * rows)), file.append(file.pack(f"{rows}I", *[1] * rows)))
    for _ in range(300):
        file.page(rows, index)
    assert "bytes in the tags of its TIFF directories, the limit" in refusal(file.save(tmp_path / "a.tif"))


@pytest.mark.parametrize("form", FORMS)
def test_an_index_of_a_hole(form, tmp_path):
    """A file with a hole of a terabyte states an index of 400 GB."""
    file = Writer(form)
    count = 100_000_000_000 if FORMS[form][1] else 0xFFFFFFFF
    file.page(more=[(324, LONG, count, 8)])
    path = file.save(tmp_path / "a.tif")
    with path.open("r+b") as sparse:
        sparse.truncate(1 << 40)
    assert "bytes in the tags of its TIFF directories, the limit" in refusal(path)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", ["loop", "outside", "cut", "no tags", "header"])
def test_broken_chains(form, kind, tmp_path):
    file = Writer(form)
    first = file.page()
    file.page()
    if kind in {"loop", "outside"}:
        file.set_link(first if kind == "loop" else len(file.data) + 100)
    if kind == "no tags":
        file.set_link(file.append(bytes(64)))
    if kind == "cut":
        del file.data[-20:]
    if kind == "header":
        del file.data[6:]
    expected = {"loop": "form a loop", "outside": "is outside the file", "no tags": "has no tags"}
    assert expected.get(kind, "the file ends after") in refusal(file.save(tmp_path / "a.tif"))


def test_ordinary_pyramids_pass(tmp_path):
    """Levels in sub-pages, many focal planes, and large tags do."""
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path, bigtiff=True) as tif:
        for _ in range(12):
            tif.write(picture(), photometric="rgb", subifds=2, iccprofile=bytes(1 << 18), metadata=None)
            tif.write(picture()[::2, ::2], photometric="rgb", subfiletype=1, metadata=None)
            tif.write(picture()[::4, ::4], photometric="rgb", subfiletype=1, metadata=None)
    with open_source(path) as source:
        assert "12 pictures" in source.info.notes[0]
