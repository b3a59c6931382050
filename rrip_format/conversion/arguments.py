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
) -> dict[str, Any]:
    """Arguments of :func:`rrip_format.sources.open_source`; none for a source that is open."""
    given = {"missing_tiles": missing_tiles, "mpp": mpp, "objective": objective}
    named = [name for name, value in given.items() if value is not None]
    if isinstance(source, Source):
        if named:
            raise ValueError(f"{', '.join(named)}: the source is open already; give that to open_source")
        return {}
    if missing_tiles not in {None, "error", "background"}:
        raise ValueError(f"missing_tiles is {missing_tiles!r}, expected 'error' or 'background'")
    return {"mpp": mpp, "objective_power": objective, "allow_missing_tiles": missing_tiles == "background"}


def chosen_settings(settings: Settings | None, quality: int | None) -> Settings:
    """Settings from what a caller gives, one of the two or both.

    Raises
    ------
    TypeError
        If `settings` are no Settings.
    ValueError
        If both are given and differ.
    """
    if settings is None:
        return Settings() if quality is None else Settings(quality=quality)
    if not isinstance(settings, Settings):
        raise TypeError(
            f"settings are {shown(settings)}, expected rrip_format.Settings; for a quality alone write quality=…"
        )
    if quality not in {None, settings.quality}:
        raise ValueError(f"quality is {quality!r}, but that of the settings is {settings.quality}; pass one of them")
    return settings
