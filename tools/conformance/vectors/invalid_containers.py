"""Damaged containers of each binding, each with the rule that it breaks and where a reader notices it."""

from __future__ import annotations

import json
import struct
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from rrip_format.spec.attachments import attachment_checksum, seal_attachment
from rrip_format.spec.metadata import seal
from rrip_format.spec.tile import join_tile, split_tile

from .case import sha256
from .containers import (
    SEALED,
    TIFF,
    ZIP,
    ContainerCase,
    Files,
    coding,
    compact_files,
    expected,
    file_bytes,
    header_offset_at,
    ifd_entries,
    ifd_of,
    in_folder,
    macro,
    next_at,
    numbers,
    overwritten,
    pack,
    with_tag,
)
from .invalid_tiles import OTHER_SLIDE, flipped, patched
from .pictures import encode, smooth

FIRST, SECOND = ("0/0/0", "1/0/0", "2/0/0"), ("0/0/2", "1/0/2", "2/0/2")
"""Tiles of the two families that are not empty, finest first."""

OPEN = ("open",)


def refused(name: str, about: str, sections: str, files: Files, rule: str, at: Iterable[str]) -> ContainerCase:
    """Return a case that is refused when it is opened, or when certain tiles are read."""
    tiles, attachments = expected()
    places = tuple(at)
    if places == OPEN:
        tiles, attachments = {}, {}
    return ContainerCase(
        f"invalid/container-{name}",
        about,
        sections,
        container_of(files),
        files,
        {place: digest for place, digest in tiles.items() if place not in places},
        {name: digest for name, digest in attachments.items() if name not in places},
        rule,
        places,
    )


def passed_over(name: str, about: str, sections: str, files: Files, rule: str) -> ContainerCase:
    """Return a case that only a validator has to refuse: readers read all of it."""
    path, container = f"invalid/container-{name}", container_of(files)
    return ContainerCase(path, about, sections, container, files, *expected(), rule, for_validators=True)


def container_of(files: Files) -> str:
    """Return the name of the container with these files."""
    return next(iter(files)).partition("/")[0]


def folder_cases() -> Iterator[ContainerCase]:
    """Return damaged folders."""
    good = compact_files()
    root, last = good["zarr.json"], good["base/0/c/0/0/2"]

    def damaged(
        name: str, about: str, sections: str, changes: Mapping[str, bytes | None], rule: str, at: Iterable[str]
    ) -> ContainerCase:
        files = {key: content for key, content in {**good, **changes}.items() if content is not None}
        return refused(f"folder-{name}", about, sections, in_folder(files), rule, at)

    yield damaged("no-root", "no zarr.json at the root", "9.5", {"zarr.json": None}, "metadata.absent", OPEN)
    plain = json.dumps({"zarr_format": 3, "node_type": "group", "attributes": {}}).encode()
    yield damaged("plain-group", "a group without rrip", "9.2", {"zarr.json": plain}, "metadata.absent", OPEN)
    yield damaged("cut-root", "half of the root's zarr.json", "9.2", {"zarr.json": root[:900]}, "metadata.json", OPEN)
    tap = root.replace(b"58,", b"57,", 1)
    about = "a digit of a filter tap in the root's zarr.json is changed"
    yield damaged("tap", about, "8.5", {"zarr.json": tap}, "metadata.seal", OPEN)
    gone = "a tile is deleted"
    yield damaged("no-residual", gone, "7.3", {"0/c/0/0/0": None}, "tile.missing", FIRST[:1])
    yield damaged("no-base", gone, "7.3", {"base/0/c/0/0/0": None}, "tile.missing", FIRST)
    yield damaged("no-overview", gone, "7.3", {"base/1/c/0/0/0": None}, "tile.missing", ["3/0/0"])
    swapped: dict[str, bytes | None] = {"1/c/0/0/0": good["1/c/0/0/2"], "1/c/0/0/2": good["1/c/0/0/0"]}
    yield damaged("swapped", "two tiles changed places", "7.2", swapped, "tile.place", [*FIRST[:2], *SECOND[:2]])
    stream = bytes(split_tile(last, coding().place(2, 0, 2), 1)[0] or b"")
    foreign = patched(last, -12, OTHER_SLIDE.bytes[:8])
    about = "a tile of another slide"
    yield damaged("other-slide", about, "7.2", {"base/0/c/0/0/2": foreign}, "tile.place", SECOND)
    about = "one bit of a tile is flipped"
    yield damaged("flipped", about, "7.1", {"0/c/0/0/2": flipped(good["0/c/0/0/2"], 300)}, "tile.checksum", SECOND[:1])
    yield damaged("cut-tile", "a file of 0 bytes", "6.2", {"0/c/0/0/2": b""}, "tile.short", SECOND[:1])
    about = "a sealed tile whose stream has no end"
    endless = join_tile([stream[:-2]], coding().place(2, 0, 2))
    yield damaged("endless", about, "6.1", {"base/0/c/0/0/2": endless}, "stream.decode", SECOND)
    about = "an attachment that is listed is deleted"
    yield damaged("no-icc", about, "8.7", {"icc_profile/c/0": None}, "attachment.missing", ["icc_profile"])
    about = "one bit of an attachment is flipped"
    profile = {"icc_profile/c/0": flipped(good["icc_profile/c/0"], 100)}
    yield damaged("icc", about, "9.7", profile, "attachment.checksum", ["icc_profile"])
    about = "another image, with its own checksum, in the place of the macro image"
    image = {"associated/macro/c/0/0/0": seal_attachment(macro(8))}
    yield damaged("other-macro", about, "8.7", image, "attachment.checksum", ["macro"])


