"""Find the files of slides that consist of several files.

The file that a user names is often a small picture itself, which would pass for the slide if the other files were
ignored.
"""

from __future__ import annotations

import configparser
from pathlib import Path

from rrip_format.errors import SourceError
from rrip_format.sources.kinds import ADVICE

__all__ = ["find_slide", "mirax_of_folder"]

VMS = {".vms", ".vmu"}
VMS_FILES = ("imagefile", "mapfile", "optimisationfile", "macroimage")
VMS_OPTIONAL = ("optimisationfile", "macroimage")


def find_slide(path: Path) -> list[Path]:
    """Return the files of a slide, the one to open first.

    Parameters
    ----------
    path : Path
        The slide, or a link to it. Workflow managers link one file without the files beside it, so those are looked for
        beside the link first, then beside the file it points to.

    Raises
    ------
    SourceError
        If a file that holds pixels is missing; the message names it.
    """
    places = list(dict.fromkeys([path, path.resolve()]))
    suffixes = [place.suffix.lower() for place in places]
    if ".vsi" in suffixes:
        end = places[suffixes.index(".vsi")]
        folder = end.with_name(f"_{end.stem}_")
        there = "" if folder.is_dir() else f", and {folder}, which holds its pixels, is missing"
        msg = f"{path}: Olympus/Evident VSI is not supported{there}; {ADVICE}"
        raise SourceError(msg)
    missing: Path | None = None
    for place, suffix in zip(places, suffixes, strict=True):
        if suffix != ".mrxs" and suffix not in VMS:
            continue
        files, lost = _mirax_files(place) if suffix == ".mrxs" else _vms_files(place)
        if lost is None:
            return [place, *files]
        missing = missing or lost
    if missing is None:
        return [path]
    msg = f"{path}: {missing}, which holds pixels of this slide, is missing; put it beside the slide's file"
    raise SourceError(msg)


def mirax_of_folder(path: Path) -> Path | None:
    """Return the ``.mrxs`` file of a MIRAX data folder; None if the folder is not one."""
    return path.with_name(f"{path.name}.mrxs") if (path / "Slidedat.ini").is_file() else None


def _mirax_files(path: Path) -> tuple[list[Path], Path | None]:
    """Return the files in the data folder of a ``.mrxs``, and the first missing one, if any."""
    folder = path.with_suffix("")
    index = folder / "Slidedat.ini"
    if not index.is_file():
        return [], index if folder.is_dir() else folder
    sections = _read_ini(index)
    names = [value for key, value in sections.get("DATAFILE", {}).items() if key != "file_count"]
    names += [value for key, value in sections.get("HIERARCHICAL", {}).items() if key == "indexfile"]
    lost = [folder / name for name in names if name and not (folder / name).is_file()]
    return sorted(file for file in folder.iterdir() if file.is_file()), lost[0] if lost else None


def _vms_files(path: Path) -> tuple[list[Path], Path | None]:
    """Return the files that a Hamamatsu VMS or VMU lists, and the first missing one, if any."""
    files, lost = [], None
    for section in _read_ini(path).values():
        for key, name in section.items():
            if name and key.partition("(")[0] in VMS_FILES:
                file = path.with_name(name)
                if file.is_file():
                    files.append(file)
                elif not key.startswith(VMS_OPTIONAL):
                    lost = lost or file
    return list(dict.fromkeys(files)), lost


def _read_ini(path: Path) -> dict[str, dict[str, str]]:
    """Return the sections of an ini file as dicts; empty if it cannot be parsed."""
    ini = configparser.ConfigParser(strict=False, interpolation=None)
    try:
        ini.read_string(path.read_bytes().decode("utf-8-sig", "replace"))
    except configparser.Error:
        return {}
    return {name: {key: value.strip() for key, value in ini[name].items()} for name in ini.sections()}
