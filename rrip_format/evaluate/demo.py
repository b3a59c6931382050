"""The demonstration: convert a tissue picture of scikit-image and compare it with JPEG pyramids."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..conversion.run import convert
from ..core.colour import LUMA_WEIGHTS
from ..core.predict import box2
from ..extras import needs
from ..slides.describing import describe
from ..slides.slide import open_slide
from ..storage.workplace import as_target_error
from ..tuning.settings import Settings

__all__ = ["format_demo", "luma_psnr", "run_demo"]

Image = NDArray[np.uint8]


def luma_psnr(reference: Image, image: Image) -> float:
    """Return the PSNR of BT.601 luma, dB, of two (h, w, 3) uint8 images; infinite for equal ones."""
    with needs("convert", "the demonstration"):
        from skimage.metrics import peak_signal_noise_ratio
    a, b = reference @ LUMA_WEIGHTS, image @ LUMA_WEIGHTS
    return float("inf") if np.array_equal(a, b) else float(peak_signal_noise_ratio(a, b, data_range=255))


def _jpeg(image: Image, quality: int) -> tuple[int, Image]:
    """Encode a 4:2:0 JPEG file with optimised Huffman tables; return its size in bytes and its decoded pixels."""
    with needs("convert", "the demonstration"):
        from PIL import Image as Pillow
    out = io.BytesIO()
    Pillow.fromarray(image).save(out, "JPEG", quality=quality, subsampling=2, optimize=True)
    return out.tell(), np.asarray(Pillow.open(out))


def _jpeg_pyramid(levels: list[Image], quality: int) -> dict[str, Any]:
    coded = [_jpeg(level, quality) for level in levels]
    return {
        "quality": quality,
        "bytes": sum(size for size, _ in coded),
        "psnr_y": [round(luma_psnr(level, found), 2) for level, (_, found) in zip(levels, coded, strict=True)],
    }


def _jpeg_peers(levels: list[Image], wanted: float) -> list[dict[str, Any]]:
    """Return the JPEG pyramids of the highest quality with level 0 below `wanted`, dB, and of the next quality."""
    quality = next((q for q in range(2, 100) if luma_psnr(levels[0], _jpeg(levels[0], q)[1]) >= wanted), 100)
    return [_jpeg_pyramid(levels, quality - 1), _jpeg_pyramid(levels, quality)]


def run_demo(folder: str | Path) -> dict[str, Any]:
    """Convert the picture, read it back through plain Zarr, compare, and write a side-by-side PNG.

    Parameters
    ----------
    folder : path
        Folder for ``ihc.rrip.zarr`` and ``side-by-side.png``; created if it does not exist.

    Returns
    -------
    dict
        Sizes in bytes, ratios and PSNR in dB, for JSON.

    Raises
    ------
    TargetError
        If the folder cannot be created or written.
    ExtraMissingError
        If the extra ``convert`` is not installed.
    """
    import zarr

    with needs("convert", "the demonstration"):
        import skimage.data
        from PIL import Image as Pillow
    folder = Path(folder)
    container, picture_path = folder / "ihc.rrip.zarr", folder / "side-by-side.png"
    with as_target_error(folder):
        folder.mkdir(parents=True, exist_ok=True)
    picture = np.ascontiguousarray(skimage.data.immunohistochemistry())
    settings = Settings()
    convert(picture, container, settings, overwrite=True)

    group: Any = zarr.open_group(str(container), mode="r")
    read = [np.asarray(group[str(level)][:]).transpose(1, 2, 0) for level in range(3)]
    levels = [picture, box2(picture), box2(box2(picture))]
    psnr = [round(luma_psnr(level, found), 2) for level, found in zip(levels, read, strict=True)]
    with open_slide(container) as slide:
        stored = describe(slide)["bytes"]

    peers = _jpeg_peers(levels, psnr[0])
    decoded = _jpeg(picture, peers[-1]["quality"])[1]
    gap = np.full((picture.shape[0], 8, 3), 255, np.uint8)
    with as_target_error(picture_path):
        Pillow.fromarray(np.hstack([picture, gap, read[0], gap, decoded])).save(picture_path)
    return {
        "picture": "skimage.data.immunohistochemistry, 512 x 512 px, levels 0 to 2",
        "raw_bytes": sum(level.size for level in levels),
        "jpeg": peers,
        "rrip": {
            "quality": settings.quality,
            "bytes": stored["total"] - stored["metadata"],
            "metadata_bytes": stored["metadata"],
            "psnr_y": psnr,
        },
        "container": str(container),
        "side_by_side": str(picture_path),
    }


def format_demo(found: dict[str, Any]) -> str:
    """Format the result of :func:`run_demo` as text."""
    rows = [(f"JPEG 4:2:0 pyramid, quality {peer['quality']}", peer) for peer in found["jpeg"]]
    rows.append((f"RRIP, quality {found['rrip']['quality']}", found["rrip"]))
    lines = [found["picture"], "", f"  {'':<32} {'bytes':>8} {'ratio':>6}   PSNR-Y of levels 0, 1, 2 (dB)"]
    lines.append(f"  {'raw pixels':<32} {found['raw_bytes']:>8} {1:>6}")
    for name, row in rows:
        psnr = "  ".join(f"{value:.2f}" for value in row["psnr_y"])
        lines.append(f"  {name:<32} {row['bytes']:>8} {found['raw_bytes'] / row['bytes']:>6.1f}   {psnr}")
    shares = " and ".join(f"{found['rrip']['bytes'] / peer['bytes']:.0%}" for peer in found["jpeg"])
    lines += [
        "",
        f"RRIP takes {shares} of the bytes of the two JPEG pyramids whose level 0 is just below and just above it,",
        f"tiles without metadata (zarr.json files, {found['rrip']['metadata_bytes']} bytes).",
        f"container     {found['container']}",
        f"side by side  {found['side_by_side']}  (original, RRIP, JPEG)",
    ]
    return "\n".join(lines)