def document_cases() -> Iterator[ContainerCase]:
    """Return folders with a wrong document that our readers do not need, but other software does."""
    good = compact_files()

    def wrong(name: str, about: str, sections: str, key: str, old: bytes, new: bytes, rule: str) -> ContainerCase:
        if old not in good[key]:
            raise RuntimeError(f"{key} does not hold {old!r}")
        files = {**good, key: good[key].replace(old, new, 1)}
        return passed_over(f"folder-{name}", about, sections, in_folder(files), rule)

    level = b'"level":1', b'"level":0'
    yield wrong("level", "the codec of array 1 says level 0", "9.3", "1/zarr.json", *level, "array.document")
    keys = b'{"name":"rrip"},"fill_value"', b'{"name":"default","configuration":{"separator":"/"}},"fill_value"'
    about = "array 2 has keys that every Zarr reader knows, so that readers without the codec show its fill value"
    yield wrong("keys", about, "9.2", "2/zarr.json", *keys, "array.document")
    fill = b'"fill_value":255', b'"fill_value":0'
    yield wrong("fill", "another fill value of the base level", "9.2", "base/0/zarr.json", *fill, "array.document")
    path = b'"path":"1"', b'"path":"0"'
    yield wrong("ome", "NGFF metadata that name level 0 twice", "9.2", "base/zarr.json", *path, "group.ome")
    empty = b'"node_type":"group"', b'"node_type":"group","consolidated_metadata":{"kind":"inline","metadata":{}}'
    yield wrong("consolidated", "consolidated metadata", "9.6", "zarr.json", *empty, "group.consolidated")
    gray = encode(smooth(64)[..., 0], 20)
    root = json.loads(good["zarr.json"])
    rrip = root["attributes"]["rrip"]
    attachments = rrip["attachments"] | {"macro": attachment_checksum(gray)}
    root["attributes"]["rrip"] = seal({**rrip, "attachments": attachments})
    changed = {"zarr.json": json.dumps(root).encode(), "associated/macro/c/0/0/0": seal_attachment(gray)}
    about = "a macro image of one component; who shows it refuses it"
    macro_case = passed_over("folder-gray-macro", about, "9.7", in_folder({**good, **changed}), "attachment.jpeg")
    yield replace(macro_case, attachments={**macro_case.attachments, "macro": sha256(gray)})
    for name, key, rule in (("array", "1/zarr.json", "array.document"), ("group", "base/zarr.json", "group.document")):
        files = in_folder({other: content for other, content in good.items() if other != key})
        yield passed_over(f"folder-no-{name}", f"no zarr.json of an {name}", "9.2", files, rule)


