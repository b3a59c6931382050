"""Describe a container: levels, sizes, metadata and identifiers."""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from ..containers.pictures import shows_label
from ..errors import RripError, StorageError, printable
from ..privacy.identifiers import find_identifiers
from ..spec.geometry import BASE_LEVEL
from ..spec.metadata import Compression
from ..spec.zarr_layout import ICC_ARRAY, parse_tile_key
from .slide import Slide, open_slide

__all__ = ["describe", "format_bytes", "format_info", "info"]

Json = Any


def info(
    path: str | os.PathLike[str] | Any,
    *,
    storage_options: Mapping[str, Any] | None = None,
    store: Any = None,
) -> dict[str, Json]:
    """Describe a container, as ``rrip info --json`` does.

    Parameters
    ----------
    path : str, path-like or store
        Path or URL of a folder, zip archive or TIFF file, or a store with a container at its root.
    storage_options : mapping, optional
        Options of the file system of a URL, as for :func:`rrip_format.open`.
    store : obstore or Zarr store, optional
        Store in which the path is a key, as for :func:`rrip_format.open`.

    Returns
    -------
    dict
        ``levels``, a list of dicts, finest first: ``width`` and ``height`` in px, ``tiles``, ``bytes``, ``mpp`` in µm,
        and more. ``bytes``, by kind and in ``total``. ``ratio`` to the raw pixels and ``ratio_to_source``. ``families``
        and ``empty_families``. Numbers of bytes and tiles are None for a folder on a server that has no lists.
        ``metadata`` (spec section 8) without checksums. ``identifiers``: metadata and images that may identify the
        patient. All values are JSON.

    Raises
    ------
    NotFoundError
        If there is nothing at the path or URL.
    FormatError
        If it is not an RRIP container.
    StorageError
        If it cannot be read or listed.
    """
    with open_slide(path, storage_options=storage_options, store=store, cache_mib=0) as slide:
        return describe(slide)


def describe(slide: Slide) -> dict[str, Json]:
    """Describe an open container; see :func:`info`.

    Raises
    ------
    StorageError
        If the store cannot be listed.
    """
    level_bytes: Counter[int] = Counter()
    level_tiles: Counter[int] = Counter()
    names = ("residuals", "base", "overviews", "metadata", "icc profile", "associated images")
    kinds: Counter[str] = Counter(dict.fromkeys(names, 0))
    sized = _sizes(slide)
    for key, size in sized or ():
        tile_level = _level_of(key)
        kinds[_kind_of(key, tile_level)] += size
        if tile_level is not None:
            level_bytes[tile_level] += size
            level_tiles[tile_level] += 1
    coding, raw_bytes = slide.metadata.coding, 0
    levels = []
    for level in slide.levels:
        raw_bytes += 3 * level.width * level.height
        rows, cols = slide.geometry.grid(level.index)
        levels.append(
            {
                "level": level.index,
                "width": level.width,
                "height": level.height,
                "tile": level.tile,
                "grid": [rows, cols],
                "tiles": None if sized is None else level_tiles[level.index],
                "bytes": None if sized is None else level_bytes[level.index],
                "mpp": level.mpp,
            }
        )
    total = None if sized is None else sum(kinds.values())
    source_bytes = slide.metadata.slide.source_bytes
    return {
        "path": slide.name,
        "levels": levels,
        "families": math.prod(slide.geometry.families),
        "empty_families": coding.empty_count,
        "bytes": {**(dict.fromkeys(kinds) if sized is None else kinds), "total": total},
        "ratio": round(raw_bytes / total, 2) if total else None,
        "ratio_to_source": round(source_bytes / total, 3) if total and source_bytes else None,
        "metadata": _readable(slide),
        "identifiers": find_identifiers(slide.metadata, _label_pictures(slide)).to_json(),
    }


def _label_pictures(slide: Slide) -> Iterator[str]:
    """Generate the names of the associated images that show the label or might show it."""
    for name in slide.associated_images:
        try:
            if shows_label(slide.container, name):
                yield name
        except RripError:  # validation reports what is wrong with it
            yield name


def _sizes(slide: Slide) -> list[tuple[str, int]] | None:
    """Return the keys and sizes of all that is stored; None for a remote folder that cannot be listed."""
    try:
        found = list(slide.container.sizes())
    except StorageError:
        if not slide.container.is_remote or slide.container.is_file:
            raise
        return None
    return found or None  # some servers answer a listing with nothing; the root is there


def _readable(slide: Slide) -> dict[str, Json]:
    """Return the metadata without checksums and bitmap."""
    document = slide.metadata.to_json()
    coding = {key: value for key, value in document["coding"].items() if key not in ("crc32c", "empty")}
    return {"coding": coding, "slide": document["slide"], "writer": document["writer"]}


def _filter(coding: dict[str, Json]) -> list[str]:
    """Return a line about the filter of luma (spec section 5.8), if there is one."""
    weights = coding["residuals"][0].get("luma_filter")
    return [] if weights is None else [f"  filter     luma of level 0, weights {', '.join(map(str, weights))}"]


