"""Edits of the Python package for ``mutation_test.py``, and some of the compiled core: each removes one check.

The table is long because every check that keeps a promise is in it.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["EDITS", "Edit"]


@dataclass(frozen=True)
class Edit:
    """A check to be removed.

    Parameters
    ----------
    name : str
        What no longer happens.
    file : str
        Module of the package, or source of the compiled core.
    old, new : str
        Text that is there exactly once, and what comes in its place.
    tests : str
        What to hand to pytest, as for a shell.
    """

    name: str
    file: str
    old: str
    new: str
    tests: str


EDITS = (
    # Stored tiles (spec sections 6 and 7)
    Edit("checksum of a tile", "spec/tile.py", "if crc32c(data) != _RESIDUE:", "if False:", "tests/spec/test_tile.py"),
    Edit(
        "slide of a tile",
        "spec/tile.py",
        "if (level, row, col, slide) != (place.level, place.row, place.col, place.slide.bytes[:8]):",
        "if (level, row, col) != (place.level, place.row, place.col):",
        "tests/spec/test_tile.py",
    ),
    Edit(
        "place of a tile",
        "spec/tile.py",
        "if (level, row, col, slide) != (place.level, place.row, place.col, place.slide.bytes[:8]):",
        "if slide != place.slide.bytes[:8]:",
        "tests/spec/test_tile.py",
    ),
    Edit(
        "sum of the lengths of streams",
        "spec/tile.py",
        "sum(lengths) + TRAILER_BYTES != len(data)",
        "False",
        "tests/spec/test_tile.py",
    ),
    Edit("lengths of unused streams", "spec/tile.py", " or any(lengths[count:])", "", "tests/spec/test_tile.py"),
    Edit("number of streams", "spec/tile.py", "if found != count or zero or", "if zero or", "tests/spec/test_tile.py"),
    Edit(
        "size before slicing a tile",
        "spec/tile.py",
        "if len(data) < TRAILER_BYTES:",
        "if False:",
        "tests/spec/test_tile.py",
    ),
    Edit(
        "place of a packet",
        "family/packet.py",
        "if row >= rows or col >= cols or coding.is_empty(level, row, col):",
        "if False:",
        "tests/zarr_views/test_store.py -k packet",
    ),
    # Metadata (section 8)
    Edit(
        "seals",
        "spec/metadata/sealing.py",
        'if document.get("crc32c") != expected:',
        "if False:",
        "tests/spec/test_metadata_seal.py -k seal_notices",
    ),
    Edit(
        "number of families",
        "spec/metadata/coding.py",
        '    check_limit("families", rows * cols, "the slide", rule="limit.families")\n',
        "",
        "tests/spec/test_metadata_rules.py -k too_many",
    ),
    Edit(
        "length of the bitmap of empty families",
        "spec/metadata/bitmap.py",
        "if len(bits) != size_bytes or",
        "if",
        "tests/spec/test_metadata.py -k bitmaps",
    ),
    Edit(
        "end of the bitmap's stream",
        "spec/metadata/bitmap.py",
        " or not inflate.eof",
        "",
        "tests/spec/test_metadata.py -k bitmaps",
    ),
    Edit(
        "bytes behind the bitmap",
        "spec/metadata/bitmap.py",
        " or inflate.unused_data",
        "",
        "tests/spec/test_metadata.py -k bitmaps",
    ),
    Edit(
        "bound on inflating the bitmap",
        "spec/metadata/bitmap.py",
        "validate=True), size_bytes + 1)",
        "validate=True))",
        "tests/spec/test_metadata.py -k bomb",
    ),
    Edit(
        "version",
        "spec/metadata/coding.py",
        "if version > FORMAT_VERSION:",
        "if False:",
        "tests/spec/test_metadata.py -k newer",
    ),
    Edit(
        "required features",
        "spec/metadata/coding.py",
        "    if unknown:",
        "    if False:",
        "tests/spec/test_metadata.py -k required",
    ),
    Edit(
        "range of the taps",
        "spec/metadata/rules.py",
        " or sum(taps) != 64 or sum(map(abs, taps)) > 90",
        "",
        "tests/spec/test_metadata_rules.py -k every_rule",
    ),
    Edit(
        "grey where families are empty",
        "spec/metadata/rules.py",
        'elif document.get("empty") is not None and len(set(background)) != 1:',
        "elif False:",
        "tests/spec/test_metadata_rules.py -k every_rule",
    ),
    Edit(
        "a filter that is not required, and the other way round",
        "spec/metadata/rules.py",
        "if is_there != is_wanted:",
        "if False:",
        "tests/spec/test_metadata.py -k feature",
    ),
    Edit(
        "weights of the filter",
        "spec/metadata/rules.py",
        "if not (_is_ints(found, 4, -63, 63) and any(found) and abs(found[2]) + abs(found[3]) <= 28):",
        "if False:",
        "tests/spec/test_metadata.py -k weights",
    ),
    # Absent tiles (section 7.3)
    Edit(
        "an absent tile is an error",
        "family/decode.py",
        "        if tile is None:\n",
        "        if tile is None:\n            return np.full((3, 64, 64), 255, np.uint8)\n",
        "tests/family/test_family.py -k missing_tiles",
    ),
    Edit(
        "an absent tile is an error through Zarr",
        "zarr_views/hierarchy.py",
        "    if tile is None:\n",
        "    if tile is None:\n        return b''\n",
        "tests/zarr_views/test_store.py -k missing_tile",
    ),
    Edit(
        "a tile is checked before it is served",
        "zarr_views/hierarchy.py",
        "    split_tile(tile, place, coding.streams(level))\n",
        "",
        'tests/zarr_views/test_store.py -k "damaged_tile or another_place"',
    ),
    Edit(
        "what is copied is checked",
        "containers/copying.py",
        "split_tile(tile, coding.place(*place), coding.streams(place[0]))",
        "pass",
        "tests/containers/test_transmux.py -k damaged_tile",
    ),
    # TIFF (section 10.8)
    Edit(
        "visited IFDs of the chain",
        "containers/tiff_parser.py",
        "if at in visited:",
        "if False:",
        "tests/containers/test_tiff.py -k bad_files",
    ),
    Edit(
        "visited private IFDs",
        "containers/tiff_reader.py",
        "if offset in visited:",
        "if False:",
        "tests/containers/test_tiff.py -k bad_files",
    ),
    Edit(
        "extent of a tag",
        "containers/tiff_parser.py",
        "if at + field.size > source.size:",
        "if False:",
        "tests/containers/test_tiff.py -k bad_files",
    ),
    Edit(
        "number of tags",
        "containers/tiff_parser.py",
        "if not 1 <= count <= MAX_FIELDS:",
        "if False:",
        "tests/containers/test_tiff.py -k bad_files",
    ),
    Edit(
        "order of tags",
        "containers/tiff_parser.py",
        "if tag <= last:",
        "if False:",
        "tests/containers/test_tiff.py -k bad_files",
    ),
    Edit(
        "end of the chain",
        "containers/tiff_parser.py",
        "    if at:\n",
        "    if False:\n",
        "tests/containers/test_tiff.py -k bad_files",
    ),
    Edit(
        "length of a tile in the tables",
        "containers/tiff_reader.py",
        "if length > most or offset + length > self._source.size:",
        "if offset + length > self._source.size:",
        "tests/containers/test_tiff.py -k huge_values",
    ),
    Edit(
        "size of the metadata",
        "containers/tiff_reader.py",
        '        check_limit("metadata_bytes", field.size, f"{self.name}: the object rrip", rule="limit.metadata")\n',
        "",
        "tests/containers/test_tiff.py -k huge_values",
    ),
    Edit(
        "another container in its place",
        "containers/base.py",
        "if container.metadata.coding.uuid != uuid:",
        "if False:",
        "tests/containers/test_transmux.py -k replaced",
    ),
    # Bytes, stores and archives
    Edit(
        "range inside the file",
        "storage/byte_source.py",
        "if min(offset, length) < 0 or offset + length > source.size:",
        "if False:",
        'tests/containers/test_tiff.py -k "bad_files or truncated"',
    ),
    Edit(
        "another version of a file",
        "storage/http_service.py",
        "    if request.version is not None and request.version.differs(version):\n        raise replaced(url)\n",
        "",
        "tests/storage/test_requests.py -k file_that_is_replaced",
    ),
    Edit(
        "size of a value",
        "storage/services.py",
        "if value is not None and len(value) > limit:",
        "if False:",
        "tests/containers/test_robustness.py -k largest_size",
    ),
    Edit(
        "size of a small file",
        "storage/objects.py",
        "wanted = min(most, os.fstat(file).st_size)",
        "wanted = most",
        "tests/containers/test_robustness.py -k memory",
    ),
    Edit(
        "size of a member of an archive",
        "containers/zip_reader.py",
        "if member is not None and max(member.compress_size, member.file_size) > most:",
        "if False:",
        "tests/containers/test_robustness.py -k huge_member",
    ),
    Edit(
        "bound on inflating a member",
        "containers/zip_reader.py",
        ".decompress(stored, max(1, member.file_size))",
        ".decompress(stored)",
        "tests/containers/test_robustness.py -k inflates",
    ),
    Edit(
        "the listed attachment",
        "containers/base.py",
        "if attachment_checksum(data) != container.metadata.attachments[name]:",
        "if False:",
        "tests/containers/test_robustness.py -k attachment",
    ),
    Edit(
        "checksum of an attachment",
        "spec/attachments.py",
        'if len(stored) < 4 or crc32c(data).to_bytes(4, "little") != stored[-4:]:',
        "if False:",
        "tests/containers/test_robustness.py -k attachment",
    ),
    # The Zarr codec (section 9.3)
    Edit(
        "shape around the codec",
        "zarr_views/codec.py",
        "if tuple(shape) != expected or tuple(found_chunk or ()) != (3, side, side):",
        "if False:",
        "tests/zarr_views/test_codec_documents.py -k document",
    ),
    Edit(
        "name of the array around the codec",
        "zarr_views/codec.py",
        'if len(parts) < 5 or parts[-5:-2] != [str(level), "c", "0"]:',
        "if len(parts) < 5:",
        'tests/zarr_views/test_codec_documents.py -k "told_by_its_key or another_name or other_chunk_keys"',
    ),
    # Writing (section 9.5)
    Edit("fsync", "storage/workplace.py", "os.fsync(handle)", "pass", "tests/storage/test_durability.py"),
    Edit(
        "fsync of the folder above",
        "storage/workplace.py",
        "    flush(target.parent)\n",
        "",
        "tests/storage/test_durability.py",
    ),
    Edit(
        "fsync of the files of a folder",
        "storage/sinks.py",
        "        flush_all(self._unsettled)\n",
        "",
        "tests/storage/test_durability.py",
    ),
    Edit(
        "fsync of the folders of a folder",
        "storage/sinks.py",
        "        flush_all(folder for folder, _, _ in os.walk(self._folder))\n",
        "",
        "tests/storage/test_durability.py",
    ),
    Edit(
        "fsync of an archive, and of the header of a TIFF",
        "storage/sinks.py",
        "            self.file.close()\n            flush(self.path)\n",
        "            self.file.close()\n",
        "tests/storage/test_durability.py",
    ),
    Edit(
        "fsync before the header of a TIFF",
        "containers/tiff_writer.py",
        "            self._partial.settle()  # the data must be on disk before the header that points to them\n",
        "",
        "tests/storage/test_durability.py",
    ),
    Edit(
        "tiles of level 0 as decoded",
        "conversion/blocks.py",
        "if found is not None and _digest(found) != tile.digest:",
        "if found is not None and tile.place[0] > 0 and _digest(found) != tile.digest:",
        "tests/conversion/test_crash.py -k expects_something_else",
    ),
    Edit(
        "durable before it is noted",
        "conversion/pipeline.py",
        "            durable.result()\n",
        "",
        "tests/storage/test_durability.py -k noted_only_when",
    ),
    # The compiled core, which is compiled anew for each: stored tiles (section 6.2)
    Edit(
        "checksum of a tile, compiled",
        "core/src/stored_tile.c",
        "if (core->crc32c(0, data, size - 4) != number_at(trailer + 32))",
        "if (0)",
        "tests/family/test_family.py -k damage_names",
    ),
    Edit(
        "place of a tile, compiled",
        "core/src/stored_tile.c",
        "if (number_at(trailer + 12) != row || number_at(trailer + 16) != col || trailer[20] != level ||\n        ",
        "if (",
        "tests/family/test_family.py -k tiles_of_other_places",
    ),
    Edit(
        "slide of a tile, compiled",
        "core/src/stored_tile.c",
        " ||\n        memcmp(trailer + 24, coding->slide, 8) != 0)",
        ")",
        "tests/family/test_family.py -k tiles_of_other_places",
    ),
    Edit(
        "number of streams, compiled",
        "core/src/stored_tile.c",
        "if (trailer[21] != count || ",
        "if (",
        "tests/family/test_family.py -k another_number_of_planes",
    ),
    Edit(
        "sum of the lengths of streams, compiled",
        "core/src/stored_tile.c",
        " || at != size - RRIP_TRAILER)",
        ")",
        "tests/spec/test_vectors.py -k invalid",
    ),
    Edit(
        "a base tile without a picture, compiled",
        "core/src/stored_tile.c",
        "return level >= 2 && streams[0].size == 0 ? RRIP_TILE_EMPTY : 0;",
        "return 0;",
        "tests/family/test_family.py -k bad_streams",
    ),
    # JPEG streams (section 6.1)
    Edit(
        "frame size before decoding",
        "core/src/jpeg_header.c",
        "if (numbers[0] != side || numbers[1] != side || numbers[2] != planes)",
        "if (numbers[2] != planes)",
        "tests/family/test_jpeg.py -k a_size_that",
    ),
    Edit(
        "subsampling",
        "core/src/jpeg_header.c",
        "if (component[1] != 0x11)",
        "if (0)",
        "tests/family/test_jpeg.py -k subsampled",
    ),
    Edit(
        "end of the scan's data",
        "core/src/jpeg_scan.c",
        "return spent > bits ? RRIP_EARLY : bits",
        "return bits",
        "tests/core/test_jpeg_decoder.py -k ends_early",
    ),
    Edit(
        "data behind the last block",
        "core/src/jpeg_scan.c",
        "bits - spent >= 8 ? RRIP_LATE : 0",
        "0",
        "tests/core/test_jpeg_decoder.py -k goes_on",
    ),
    Edit(
        "order of restart markers",
        "core/src/jpeg_scan.c",
        " || (data[at + 1] & 7) != ((part - 1) & 7)",
        "",
        "tests/core/test_jpeg_decoder.py -k out_of_order",
    ),
    Edit(
        "a code that is none",
        "core/src/kernel_scan.h",
        "if (found.taken == 0)",
        "if (0)",
        "tests/core/test_jpeg_decoder.py -k symbol_that_is_none",
    ),
    Edit(
        "coefficients behind the last one",
        "core/src/kernel_scan.h",
        "if (last > 63)",
        "if (0)",
        "tests/core/test_jpeg_decoder.py -k too_many_coefficients",
    ),
)
