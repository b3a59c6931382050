"""Let programs that were written for OpenSlide read RRIP containers, unchanged: :func:`patch_openslide`.

``openslide.OpenSlide`` itself is changed, not a name that refers to it, so that modules which have imported it already
find containers too. A file that is none opens as before. One that claims to be a container is never left to OpenSlide,
which would show level 2 of a damaged TIFF file as the slide.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from threading import Lock
from types import TracebackType
from typing import Any, Self

from ..containers.recognition import is_container
from ..extras import needs
from ..storage.access import is_url
from .openslide_api import RripSlide

with needs("openslide", "patch_openslide"):
    import openslide

__all__ = ["OpenSlidePatch", "PatchedSlide", "patch_openslide"]


class PatchedSlide(RripSlide, openslide.OpenSlide):  # type: ignore[misc]  # openslide has no types
    """What ``openslide.OpenSlide(path)`` gives for a container: an instance of both classes."""


class _Subclassed(PatchedSlide):
    """The same for a class that a program has derived from ``openslide.OpenSlide``; pickled by that class."""

    def __reduce__(self) -> tuple[Any, ...]:
        return _reopen, (type(self).__mro__[1], self._opened.name)


def _reopen(cls: type, name: str) -> Any:
    with patch_openslide():
        return cls(name)


class OpenSlidePatch:
    """The patch while it lasts: a context manager, or until :meth:`undo`."""

    def __init__(self) -> None:
        self._is_active = True
        _change(+1)

    def undo(self) -> None:
        """Let ``openslide.OpenSlide`` be as it was, unless another patch is active; slides that are open stay so."""
        if self._is_active:
            self._is_active = False
            _change(-1)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.undo()


def patch_openslide() -> OpenSlidePatch:
    """Make ``openslide.OpenSlide`` and ``openslide.open_slide`` read RRIP containers at full resolution.

    It holds for this process, and for those that are forked from it. ``python -m rrip_format.openslide script.py``
    runs a program with it, and all Python processes that the program starts.

    Returns
    -------
    OpenSlidePatch
        Undoes it at the end of a ``with`` block, or by its method ``undo``.

    Raises
    ------
    ExtraMissingError
        If openslide-python is not installed.

    Examples
    --------
    >>> import openslide
    >>> import rrip_format
    >>> with rrip_format.patch_openslide():
    ...     slide = openslide.OpenSlide("slide.rrip.tif")
    """
    return OpenSlidePatch()


_lock = Lock()
_active = 0
_own_detect_format = vars(openslide.OpenSlide)["detect_format"]


def _change(by: int) -> None:
    """Count the active patches; the first one changes the class, the end of the last one changes it back."""
    global _active
    with _lock:
        before, _active = _active, _active + by
        if _active and not before:
            openslide.OpenSlide.__new__ = staticmethod(_new)
            openslide.OpenSlide.detect_format = classmethod(_detect_format)
        elif before and not _active:
            openslide.OpenSlide.__new__ = staticmethod(_plain_new)  # Python forgets object's, once it was covered
            openslide.OpenSlide.detect_format = _own_detect_format


def _plain_new(cls: type, *_: Any, **__: Any) -> Any:
    return object.__new__(cls)


def _new(cls: type, filename: Any = None, *_: Any, **__: Any) -> Any:
    """Make a slide of the class that a path asks for; Python then calls its ``__init__``."""
    is_ours = is_container(filename) or (isinstance(filename, str) and is_url(filename))  # OpenSlide opens no URL
    if issubclass(cls, PatchedSlide) or not is_ours:
        return object.__new__(cls)
    if "wsidata" in sys.modules:
        with suppress(ImportError):
            from . import wsidata_reader  # noqa: F401  (so that its store does not replace the slide)
    if cls is openslide.OpenSlide:
        return object.__new__(PatchedSlide)
    return object.__new__(type(cls.__name__, (cls, _Subclassed), {"__reduce__": _Subclassed.__reduce__}))


def _detect_format(_: type, filename: Any) -> str | None:
    """Name the format of a container ``rrip``, that of others as before."""
    if is_container(filename):
        return RripSlide.detect_format(filename)
    found: str | None = _own_detect_format.__get__(None, openslide.OpenSlide)(filename)
    return found
