"""Skip what an older version of a package cannot do, though this package allows it."""

from __future__ import annotations

from importlib.metadata import version

import pytest
from packaging.version import Version

__all__ = ["has_version", "skip_below"]


def has_version(package: str, least: str) -> bool:
    """Return whether a package is installed in this version or a newer one."""
    return Version(version(package)) >= Version(least)


def skip_below(package: str, least: str, why: str) -> None:
    """Skip the test where a package is older; `why` says what the older one cannot do."""
    if not has_version(package, least):
        pytest.skip(f"{package} {version(package)}: {why} needs {least}")
