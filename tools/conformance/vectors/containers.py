"""Whole valid containers of each binding, from which the damaged ones are made."""

from __future__ import annotations

import io
import json
import struct
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from rrip_format.containers.creating import open_writer
from rrip_format.slides.slide import open_slide
from rrip_format.spec.metadata import Coding, Metadata, SlideMetadata
from rrip_format.spec.tile import join_tile

from .case import BASE_READER, FULL_READER, VALIDATOR, Json, dump, refusal, sha256
from .pictures import Quality, encode, smooth
from .valid import encode_family, make_coding, pyramid

Files = dict[str, bytes]
"""Content by path: the files of a folder, the members of an archive."""

FOLDER, ZIP, TIFF, SEALED = "slide.rrip.zarr", "slide.rrip.zarr.zip", "slide.rrip.tif", "slide.rrip"


@dataclass(frozen=True, slots=True)
class ContainerCase:
    """A whole container with its ``case.json``.

    Parameters
    ----------
    name, about, sections
        As of :class:`vectors.case.Case`.
    container : str
        Name of the container: a folder or a file.
    files : mapping of str to bytes
        Content by path, the paths beginning with `container`.
    tiles, attachments : mapping of str to str
        SHA-256 of the RGB of every tile (``level/row/column``) that has to be read, and of every attachment.
    rule : str or None
        What it breaks, None if it is valid.
    at : tuple of str
        Where that has to be noticed: ``open``, a tile, an attachment.
    for_validators : bool
        Whether readers pass over it.
    warnings : tuple of str
        Rules that a validator warns of.
    """

    name: str
    about: str
    sections: str
    container: str
    files_of_container: Files = field(repr=False)
    tiles: dict[str, str] = field(default_factory=dict)
    attachments: dict[str, str] = field(default_factory=dict)
    rule: str | None = None
    at: tuple[str, ...] = ()
    for_validators: bool = False
    warnings: tuple[str, ...] = ()

    @property
    def classes(self) -> list[str]:
        """Classes of readers that have to pass the case."""
        if self.for_validators:
            return [VALIDATOR]
        fine = self.at and all(place[:2] in {"0/", "1/"} for place in self.at)
        return [FULL_READER, VALIDATOR] if fine else [BASE_READER, FULL_READER, VALIDATOR]

    def files(self) -> Iterator[tuple[str, bytes]]:
        """Return path and content of every file of the case."""
        head: dict[str, Json] = {
            "description": self.about,
            "sections": self.sections.split(),
            "kind": "container",
            "container": self.container,
        }
        if self.for_validators:
            head |= {"rule": self.rule}
        elif self.rule:
            head |= {**refusal(self.rule), "at": list(self.at)}
        if self.warnings:
            head["warnings"] = list(self.warnings)
        head |= {"tiles": self.tiles, "attachments": self.attachments}
        yield f"{self.name}/case.json", dump(head, depth=2)
        for path, content in self.files_of_container.items():
            yield f"{self.name}/{path}", content


# What all containers show


def coding() -> Coding:
    """Return the coding of one row of three families, the middle one empty, with one tile of level 3."""
    return make_coding(size=(700, 200), empty=[(0, 1)], planes=(1, 3))


@cache
def stored_tiles() -> dict[tuple[int, int, int], bytes]:
    """Return every stored tile of the slide by level, row and column."""
    tiles = {}
    for col in (0, 2):
        levels = pyramid(smooth(256, col), 64)
        family = encode_family(coding(), 0, col, levels, Quality(30))
        tiles.update({(level, 0, col): tile for level, tile in family.items()})
    tiles[3, 0, 0] = join_tile([encode(smooth(256, 5), 3)], coding().place(3, 0, 0))
    return tiles


def macro(seed: int = 7) -> bytes:
    """Return a small associated image."""
    return encode(smooth(64, seed), 10)


