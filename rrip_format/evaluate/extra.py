"""Packages that only an evaluation needs, imported where they are used."""

from __future__ import annotations

import importlib
from typing import Any

from ..errors import ExtraMissingError

__all__ = ["load_extra"]


def load_extra(module: str) -> Any:
    """Import a module of the extra ``evaluate``.

    Raises
    ------
    ExtraMissingError
        If it is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        raise ExtraMissingError(
            f"evaluating needs {package}, which is not installed: pip install 'rrip-format[evaluate]'"
        ) from error
