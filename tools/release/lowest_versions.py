"""Print pip constraints that pin every direct dependency to the lowest release series that ``pyproject.toml`` allows.

    python tools/release/lowest_versions.py > lowest.txt
    pip install -c lowest.txt '.[test]'

``numpy>=2.0`` becomes ``numpy==2.0.*``. Extras that no test needs are left out.
"""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

from packaging.requirements import Requirement

__all__ = ["constraints"]

ROOT = Path(__file__).resolve().parents[2]
NOT_TESTED = {"dev", "docs", "fuzz", "release"}


def constraints(document: dict[str, object]) -> list[str]:
    """Return one line for each requirement with a lower bound, sorted.

    Parameters
    ----------
    document : dict
        The content of a ``pyproject.toml``.
    """
    project = document["project"]
    assert isinstance(project, dict)
    extras = project["optional-dependencies"]
    lines = [*project["dependencies"], *(line for name in extras.keys() - NOT_TESTED for line in extras[name])]
    found = set()
    for requirement in map(Requirement, lines):
        if requirement.marker is not None and not requirement.marker.evaluate():
            continue
        for bound in requirement.specifier:
            if bound.operator == ">=":
                found.add(f"{requirement.name}=={bound.version}.*")
    return sorted(found)


def main() -> int:
    print("\n".join(constraints(tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8")))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
