"""List the pictures in a TIFF: pages, sub-pages, and the planes and channels of OME-XML."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import numpy as np

from rrip_format.errors import SourceError
from rrip_format.sources.ome import OmeImage, parse_images
from rrip_format.sources.pictures import Picture
from rrip_format.sources.tiffdirectories import MOST_DEPTH, MOST_DIRECTORIES

__all__ = ["is_small_picture", "list_pictures"]

REDUCED, MASK = 1, 4
SMALL = ("label", "macro", "thumbnail", "overview")
"""Vendors' names of the associated images of a slide."""
MOST_PLANES = 3 * MOST_DIRECTORIES
"""Planes of one channel that OME-XML may describe: tifffile makes a list of them."""
OME_SIZES = ("SizeX", "SizeY", "SizeZ", "SizeC", "SizeT")


def list_pictures(tif: Any, where: str) -> list[Picture]:
    """Return the pictures that could be the slide, in file order, for :func:`.choose_picture`."""
    if tif.is_ome:
        return _ome_pictures(tif, where)
    pages = [page for page in _all_pages(tif.pages) if not page.subfiletype & MASK and page.photometric != 4]
    full = [page for page in pages if not page.subfiletype & REDUCED and not is_small_picture(page.description)]
    if pages and pages[0].description.startswith("Aperio") and any(page.is_tiled for page in full):
        full = [page for page in full if page.is_tiled]  # Aperio stores the associated images in strips
    found = [
        Picture(f"page {page.index}", int(page.imagewidth), int(page.imagelength), (page,), page.samplesperpixel == 1)
        for page in full or pages
    ]
    return [_without_virtual_planes(tif, picture) for picture in found]


def _all_pages(pages: Any, depth: int = 0) -> Iterator[Any]:
    """Yield each page, followed by its SubIFDs, which hold the picture in DNG and TIFF/EP."""
    for page in pages:
        whole = page.aspage()
        yield whole
        if depth < MOST_DEPTH and whole.subifds:
            yield from _all_pages(whole.pages, depth + 1)


def is_small_picture(description: str) -> bool:
    """Return whether the description of a page names it a label, macro image or thumbnail."""
    text = description.strip()
    if text.lower() in SMALL:
        return True
    if re.search(r"<ImageType>\s*(Label|Overview|Thumbnail)\s*</ImageType>", text):  # QPTIFF
        return True
    second = text.partition("\n")[2].strip().lower()
    return text.startswith("Aperio") and second.startswith(SMALL)


def _without_virtual_planes(tif: Any, picture: Picture) -> Picture:
    """Mark the picture of an ImageJ stack as doubtful, because its one page holds several planes."""
    facts = (tif.imagej_metadata or {}) if tif.is_imagej else {}
    planes, channels = facts.get("images", 1), facts.get("channels", 1)
    if not isinstance(planes, int) or planes <= 1:
        return picture
    if not picture.is_gray:
        if planes <= len(tif.pages):  # each is a picture of its own
            return picture
        doubt = (
            f"found an ImageJ stack of {planes} planes behind {len(tif.pages)} page(s), of which only these are read"
        )
        return Picture(picture.name, picture.width, picture.height, picture.parts, doubt=doubt)
    doubt = (
        f"found an ImageJ stack of {planes} gray planes ({channels} channels), expected 8-bit gray, RGB or RGBA in one"
    )
    return Picture(picture.name, picture.width, picture.height, picture.parts, is_gray=True, doubt=doubt)


def _ome_pictures(tif: Any, where: str) -> list[Picture]:
    images = parse_images(tif.ome_metadata, where)  # refuses a DOCTYPE before tifffile parses the same text
    planes = sum(image.planes for image in images)
    if planes > MOST_PLANES:
        msg = (
            f"{where}: its OME-XML speaks of {planes} planes, limit {MOST_PLANES}; write the slide to a file of its own"
        )
        raise SourceError(msg)
    found: list[Picture] = []
    for index, series in enumerate(tif.series):
        image = images[index] if index < len(images) else OmeImage()
        name = str(series.name or image.name or f"image {index}")
        if name.lower() in SMALL or series.kind != "ome":
            continue
        found += _planes(tif, series.levels[0], image, name, where)
    if not found:
        msg = (
            f"{where}: its OME-XML describes no picture that is in this file ({_described(tif.ome_metadata)}; its "
            f"pages are {_sizes(tif)}); write the file again, or open the file that the OME-XML belongs to"
        )
        raise SourceError(msg)
    return found


def _described(ome: str) -> str:
    """Return what OME-XML says of its first picture, for an error message."""
    found = {key: re.search(rf'\b{key}="(\d+)"', ome) or re.search(rf"\b{key}='(\d+)'", ome) for key in OME_SIZES}
    said = [f"{key}={match.group(1)}" for key, match in found.items() if match]
    return " ".join(said) or "no Pixels"


def _sizes(tif: Any) -> str:
    """Return the sizes of the first pages, for an error message."""
    sizes = list(dict.fromkeys(f"{page.imagewidth}x{page.imagelength}" for page in (p.aspage() for p in tif.pages[:9])))
    return ", ".join(sizes)


def _planes(tif: Any, level: Any, image: OmeImage, name: str, where: str) -> list[Picture]:
    """Return each plane of an image as a picture; red, green and blue channels are combined into one."""
    pages: list[Any] = [None if page is None else page.aspage() for page in level.pages]
    first = pages[0]
    absent = sum(page is None or page.parent is not tif for page in pages)
    if absent:
        msg = (
            f"{where}: found {len(pages)} planes of which {absent} lie in other files of the same set or nowhere, as "
            "its OME-XML has it, expected all in this file; write one OME-TIFF of them"
        )
        raise SourceError(msg)
    leading = [(axis, size) for axis, size in zip(level.axes, level.shape, strict=True) if axis not in "YXS"]
    sizes = [size for _, size in leading]
    if int(np.prod(sizes, dtype=np.int64)) != len(pages):
        msg = f"{where}: {len(pages)} pages for axes {level.axes} {tuple(level.shape)}; write the file again"
        raise SourceError(msg)
    width, height, gray = int(first.imagewidth), int(first.imagelength), first.samplesperpixel == 1
    axes = "".join(axis for axis, _ in leading)
    numbers = np.arange(len(pages)).reshape(sizes)
    if "C" not in axes or not gray:
        return [
            Picture(_plane_name(name, axes, place), width, height, (pages[numbers[place]],), gray)
            for place in np.ndindex(*sizes)
        ]
    stacks = np.moveaxis(numbers, axes.index("C"), -1)
    others, found = axes.replace("C", ""), []
    order = image.rgb_order() if stacks.shape[-1] == 3 else None
    for place in np.ndindex(*stacks.shape[:-1]):
        channels = [pages[number] for number in stacks[place]]
        plane = _plane_name(name, others, place)
        if order is not None:
            found.append(Picture(plane, width, height, tuple(channels[k] for k in order)))
            continue
        doubt = (
            None
            if len(channels) == 1
            else (
                f"found axes {level.axes} {tuple(level.shape)}, {len(channels)} gray channels "
                f"({image.channel_names()}) that nothing says to be red, green and blue, expected 8-bit gray, RGB or "
                "RGBA in one"
            )
        )
        found += [
            Picture(f"{plane} channel {k}", width, height, (page,), is_gray=True, doubt=doubt)
            for k, page in enumerate(channels)
        ]
    return found


def _plane_name(name: str, axes: str, place: tuple[int, ...]) -> str:
    return " ".join([name, *(f"{axis}={at}" for axis, at in zip(axes, place, strict=True))])