def zip_cases() -> Iterator[ContainerCase]:
    """Return damaged zip archives."""
    good, tile = compact_files(), "0/c/0/0/2"
    whole = pack(good)

    def damaged(name: str, about: str, sections: str, data: bytes, rule: str, at: Iterable[str]) -> ContainerCase:
        return refused(f"zip-{name}", about, sections, {ZIP: data}, rule, at)

    yield damaged("cut", "the end of the archive is missing", "9.5", whole[:-600], "zip.structure", OPEN)
    rootless = {name: content for name, content in good.items() if name != "zarr.json"}
    yield damaged("no-root", "no zarr.json at the root", "9.2", pack(rootless), "metadata.absent", OPEN)
    sealed = {**good, "zarr.json": good["zarr.json"].replace(b'"width":700', b'"width":701')}
    yield damaged("width", "the width is changed after sealing", "8.5", pack(sealed), "metadata.seal", OPEN)
    less = {name: content for name, content in good.items() if name != tile}
    yield damaged("no-tile", "a tile is missing", "7.3", pack(less), "tile.missing", SECOND[:1])
    at = whole.index(good[tile])
    about = "one bit of a tile is flipped"
    yield damaged("flipped", about, "7.1", flipped(whole, at + 300), "tile.checksum", SECOND[:1])
    swapped = {**good, "base/0/c/0/0/0": good["base/0/c/0/0/2"], "base/0/c/0/0/2": good["base/0/c/0/0/0"]}
    yield damaged("swapped", "two tiles changed places", "7.2", pack(swapped), "tile.place", [*FIRST, *SECOND])
    bomb = pack({**good, tile: bytes(1 << 20)}, {tile: zipfile.ZIP_DEFLATED})
    yield damaged("bomb", "a compressed tile that inflates to 1 MiB", "12", bomb, "tile.size", SECOND[:1])
    unknown = pack(good, {tile: zipfile.ZIP_BZIP2})
    yield damaged("method", "a tile that is compressed with bzip2", "9.1", unknown, "zip.method", SECOND[:1])
    about = "a compressed tile: readers may inflate it, but it is no byte range of the archive"
    squeezed = pack(good, {tile: zipfile.ZIP_DEFLATED})
    yield passed_over("zip-deflated-tile", about, "9.1", {ZIP: squeezed}, "zip.method")
    about = "the end of the archive's comment is missing, and nothing else"
    cut = whole[:-2] + struct.pack("<H", 80) + b"{"
    yield passed_over("zip-cut-comment", about, "9.1", {ZIP: cut}, "zip.structure")
    twice = pack({"0/c/0/0/9": good["0/c/0/0/0"], **good}).replace(b"0/c/0/0/9", tile.encode())
    about = "two members of one name; the last one counts"
    yield passed_over("zip-twice", about, "9.1", {ZIP: twice}, "zip.duplicate")
    astray = overwritten(whole, header_offset_at(whole, tile), struct.pack("<I", 3))
    yield damaged("astray", "the directory points beside a member", "9.1", astray, "zip.member", SECOND[:1])
    outside = overwritten(whole, header_offset_at(whole, tile), struct.pack("<I", len(whole) + 1000))
    yield damaged("outside", "the directory points beyond the archive", "9.1", outside, "file.range", SECOND[:1])
    last = overwritten(whole, header_offset_at(whole, tile), struct.pack("<I", len(whole) - 10))
    about = "the directory points at the last 10 bytes of the archive, where no member has room"
    yield damaged("outside-header", about, "9.1", last, "file.range", SECOND[:1])


def tiff(name: str, about: str, sections: str, data: bytes, rule: str, at: Iterable[str] = OPEN) -> ContainerCase:
    """Return a case of a BigTIFF that is refused."""
    return refused(f"tiff-{name}", about, sections, {TIFF: data}, rule, at)