def _repaired(writer: dict[str, Json]) -> list[str]:
    """Return a line about tiles that were lost or remade (spec section 8.4), if there are any."""
    record = writer.get("repair")
    if not isinstance(record, dict):
        return []
    lost, rebuilt, filled = (
        len(found) if isinstance(found := record.get(name), list) else 0 for name in ("lost", "rebuilt", "filled")
    )
    return [f"  repaired   {lost} tiles lost, {rebuilt} rebuilt, {filled} filled from the coarser level"]


def _source_history(source: dict[str, Json]) -> list[str]:
    """Return lines about what the source had lost before (spec section 8.9)."""
    lines, found = [], source.get("compressions")
    if found is not None:
        words = ", then ".join(str(Compression.parse(entry)) for entry in found) or "not compressed, as far as it says"
        lines.append(f"  source     {words}")
    if source.get("missing_tiles"):
        lines.append(
            f"  missing    {source['missing_tiles']} tiles of the source had no data; they are background here"
        )
    return lines


def _identifiers(found: dict[str, Json]) -> str:
    """Describe what may identify the patient."""
    properties, pictures = found["properties"], found["pictures"]
    parts = ["the name of its source"] if found["name"] is not None else []
    if properties:
        names = ", ".join(properties[:3]) + (" …" if len(properties) > 3 else "")
        parts.append(f"{len(properties)} properties ({names})")
    parts += [f"its {name} image" for name in pictures]
    says = (
        [f"{', '.join(parts)} may identify a patient; 'rrip convert … --strip' makes a copy without"] if parts else []
    )
    says += ["its pixels show the label or other text, as DICOM says"] if found["pixels"] else []
    return "; ".join(says) or "nothing known to identify a patient, no label image"


class _Unknown(dict[str, Json]):
    """Members of a writer; absent ones are shown as unknown."""

    def __missing__(self, key: str) -> str:
        return f"({key} unknown)"


def _settings(writer: dict[str, Json]) -> str:
    """Format the settings that are set; another writer may have none, or another form."""
    settings = writer.get("settings")
    if not isinstance(settings, dict):
        return "unknown" if settings is None else str(settings)
    given = [f"{name} {value}" for name, value in settings.items() if value is not None and value is not False]
    return ", ".join(given) or "none"


def _level_of(key: str) -> int | None:
    """Return the level of the stored tile at a key, None for any other key."""
    place = parse_tile_key(key)
    return None if place is None else place[0]


def _kind_of(key: str, level: int | None) -> str:
    if level is not None:
        return "residuals" if level < BASE_LEVEL else "base" if level == BASE_LEVEL else "overviews"
    attachments = {ICC_ARRAY: "icc profile", "associated": "associated images"}
    return attachments.get(key.partition("/")[0], "metadata")


def format_bytes(count: int) -> str:
    """Format a size with three digits and a decimal unit."""
    size = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} B" if unit == "B" else f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} TB"


def format_info(found: dict[str, Json]) -> str:
    """Format the result of :func:`info` as text."""
    metadata = found["metadata"]
    slide, total = metadata["slide"], found["bytes"]["total"]
    mpp = f"{slide['mpp'][0]:g} x {slide['mpp'][1]:g} µm/px" if slide["mpp"] else "pixel size unknown"
    objective = f"{slide['objective']:g}x" if slide["objective"] else "objective unknown"
    lines = [
        found["path"],
        f"  from       {slide['source']['name']} ({slide['vendor'] or 'vendor unknown'}, {objective}, {mpp})",
        "  written by {name} {version}".format_map(_Unknown(metadata["writer"])),
        f"  settings   {_settings(metadata['writer'])}",
        *_filter(metadata["coding"]),
        f"  families   {found['families']}, {found['empty_families']} of them empty",
        f"  privacy    {_identifiers(found['identifiers'])}",
        *_source_history(slide["source"]),
        *_repaired(metadata["writer"]),
        "",
        "  level        size (px)   tile" + ("" if total is None else "    tiles        bytes   share"),
    ]
    for level in found["levels"]:
        size = f"{level['width']} x {level['height']}"
        known = "" if total is None else f" {level['tiles']:>8} {level['bytes']:>12} {level['bytes'] / total:>7.1%}"
        lines.append(f"  {level['level']:>5} {size:>16} {level['tile']:>6}{known}")
    lines.append("")
    if total is None:
        lines.append("  how many tiles and bytes there are is not known: the server has no list of the folder")
        return "\n".join(map(printable, lines))
    lines += [f"  {kind:<17} {format_bytes(size):>8}" for kind, size in found["bytes"].items()]
    lines.append(f"  {found['ratio']:g} times smaller than its raw pixels")
    if found["ratio_to_source"]:
        lines.append(f"  {found['ratio_to_source']:g} times smaller than its source file")
    return "\n".join(map(printable, lines))