def icc_profile() -> bytes:
    """Return the shortest possible ICC profile: a header and an empty table of tags."""
    head = struct.pack(">I4sI4s4s4s", 132, b"\0\0\0\0", 0x04400000, b"mntr", b"RGB ", b"XYZ ")
    return head + struct.pack(">6H4s", 2026, 1, 1, 0, 0, 0, b"acsp") + bytes(88) + bytes(4)


@cache
def written(name: str) -> bytes | Files:
    """Write the slide with the package; return the files of a folder, or the bytes of a file."""
    slide = SlideMetadata(mpp=(0.25, 0.25), objective=40, source_name="example.svs")
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / name
        with open_writer(target) as writer:
            for place, tile in stored_tiles().items():
                writer.write_tile(*place, tile)
            writer.write_associated("macro", macro())
            writer.finish(Metadata(coding(), slide, {"name": "make_vectors"}), icc_profile())
        if target.is_file():
            return target.read_bytes()
        paths = sorted(path for path in target.rglob("*") if path.is_file())
        return {path.relative_to(target).as_posix(): path.read_bytes() for path in paths}


def folder_files() -> Files:
    """Return the files of the folder."""
    found = written(FOLDER)
    if isinstance(found, bytes):
        raise TypeError("the folder is a file")
    return dict(found)


def file_bytes(name: str) -> bytes:
    """Return the zip archive or the TIFF."""
    found = written(name)
    if isinstance(found, dict):
        raise TypeError("the file is a folder")
    return found


def pack(members: Files, methods: dict[str, int] | None = None) -> bytes:
    """Make a zip archive of members, stored unless `methods` says otherwise."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content, (methods or {}).get(name, zipfile.ZIP_STORED))
    return buffer.getvalue()


def compact_files() -> Files:
    """Return the files of the folder with documents without white space, to keep the damaged ones small."""
    files = folder_files()
    documents = {name: json.loads(content) for name, content in files.items() if name.endswith("zarr.json")}
    return files | {name: json.dumps(content, separators=(",", ":")).encode() for name, content in documents.items()}


def in_folder(files: Files) -> Files:
    """Return files of a folder by their paths in a case."""
    return {f"{FOLDER}/{name}": content for name, content in files.items()}


@cache
def expected() -> tuple[dict[str, str], dict[str, str]]:
    """Return the digests of all tiles and attachments of the slide."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / TIFF
        path.write_bytes(file_bytes(TIFF))
        with open_slide(path) as slide:
            tiles = {
                f"{level.index}/{row}/{col}": sha256(slide.read_tile(level.index, row, col))
                for level in slide.levels
                for row, col in slide.geometry.tiles(level.index)
            }
            attachments = {"icc_profile": sha256(slide.icc_profile() or b"")}
            return tiles, attachments | {name: sha256(jpeg) for name, jpeg in slide.associated_images().items()}


# Archives and TIFF files by the byte


def header_offset_at(archive: bytes, name: str) -> int:
    """Return where the directory of a zip archive stores the offset of a member."""
    at = archive.index(b"PK\1\2")
    while archive[at + 46 :][: len(name)] != name.encode() or archive[at + 28] != len(name):
        at = archive.index(b"PK\1\2", at + 1)
    return at + 42


@dataclass(frozen=True, slots=True)
class Entry:
    """Offsets of the entry of a tag and of its values."""

    at: int
    type: int
    count: int
    values: int


def ifd_entries(data: bytes, ifd: int) -> dict[int, Entry]:
    """Return the tags of an IFD."""
    (count,) = struct.unpack_from("<Q", data, ifd)
    found = {}
    for at in range(ifd + 8, ifd + 8 + 20 * count, 20):
        tag, kind, values, offset = struct.unpack_from("<HHQQ", data, at)
        size = {3: 2, 4: 4, 5: 8, 16: 8, 18: 8}.get(kind, 1)
        found[tag] = Entry(at, kind, values, at + 12 if values * size <= 8 else offset)
    return found


def ifd_of(data: bytes, level: int) -> int:
    """Return the offset of the IFD of a level."""
    (at,) = struct.unpack_from("<Q", data, 8)
    if level < 2:
        return int(struct.unpack_from("<2Q", data, ifd_entries(data, at)[65381].values)[level])
    for _ in range(level - 2):
        (at,) = struct.unpack_from("<Q", data, next_at(data, at))
    return int(at)


