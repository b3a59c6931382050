"""Docstrings of the public names pass the checks of numpydoc that ``pyproject.toml`` lists."""

from __future__ import annotations

import inspect
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import rrip_format

validate = pytest.importorskip("numpydoc.validate", reason="numpydoc is in the extra test")

SETTINGS = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))
CHECKS = SETTINGS["tool"]["numpydoc_validation"]["checks"]


def is_checked(code: str) -> bool:
    """Whether a check is on; ``all`` is followed by those that are off."""
    return (code not in CHECKS) if "all" in CHECKS else (code in CHECKS)


def public_members(value: Any) -> Iterator[str]:
    """Names of the methods and properties that a class defines itself."""
    for name, member in vars(value).items():
        is_method = inspect.isfunction(member) or isinstance(member, classmethod | staticmethod)
        if not name.startswith("_") and (is_method or isinstance(member, property) or hasattr(member, "func")):
            yield name


def public_names() -> Iterator[str]:
    """Full names of everything that users are told to call."""
    for name in rrip_format.__all__:
        value = getattr(rrip_format, name)
        if name == "__version__":
            continue
        full = f"{value.__module__}.{value.__qualname__}"
        yield full
        if inspect.isclass(value):
            yield from (f"{full}.{member}" for member in public_members(value))


NAMES = sorted(set(public_names()))


def test_the_list_is_not_empty():
    assert {"rrip_format.slides.slide.Slide.read_region", "rrip_format.conversion.run.convert"} <= set(NAMES)
    assert is_checked("PR01")
    assert not is_checked("EX01")


@pytest.mark.parametrize("name", NAMES)
def test_numpydoc_has_nothing_to_say(name):
    errors = [(code, said) for code, said in validate.validate(name)["errors"] if is_checked(code)]
    assert errors == []


def test_a_bad_docstring_is_noticed(monkeypatch):
    monkeypatch.setattr(rrip_format.Slide.level_shape, "__doc__", "Returns the shape")
    found = {code for code, _ in validate.validate("rrip_format.slides.slide.Slide.level_shape")["errors"]}
    assert {"SS03", "SS05", "PR01", "RT01"} <= found
