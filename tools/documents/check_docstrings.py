"""Check the docstrings of everything public against numpydoc's rules: ``python tools/documents/check_docstrings.py``.

Public are the names of ``rrip_format.__all__``, its exceptions, and the public members of their classes. Needs ``pip
install 'rrip-format[docs]'``; the exit code is 1 if something is wrong.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator

import rrip_format
import rrip_format.errors

__all__ = ["findings", "public_names"]

LEFT_OUT = {
    "ES01",  # not everything needs more than its summary
    "EX01",  # examples are on the pages, where tests run them
    "GL01",  # the summary begins on the line of the quotes, as everywhere here
    "SA01",  # what belongs together stands together on the page of the API
    "RT02",  # "array : shape and dtype" says more than a type alone
}
"""Rules of numpydoc that are not ours, and why."""


def public_names() -> Iterator[str]:
    """Yield the dotted names of all that is public and has a docstring of its own."""
    names = [name for name in rrip_format.__all__ if not name.startswith("__")]
    objects = {f"rrip_format.{name}": getattr(rrip_format, name) for name in names}
    for name in rrip_format.errors.__all__:
        found = getattr(rrip_format.errors, name)
        if inspect.isclass(found):
            objects.setdefault(f"rrip_format.errors.{name}", found)
    for name, found in objects.items():
        if inspect.ismodule(found) or not callable(found):
            continue
        yield name
        if inspect.isclass(found):
            for member, value in vars(found).items():
                documented = callable(value) or isinstance(value, property)
                if documented and not member.startswith("_") and not _is_of_another(found, member):
                    yield f"{name}.{member}"


def _is_of_another(owner: type, member: str) -> bool:
    """Whether a member implements an interface that is documented elsewhere: Zarr's stores, OpenSlide's slides."""
    bases = [base for base in owner.__mro__[1:] if not base.__module__.startswith(("rrip_format", "builtins"))]
    return any(member in vars(base) for base in bases)


def _takes_what_its_base_takes(name: str) -> bool:
    """Whether a class is an exception whose arguments are those of `RripError`."""
    found = getattr(rrip_format.errors, name.rpartition(".")[2], None)
    return inspect.isclass(found) and found is not rrip_format.RripError


def findings() -> Iterator[tuple[str, str, str]]:
    """Yield (name, code of the rule, what is wrong) for each rule that a docstring breaks."""
    from numpydoc.validate import validate

    for name in public_names():
        for code, message in validate(name)["errors"]:
            if code not in LEFT_OUT and not (code == "PR01" and _takes_what_its_base_takes(name)):
                yield name, code, message


if __name__ == "__main__":
    found = list(findings())
    for line in found:
        print(*line)
    print(f"{len(list(public_names()))} names, {len(found)} findings")
    sys.exit(bool(found))
