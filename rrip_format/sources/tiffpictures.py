"""List the pictures in a TIFF: pages, sub-pages, and the planes and channels of OME-XML."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
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
    """Mark the picture of a stack as doubtful whose planes lie behind one page, as its description has it."""
    kind, planes = _imagej_stack(tif, picture) if tif.is_imagej else _other_stack(tif, picture)
    if planes <= 1:
        return picture
    said = f"found {kind} of {planes} {'gray ' if picture.is_gray else ''}planes"
    if picture.is_gray:
        return replace(picture, doubt=f"{said}, expected 8-bit gray, RGB or RGBA in one")
    return replace(picture, doubt=f"{said} behind {len(tif.pages)} page(s), of which only these are read")


def _imagej_stack(tif: Any, picture: Picture) -> tuple[str, int]:
    """Return how a message calls an ImageJ stack, and how many planes it has; 1 where each has a page of its own."""
    facts, page = tif.imagej_metadata or {}, picture.parts[0]
    planes, channels = facts.get("images", 1), facts.get("channels", 1)
    if not isinstance(planes, int) or (not picture.is_gray and planes <= len(tif.pages)):
        planes = 1
    if planes == channels == page.samplesperpixel and page.dataoffsets[0] + planes * page.nbytes > tif.filehandle.size:
        planes = 1  # there is no room for others: Bio-Formats counts the samples of one
    return "an ImageJ stack", planes


def _other_stack(tif: Any, picture: Picture) -> tuple[str, int]:
    """Return the same of MetaMorph's stacks and those that tifffile describes."""
    kind = "a MetaMorph stack" if tif.is_stk else "a stack"
    if not (tif.is_shaped or tif.is_stk):
        return kind, 1
    page = picture.parts[0]
    described = [series for series in tif.series if series.is_truncated and series.keyframe.offset == page.offset]
    return kind, max((int(series.size // page.size) for series in described), default=1)


def _ome_pictures(tif: Any, where: str) -> list[Picture]:
    images = parse_images(tif.ome_metadata, where)  # refuses a DOCTYPE before tifffile parses the same text
    planes = sum(image.planes for image in images)
    if planes > MOST_PLANES:
        msg = (
            f"{where}: its OME-XML speaks of {planes} planes, limit {MOST_PLANES}; write the slide to a file of its own"
        )
        raise SourceError(msg)
    found: list[Picture] = []
    kept = [series for series in tif.series if series.kind == "ome"]
    if kept and len(kept) != len(images):  # which of them is not told
        msg = (
            f"{where}: its OME-XML describes {len(images)} images, but finds pages for only {len(kept)}; others lie "
            "in other files of the same set or nowhere, so write one OME-TIFF of them"
        )
        raise SourceError(msg)
    for index, (series, image) in enumerate(zip(kept, images, strict=False)):
        name = str(series.name or image.name or f"image {index}")
        if name.lower().removesuffix(" image") not in SMALL:  # which Bio-Formats appends
            pictures = _planes(tif, series.levels[0], image, name, where)
            found += [replace(picture, image=index) for picture in pictures]
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
