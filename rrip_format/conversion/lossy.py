"""How a chosen quality compares with what a source has lost already (spec section 8.9)."""

from __future__ import annotations

from ..errors import SourceError
from ..sources import Source
from ..sources.compressions import find_compressions
from ..spec.metadata import JPEG, Compression
from ..tuning.settings import Settings

__all__ = ["describe_loss", "own_quality"]


def own_quality(source: Source) -> int:
    """Return the JPEG quality that a source is stored with.

    Raises
    ------
    SourceError
        If it is not stored as JPEG, or its tables cannot be read.
    """
    found = find_compressions(source)
    last = found[-1] if found else None
    if last is None or last.method != JPEG or last.quality is None:
        said = "nothing known of its compression" if found is None else str(last) if last else "no compression"
        raise SourceError(
            f"{source.info.name}: found {said}, expected JPEG with its tables, of which the quality 'source' is "
            "taken; give a number"
        )
    return last.quality


def describe_loss(name: str, compressions: tuple[Compression, ...] | None, settings: Settings) -> str | None:
    """Say in one line that a source is lossy already, and how the chosen quality compares; None where it is not."""
    lossy = [compression for compression in compressions or () if compression.lossy]
    if not lossy:
        return None
    times = f", after {len(lossy) - 1} earlier lossy compression{'s' if len(lossy) > 2 else ''}" if lossy[1:] else ""
    said = f"{name} is lossy already: {lossy[-1]}{times}"
    own = lossy[-1].quality
    if settings.target is not None or settings.preset is not None or settings.steps is not None:
        return said
    if own is None:
        return f"{said}; its own quality cannot be compared with --quality {settings.quality}"
    if settings.quality > own:
        how = f"is finer than its own {own}, so bytes go into what it has lost already; see --quality source"
    elif settings.quality == own:
        how = "is its own"
    else:
        how = f"is coarser than its own {own}"
    return f"{said}; --quality {settings.quality} {how}"
