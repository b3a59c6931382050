"""Arguments of a conversion: settings, and how the source is opened."""

from __future__ import annotations

from typing import Any

from ..errors import shown
from ..sources import Source
from ..tuning.settings import Settings

__all__ = ["chosen_settings", "opening"]


def opening(
    source: Any,
    *,
    missing_tiles: str | None = None,
    mpp: float | tuple[float, float] | None = None,
    objective: float | None = None,
    image: int | str | None = None,
) -> dict[str, Any]:
    """Return the arguments of :func:`rrip_format.sources.open_source`; none for a source that is open."""
    given = {"missing_tiles": missing_tiles, "mpp": mpp, "objective": objective, "image": image}
    named = [name for name, value in given.items() if value is not None]
    if isinstance(source, Source):
        if named:
            raise ValueError(f"{', '.join(named)}: the source is open already; pass it to open_source")
        return {}
    if missing_tiles not in {None, "error", "background"}:
        raise ValueError(f"missing_tiles is {missing_tiles!r}, expected 'error' or 'background'")
    return {
        "mpp": mpp,
        "objective_power": objective,
        "allow_missing_tiles": missing_tiles == "background",
        "image": image,
    }


def chosen_settings(settings: Settings | None, quality: int | None) -> Settings:
    """Return the settings that a caller passes, or those of a quality.

    Raises
    ------
    TypeError
        If `settings` is not a :class:`Settings`.
    ValueError
        If both are given and differ.
    """
    if settings is None:
        return Settings() if quality is None else Settings(quality=quality)
    if not isinstance(settings, Settings):
        raise TypeError(
            f"settings is {shown(settings)}, expected rrip_format.Settings; to set only the quality pass quality=…"
        )
    if quality not in {None, settings.quality}:
        raise ValueError(f"quality is {quality!r}, but that of the settings is {settings.quality}; pass one of them")
    return settings
