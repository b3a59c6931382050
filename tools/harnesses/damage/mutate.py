"""Seeded damage to containers, as by a bad disk, a bad copy or an attacker.

A mutant is a pure function of the seed and its number, so that one can be made again alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .specimens import KINDS, Files, Slides
from .streams import mutate_bytes
from .structure import STRUCTURE_MUTATORS, Draft

__all__ = ["TURNS", "Mutant", "make_mutant"]

TURNS = (*KINDS, *(kind for kind in KINDS if kind != "references"))
"""Kinds in the order in which mutants take them; what is slow to open half as often."""


@dataclass(frozen=True)
class Mutant:
    """A damaged container.

    Parameters
    ----------
    kind : str
        One of ``KINDS``.
    what : str
        What was done to it.
    files : mapping
        Its files.
    resealed : bool
        Whether checksums or seals were made again over the damage: then its pixels may rightly be others.
    is_document : bool
        Whether a document was damaged that Zarr itself parses, before our codec is asked.
    """

    kind: str
    what: str
    files: Files
    resealed: bool
    is_document: bool


def _heaviest(rng: np.random.Generator, files: Files) -> str:
    """Choose a file, half the time by its size, otherwise any."""
    names = list(files)
    sizes = np.array([len(files[name]) for name in names], np.float64)
    weights = sizes / sizes.sum() if sizes.sum() and rng.random() < 0.5 else None
    return str(rng.choice(names, p=weights))


def _plain_damage(rng: np.random.Generator, files: Files, other: Files) -> tuple[str, dict[str, bytes]]:
    """Damage bits, bytes, lengths, files, sectors, or insert parts of another slide's file."""
    out = dict(files)
    name = _heaviest(rng, files)
    data = bytearray(out[name])
    at, length = int(rng.integers(len(data) + 1)), int(rng.choice((1, 4, 36, 512, 4096)))
    match int(rng.integers(8)):
        case 0 | 1 | 2:
            out[name] = mutate_bytes(rng, bytes(data))
            what = "bytes"
        case 3:
            out[name] = bytes(data[:at])
            what = "cut off"
        case 4:
            if len(files) > 1:
                del out[name]
            else:
                out[name] = b""
            what = "file lost"
        case 5:
            data[at : at + length] = bytes(len(data[at : at + length]))
            out[name], what = bytes(data), "sector of zeros"
        case 6:
            donor = other[name if name in other else _heaviest(rng, other)]
            data[at : at + length] = donor[at : at + length]
            out[name], what = bytes(data), "run of another slide"
        case _:
            donor = other[name if rng.random() < 0.5 and name in other else _heaviest(rng, other)]
            out[name] = donor
            what = "file of another slide"
    return f"{what} in {name}", out


def make_mutant(seed: int, number: int, pair: tuple[Slides, Slides]) -> Mutant:
    """Return mutant `number` of `seed`, of the first of two slides with parts of the second.

    Parameters
    ----------
    seed, number : int
    pair : two Slides
        Of the same size.
    """
    rng = np.random.default_rng([seed, number])
    kind = TURNS[number % len(TURNS)]
    files, other = pair[0].files[kind], pair[1].files[kind]
    if rng.random() < 0.35:
        what, changed = _plain_damage(rng, files, other)
        draft = Draft(kind, changed, pair[0], pair[1])
    else:
        fitting = [name for name, (kinds_of, _) in STRUCTURE_MUTATORS.items() if kind in kinds_of]
        name = str(rng.choice(fitting))
        draft = Draft(kind, dict(files), pair[0], pair[1])
        detail = STRUCTURE_MUTATORS[name][1](rng, draft)
        what = f"{name}: {detail}" if detail else name
    touched = {name for name in {*files, *draft.files} if files.get(name) != draft.files.get(name)}
    documents = ("zarr.json", ".json") if kind in {"folder", "references"} else (".zip", "coding.json")
    return Mutant(kind, what, draft.files, draft.resealed, any(name.endswith(documents) for name in touched))
