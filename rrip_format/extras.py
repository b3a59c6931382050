"""Packages that only some work needs: imported where it is done, and named with their extra where they are absent."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from .errors import ExtraMissingError, one_line

__all__ = ["load_module", "missing", "needs"]

_PACKAGES = {"PIL": "Pillow", "openslide": "openslide-python", "skimage": "scikit-image"}
"""Packages that have another name than the module that they bring."""


def missing(extra: str, purpose: str, error: Exception) -> ExtraMissingError:
    """Say in one line what could not be imported, and which extra brings it."""
    if isinstance(error, ModuleNotFoundError) and error.name:
        name = error.name.partition(".")[0]
        found = f"{_PACKAGES.get(name, name)}, which is not installed"
    else:
        found = f"a package that cannot be imported ({one_line(error)})"
    return ExtraMissingError(f"{purpose} needs {found}: pip install 'rrip-format[{extra}]'")


@contextmanager
def needs(extra: str, purpose: str) -> Iterator[None]:
    """Import packages of an extra inside this.

    Parameters
    ----------
    extra : str
        Which brings them.
    purpose : str
        What they are for, as the beginning of the error.

    Raises
    ------
    ExtraMissingError
        If one of them, or its native library, is not there.
    """
    try:
        yield
    except (ImportError, OSError) as error:
        raise missing(extra, purpose, error) from error


def load_module(name: str, extra: str, purpose: str) -> Any:
    """Import a module of an extra by its name; parameters and errors as in :func:`needs`."""
    with needs(extra, purpose):
        return importlib.import_module(name)