def tiff_cases() -> Iterator[ContainerCase]:
    """Return BigTIFF files with a wrong header, wrong metadata or a wrong attachment."""
    good = file_bytes(TIFF)
    first = ifd_entries(good, ifd_of(good, 2))
    metadata = first[65380]

    def renamed(tag: int, other: int) -> bytes:
        return overwritten(good, first[tag].at, struct.pack("<H", other))

    header = "10.1 10.8"
    yield tiff("classic", "a header of classic TIFF", header, b"II*\0" + good[4:], "tiff.header")
    yield tiff("big-endian", "a big-endian header", header, b"MM\0+" + good[4:], "tiff.header")
    yield tiff("unfinished", "IFD 0 at offset 0", "10.8 10.9", overwritten(good, 8, bytes(8)), "tiff.header")
    yield tiff("cut", "the second half is missing", "10.8", good[: len(good) // 2], "file.range")
    yield tiff("cut-end", "the last 100 bytes are missing", "10.8", good[:-100], "file.range")
    yield tiff("ordinary", "no tag 65380", "10.5", renamed(65380, 65379), "metadata.absent")
    text = overwritten(good, metadata.at + 2, struct.pack("<H", 2))
    yield tiff("metadata-type", "metadata of type ASCII", "10.5", text, "tiff.tag")
    far = overwritten(good, metadata.at + 12, struct.pack("<Q", len(good) - 8))
    yield tiff("metadata-outside", "metadata that reach outside the file", "10.8", far, "file.range")
    braceless = overwritten(good, metadata.values, b" ")
    yield tiff("metadata-json", "metadata without a brace", "10.5", braceless, "metadata.json")
    digit = good.index(b"58,", metadata.values)
    yield tiff("tap", "a digit of a filter tap is changed", "8.5", overwritten(good, digit, b"57"), "metadata.seal")
    profile = flipped(good, first[34675].values + 100)
    about = "one bit of an attachment is flipped"
    yield tiff("icc", about, "10.6", profile, "attachment.checksum", ["icc_profile"])
    yield tiff("macro", about, "10.6", flipped(good, good.index(macro()) + 200), "attachment.checksum", ["macro"])
    about = "the ICC profile that is listed has another tag"
    yield tiff("no-icc", about, "8.7", renamed(34675, 34676), "attachment.missing", ["icc_profile"])
    about = "the ICC profile has no tag 65383"
    yield tiff("icc-no-checksum", about, "10.6 10.8", renamed(65383, 65390), "tiff.tag", ["icc_profile"])
    label = good.replace(b"macro\0", b"label\0")
    yield tiff("no-macro", "the macro image is called label", "8.7", label, "attachment.missing", ["macro"])
    nameless = good.replace(b"macro\0", b"other\0")
    yield tiff("image-name", "an associated image with an unknown name", "10.6", nameless, "tiff.tag")


def tiff_ifd_cases() -> Iterator[ContainerCase]:
    """Return BigTIFF files with a wrong IFD."""
    good = file_bytes(TIFF)
    start = ifd_of(good, 2)
    first = ifd_entries(good, start)

    def long(level: int, tag: int, value: int) -> bytes:
        return with_tag(good, level, tag, 4, struct.pack("<I", value), 1)

    many = overwritten(good, start, struct.pack("<Q", 129))
    yield tiff("many-tags", "an IFD that says 129 tags", "10.8", many, "tiff.ifd")
    none = overwritten(good, ifd_of(good, 1), bytes(8))
    yield tiff("no-tags", "an IFD without tags", "10.8", none, "tiff.ifd")
    order = overwritten(good, first[257].at, struct.pack("<H", 256))
    yield tiff("tag-twice", "a tag that is there twice", "10.8", order, "tiff.ifd")
    loop = overwritten(good, next_at(good, start), struct.pack("<Q", start))
    yield tiff("loop", "IFD 0 is followed by itself", "10.8", loop, "tiff.loop")
    private = overwritten(good, first[65381].values, struct.pack("<Q", start))
    yield tiff("private-loop", "IFD 0 is named as that of a residual level", "10.8", private, "tiff.loop")
    chain = "10.2 10.8"
    ended = overwritten(good, next_at(good, start), bytes(8))
    yield tiff("chain-short", "IFD 0 is the last one", chain, ended, "tiff.chain")
    more = overwritten(good, next_at(good, ifd_of(good, 3)), struct.pack("<Q", ifd_of(good, 0)))
    yield tiff("chain-long", "an IFD after the last level", chain, more, "tiff.chain")
    back = overwritten(good, next_at(good, ifd_of(good, 3)), struct.pack("<Q", start))
    yield tiff(
        "chain-back", "IFD 0 after the last level: the chain is too long, whatever follows", chain, back, "tiff.chain"
    )
    yield tiff("width", "another width of level 1", "10.3", long(1, 256, 351), "tiff.tag")
    yield tiff("tile-side", "another tile width of level 3", "10.3", long(3, 322, 128), "tiff.tag")
    raw = with_tag(good, 0, 259, 3, struct.pack("<H", 1), 1)
    yield tiff("compression", "level 0 is said not to be compressed", "10.3", raw, "tiff.tag")
    halves = with_tag(good, 2, 530, 3, struct.pack("<2H", 2, 2), 2)
    yield tiff("subsampling", "level 2 is said to have subsampled chroma", "10.3", halves, "tiff.tag")
    kind = overwritten(good, ifd_entries(good, ifd_of(good, 0))[324].at + 2, struct.pack("<H", 18))
    yield tiff("offset-type", "offsets of tiles of type IFD8", "10.3", kind, "tiff.tag")
    fewer = overwritten(good, ifd_entries(good, ifd_of(good, 0))[325].at + 4, struct.pack("<Q", 2))
    yield tiff("tables", "two lengths for three tiles", "10.8", fewer, "tiff.tables")


def tiff_tile_cases() -> Iterator[ContainerCase]:
    """Return BigTIFF files that open, and have one or two wrong tiles."""
    good = file_bytes(TIFF)

    def table(data: bytes, level: int, tag: int, values: list[int]) -> bytes:
        kind, letter = (16, "Q") if tag == 324 else (4, "I")
        return with_tag(data, level, tag, kind, struct.pack(f"<{len(values)}{letter}", *values), len(values))

    offsets, lengths = numbers(good, 0, 324), numbers(good, 0, 325)
    away = table(good, 0, 324, [len(good) - 100, *offsets[1:]])
    yield tiff("tile-outside", "a tile that reaches outside the file", "10.8", away, "file.range", FIRST[:1])
    gone = table(good, 0, 325, [0, *lengths[1:]])
    yield tiff("no-tile", "length 0 of a tile that is not empty", "10.8", gone, "tile.missing", FIRST[:1])
    huge = table(good, 0, 325, [2**32 - 1, *lengths[1:]])
    yield tiff("tile-size", "a tile of 4 GiB", "12", huge, "tile.size", FIRST[:1])
    swapped = table(table(good, 0, 324, offsets[::-1]), 0, 325, lengths[::-1])
    yield tiff("swapped", "two tiles changed places", "7.2", swapped, "tile.place", [FIRST[0], SECOND[0]])
    bit = flipped(good, numbers(good, 2, 324)[2] + 300)
    yield tiff("flipped", "one bit of a base tile is flipped", "7.1", bit, "tile.checksum", SECOND)


def sealed_cases() -> Iterator[ContainerCase]:
    """Sealed BigTIFF files whose levels are not those that the metadata promise."""
    good = file_bytes(SEALED)
    (start,) = struct.unpack_from("<Q", good, 8)
    levels = ifd_entries(good, start)[65384]

    def sealed(name: str, about: str, data: bytes, rule: str) -> ContainerCase:
        return refused(f"sealed-{name}", about, "10.10", {SEALED: data}, rule, OPEN)

    second = good[levels.values : levels.values + 8]
    more = overwritten(good, next_at(good, start), second)
    yield sealed("chain", "an IFD behind the only page", more, "tiff.chain")
    yield sealed("levels", "a level less", overwritten(good, levels.at + 4, struct.pack("<Q", 1)), "tiff.tag")
    loop = overwritten(good, levels.values, struct.pack("<Q", start))
    yield sealed("loop", "the page is named as level 2", loop, "tiff.loop")
    hidden = overwritten(good, levels.at, struct.pack("<H", 65385))
    yield sealed("hidden", "no tag 65384, so that the page would be level 2", hidden, "tiff.chain")


def cases() -> Iterator[ContainerCase]:
    """Return all cases of this module."""
    yield refused("text", "a text file", "9.1 12", {TIFF: b"This is no container.\n"}, "container.kind", OPEN)
    yield from folder_cases()
    yield from document_cases()
    yield from zip_cases()
    yield from tiff_cases()
    yield from tiff_ifd_cases()
    yield from tiff_tile_cases()
    yield from sealed_cases()
