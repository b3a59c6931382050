"""Arguments of a conversion: settings, and how the source is read."""

from __future__ import annotations

from typing import Any

from ..errors import shown
from ..sources import Source
from ..tuning.settings import Settings

__all__ = ["chosen_settings", "reading"]


def reading(source: Any, **given: Any) -> dict[str, Any]:
    """Return the arguments of :func:`rrip_format.sources.open_source` that those of a conversion stand for.

    Parameters
    ----------
    source : Any
        What is converted.
    given : Any
        ``image``, ``missing_tiles``, ``mpp`` and ``objective``, as :func:`.convert` has them.

    Returns
    -------
    dict
        Empty for a source that is open.

    Raises
    ------
    ValueError
        If anything is given for a source that is open, or `missing_tiles` is no known word.
    """
    named = [name for name, value in given.items() if value is not None]
    if isinstance(source, Source):
        if named:
            is_or_are = "is" if len(named) == 1 else "are"
            raise ValueError(
                f"{', '.join(named)} {is_or_are} given, but the source is open already; pass it to open_source"
            )
        return {}
    missing = given.get("missing_tiles")
    if missing not in {None, "error", "background"}:
        raise ValueError(f"missing_tiles is {missing!r}, expected 'error' or 'background'")
    return {
        "image": given.get("image"),
        "mpp": given.get("mpp"),
        "objective_power": given.get("objective"),
        "allow_missing_tiles": missing == "background",
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
