"""Make the test vectors in ``spec/vectors``, or check that the stored ones decode as they say.

::

    python tools/conformance/make_vectors.py            check the stored vectors, change nothing
    python tools/conformance/make_vectors.py --write    make them again and say which files changed

The bytes of the streams depend on the version of libvips and its JPEG encoder, so making them again elsewhere may
give other streams. That is why the vectors are stored: a decoder has to agree with the stored ones.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path

from vectors import containers, invalid_containers, invalid_metadata, invalid_tiles, valid
from vectors.case import BASE_READER, FULL_READER, STRICT_READER, VALIDATOR, WRITER, Case, sha256
from vectors.check import problems_of_case
from vectors.containers import ContainerCase

VECTORS = Path(__file__).resolve().parents[2] / "spec" / "vectors"


def all_cases() -> Iterator[Case | ContainerCase]:
    """Return every case, valid ones first."""
    yield from valid.cases()
    yield from invalid_tiles.cases()
    yield from invalid_metadata.cases()
    yield from containers.cases()
    yield from invalid_containers.cases()


def make() -> dict[str, bytes]:
    """Return every file of the vectors by its path, the manifest included."""
    files: dict[str, bytes] = {}
    counts = {"valid": 0, "invalid": 0}
    classes: dict[str, list[str]] = {
        title: [] for title in (BASE_READER, FULL_READER, STRICT_READER, WRITER, VALIDATOR)
    }
    for made in all_cases():
        counts["invalid" if made.rule else "valid"] += 1
        for title in made.classes:
            classes[title].append(made.name)
        for path, content in made.files():
            if path in files:
                raise RuntimeError(f"{path} is made twice")
            files[path] = content
    files["README.md"] = (VECTORS / "README.md").read_bytes()
    digests = {path: sha256(content) for path, content in sorted(files.items())}
    manifest = {"cases": counts, "classes": classes, "sha256": digests}
    files["manifest.json"] = f"{json.dumps(manifest, indent=1)}\n".encode()
    return files


def write(files: dict[str, bytes]) -> None:
    """Make the folder contain exactly `files`, and return what changed."""
    stored = {path.relative_to(VECTORS).as_posix() for path in VECTORS.rglob("*") if path.is_file()}
    for name in sorted(stored - set(files)):
        print(f"removed  {name}")
        (VECTORS / name).unlink()
    for name, content in files.items():
        path = VECTORS / name
        if name in stored and path.read_bytes() == content:
            continue
        print(f"{'changed' if name in stored else 'new'}  {name}")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    for folder in sorted((path for path in VECTORS.rglob("*") if path.is_dir()), reverse=True):
        if not any(folder.iterdir()):
            folder.rmdir()
    print(f"{len(files)} files, {sum(map(len, files.values()))} bytes")


def problems() -> Iterator[str]:
    """Return the faults of the stored vectors."""
    manifest = json.loads((VECTORS / "manifest.json").read_bytes())
    stored = {
        path.relative_to(VECTORS).as_posix(): sha256(path.read_bytes()) for path in VECTORS.rglob("*") if path.is_file()
    }
    stored.pop("manifest.json")
    for name in sorted(stored.keys() | manifest["sha256"]):
        if stored.get(name) != manifest["sha256"].get(name):
            yield f"{name}: is missing, unexpected or not as in manifest.json"
    for path in sorted(VECTORS.rglob("case.json")):
        name = path.parent.relative_to(VECTORS).as_posix()
        yield from (f"{name}: {problem}" for problem in problems_of_case(path.parent))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="make the vectors again")
    if parser.parse_args().write:
        write(make())
    found = list(problems())
    print("\n".join(found) or "all vectors decode as they say")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