def next_at(data: bytes, ifd: int) -> int:
    """Return where an IFD stores the offset of the next."""
    return ifd + 8 + 20 * int(struct.unpack_from("<Q", data, ifd)[0])


def overwritten(data: bytes, at: int, new: bytes) -> bytes:
    """Return a file with some bytes replaced."""
    return data[:at] + new + data[at + len(new) :]


def with_tag(data: bytes, level: int, tag: int, kind: int, values: bytes, count: int) -> bytes:
    """Return a TIFF in which a tag has another type and values, which fit into the old ones or into the entry."""
    entry = ifd_entries(data, ifd_of(data, level))[tag]
    data = overwritten(data, entry.at + 2, struct.pack("<HQ", kind, count))
    if len(values) <= 8:
        return overwritten(data, entry.at + 12, values.ljust(8, b"\0"))
    return overwritten(data, entry.values, values)


def numbers(data: bytes, level: int, tag: int) -> list[int]:
    """Return the values of a tag of LONG or LONG8."""
    entry = ifd_entries(data, ifd_of(data, level))[tag]
    return list(struct.unpack_from(f"<{entry.count}{'I' if entry.type == 4 else 'Q'}", data, entry.values))


# Cases


def cases() -> Iterator[ContainerCase]:
    """Return valid containers: as the package writes them, and as another writer may."""
    tiles, attachments = expected()

    def valid(name: str, about: str, sections: str, container: str, files: Files, *warnings: str) -> ContainerCase:
        path = f"containers/{name}"
        return ContainerCase(path, about, sections, container, files, tiles, attachments, warnings=warnings)

    folder, archive, tiff, sealed = folder_files(), file_bytes(ZIP), file_bytes(TIFF), file_bytes(SEALED)
    yield valid("folder", "a folder", "9.1 9.2 9.7", FOLDER, in_folder(folder))
    yield valid("zip", "a zip archive", "9.1", ZIP, {ZIP: archive})
    yield valid("tiff", "a BigTIFF", "10.1 10.2 10.3 10.6", TIFF, {TIFF: tiff})
    yield valid("tiff-sealed", "a sealed BigTIFF", "10.5 10.10", SEALED, {SEALED: sealed})
    other = stored_tiles()[0, 0, 2]
    stray = {**folder, "0/c/0/0/1": other, "associated/label/c/0/0/0": macro(), "notes.txt": b"not of the format\n"}
    about = "a tile of an empty family, a label that is not listed and a foreign file, all of which readers ignore"
    yield valid("folder-stray", about, "7.3 8.7", FOLDER, in_folder(stray), "key.unexpected", "tile.unexpected")
    deflated = {name: zipfile.ZIP_DEFLATED for name in folder if name.endswith("zarr.json")}
    yield valid("zip-deflated", "members that are no tiles are compressed", "9.1", ZIP, {ZIP: pack(folder, deflated)})
    short = tiff
    for level in (0, 1, 2, 3):
        offsets, lengths = numbers(tiff, level, 324), numbers(tiff, level, 325)
        short = with_tag(short, level, 324, 4, struct.pack(f"<{len(offsets)}I", *offsets), len(offsets))
        short = with_tag(short, level, 325, 3, struct.pack(f"<{len(lengths)}H", *lengths), len(lengths))
    yield valid("tiff-short", "offsets of type LONG, lengths of type SHORT", "10.3", TIFF, {TIFF: short})
    junk = tiff
    for level, tag in ((0, 324), (0, 325), (1, 324), (1, 325)):
        entry = ifd_entries(tiff, ifd_of(tiff, level))[tag]
        width = 4 if entry.type == 4 else 8
        junk = overwritten(junk, entry.values + width, b"\xff" * width)
    yield valid(
        "tiff-empty-tile", "an empty tile with an offset and a length", "10.4", TIFF, {TIFF: junk}, "tile.unexpected"
    )
