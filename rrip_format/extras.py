"""Optional packages: imported where they are used; if one is absent, the error names the extra that installs it."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from .errors import ExtraMissingError, one_line

__all__ = ["load_module", "missing", "needs"]

_PACKAGES = {"PIL": "Pillow", "openslide": "openslide-python", "skimage": "scikit-image"}
"""Names of packages that differ from the name of their module."""


def missing(extra: str, purpose: str, error: Exception) -> ExtraMissingError:
    """Return the error that names the package that could not be imported, and the extra that installs it."""
    if isinstance(error, ModuleNotFoundError) and error.name:
        name = error.name.partition(".")[0]
        found = f"{_PACKAGES.get(name, name)}, which is not installed"
    else:
        found = f"a package that cannot be imported ({one_line(error)})"
    return ExtraMissingError(f"{purpose} needs {found}: pip install 'rrip-format[{extra}]'")


@contextmanager
def needs(extra: str, purpose: str) -> Iterator[None]:
    """Translate the failure of imports in this context to an error that names their extra.

    Parameters
    ----------
    extra : str
        Name of the extra.
    purpose : str
        What the packages are needed for; the message begins with it.

    Raises
    ------
    ExtraMissingError
        If a package, or its native library, is not installed.
    """
    try:
        yield
    except (ImportError, OSError) as error:
        raise missing(extra, purpose, error) from error


def load_module(name: str, extra: str, purpose: str) -> Any:
    """Import a module of an extra by its name; parameters and errors as in :func:`needs`."""
    with needs(extra, purpose):
        return importlib.import_module(name)
