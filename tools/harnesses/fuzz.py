"""Coverage-guided fuzzing of all parsers.

Targets in Python need ``pip install 'rrip-format[fuzz]'`` (atheris), those of the compiled core, ``core-…``, need Clang
with its libFuzzer (``apt-get install clang``); to replay their inputs, GCC will do.

    python tools/harnesses/fuzz.py --seconds 60               every target for a minute
    python tools/harnesses/fuzz.py tiff --seconds 600         one target
    python tools/harnesses/fuzz.py core-stream --seconds 600  one target of the compiled core, with sanitizers
    python tools/harnesses/fuzz.py --replay [FILE …]          the kept corpus, or files, without atheris or libFuzzer
    python tools/harnesses/fuzz.py tiff --merge FOLDER        keep what reaches something new

An exception that is not ours is a finding: the input is kept as ``TARGET.crash-…`` in the working directory, and the
exit code is 1. Checksums and seals are made right before a target sees its input, as far as there are any, so that
what stands behind them is reached. The corpus in ``corpus``, less than 100 kB, is what former runs have found worth
keeping.

The compiled core is not instrumented where Python calls it. Its own targets (``core_fuzz``) are, and there a finding is
whatever AddressSanitizer or UndefinedBehaviorSanitizer reports, or a difference between two variants of its kernels.
"""

from __future__ import annotations

import argparse
import io
import json
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fuzz_core

CORPUS = Path(__file__).parent / "corpus"
SIDE = 16
"""Side of the pictures that the target ``jpeg`` decodes, px."""

Target = Callable[[bytes], None]


def _metadata() -> Target:
    """Parse a root document as it is, and with its checksums recomputed."""
    from damage.edit import seal_all

    from rrip_format.containers.base import parse_root
    from rrip_format.spec.metadata import parse_metadata

    def run(data: bytes) -> None:
        _ours(parse_root, data, "fuzz")
        try:
            document = json.loads(data)
            rrip = seal_all(document["attributes"]["rrip"])
        except (ValueError, TypeError, LookupError, RecursionError):
            return
        _ours(lambda: _describe(parse_metadata(rrip)))

    return run


def _describe(metadata: Any) -> None:
    from rrip_format.spec.zarr_layout import documents
    from rrip_format.spec.zarr_v2_layout import documents_v2

    metadata.coding.is_empty(0, 0, 0)
    for view in (documents, documents_v2):
        for _ in view(metadata):
            pass


def _ours(call: Callable[..., Any], *arguments: Any) -> Any:
    """Return the result of a call, None for an error of this package; others are raised."""
    from rrip_format.errors import RripError

    try:
        return call(*arguments)
    except RripError:
        return None


def _tile() -> Target:
    """Decode a stored tile of level 0 with a correct checksum, and the input as its stream with a correct trailer."""
    from damage.edit import reseal_tile

    from rrip_format.family.decode import decode_tile
    from rrip_format.spec.tile import join_tile

    truth = _slide().truth
    coding, tiles = truth.coding, [truth.tiles[2, 0, 0], truth.tiles[1, 0, 0]]
    streams = [b"", b""][: coding.streams(0) - 1]

    def run(data: bytes) -> None:
        _ours(decode_tile, coding, 0, 0, 0, [*tiles, reseal_tile(data)])
        _ours(decode_tile, coding, 0, 0, 0, [*tiles, join_tile([data, *streams], coding.place(0, 0, 0))])
        _ours(decode_tile, coding, 2, 0, 0, [join_tile([data], coding.place(2, 0, 0))])

    return run


def _packet() -> Target:
    """Decode a packet of level 1 as it is, and with the checksums of its tiles recomputed."""
    from damage.edit import reseal_tile

    from rrip_format.family.packet import decode_packet, join_packet, split_packet

    coding = _slide().truth.coding

    def run(data: bytes) -> None:
        _ours(decode_packet, coding, 1, data)
        found = _ours(split_packet, data, 2)
        if found is not None:
            _ours(decode_packet, coding, 1, join_packet([reseal_tile(tile) for tile in found[2]]))

    return run


def _tiff() -> Target:
    """Open a whole TIFF file."""
    from rrip_format.containers.tiff_reader import TiffContainer

    return _container(TiffContainer)


def _zip() -> Target:
    """Open a whole zip archive."""
    from rrip_format.containers.zip_reader import Archive, ZipContainer

    return _container(lambda source: ZipContainer(Archive(source)))


def _container(kind: Callable[[Any], Any]) -> Target:
    from damage.edit import MemoryBytes

    from rrip_format.containers.base import read_associated, read_icc_profile
    from rrip_format.slides.slide import Slide

    def run(data: bytes) -> None:
        container = _ours(kind, MemoryBytes(data))
        if container is None:
            return
        slide = Slide(container)
        for level in range(slide.geometry.levels):
            _ours(slide.read_tile, level, 0, 0)
        rows, cols = slide.geometry.grid(0)
        _ours(container.locate, 0, rows - 1, cols - 1)
        _ours(read_icc_profile, container)
        _ours(read_associated, container)
        if rows * cols < 1000:
            _ours(lambda: sum(size for _, size in container.sizes()))

    return run


def _jpeg() -> Target:
    """Decode one stream, as gray and as colour."""
    from rrip_format.family.jpeg import decode_gray, decode_ycc

    def run(data: bytes) -> None:
        _ours(decode_gray, data, SIDE)
        _ours(decode_ycc, data, SIDE)

    return run


TARGETS: dict[str, Callable[[], Target]] = {
    "metadata": _metadata,
    "tile": _tile,
    "packet": _packet,
    "tiff": _tiff,
    "zip": _zip,
    "jpeg": _jpeg,
}

CORE = {f"core-{name}": name for name in fuzz_core.TARGETS}
"""Targets of the compiled core, and their names there."""

ALL = (*TARGETS, *CORE)


def _slide() -> Any:
    """Return a slide of one family."""
    from damage.specimens import picture, slides

    return slides(picture(24, 24, 3))


def seeds(target: str) -> list[bytes]:
    """Return valid inputs to start from."""
    if target in CORE:
        return fuzz_core.seeds(CORE[target])
    from damage.edit import members_of, with_members
    from damage.specimens import MAIN_FILE, picture

    from rrip_format.family.jpeg import encode
    from rrip_format.spec.tile import split_tile

    if target == "jpeg":
        rgb = picture(SIDE, SIDE, 3)
        return [encode(pixels, quality) for pixels in (rgb, rgb[..., 1]) for quality in (30, 95)]
    slide = _slide()
    places = [((0, 0, 0), slide.truth.coding.streams(0)), ((2, 0, 0), 1)]
    match target:
        case "metadata":
            root = {"attributes": {"rrip": dict(slide.truth.document)}}
            return [json.dumps(root, separators=(",", ":")).encode()]
        case "tile":
            truth = slide.truth
            streams = [split_tile(truth.tiles[place], truth.coding.place(*place), count)[0] for place, count in places]
            return [truth.tiles[0, 0, 0], *(bytes(stream) for stream in streams if stream is not None)]
        case "packet":
            return [slide.files["packet"]["1/0/0/0"]]
        case "zip":
            members = members_of(slide.files["zip"][MAIN_FILE["zip"]])
            needed = {name: data for name, data in members.items() if "/c/" in name or name == "zarr.json"}
            return [with_members(needed), with_members(needed, 8)]
        case _:
            return [slide.files[target][MAIN_FILE[target]]]


def _archive(target: str) -> Path:
    """Return the path of the archive of the inputs of a target."""
    return CORPUS / f"{target}.tar.xz"


def kept(target: str) -> dict[str, bytes]:
    """Return name and content of the inputs of a target that former runs have kept."""
    path = _archive(target)
    if not path.exists():
        return {}
    with tarfile.open(path) as archive:
        return {member.name: archive.extractfile(member).read() for member in archive}  # type: ignore[union-attr]


def keep(target: str, inputs: list[bytes]) -> None:
    """Keep these inputs, and no others, in an archive that is the same for the same inputs."""
    with tarfile.open(_archive(target), "w:xz", preset=9) as archive:
        for number, data in enumerate(sorted(set(inputs), key=lambda data: (len(data), data))):
            member = tarfile.TarInfo(f"{number:03}")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))


def replay(target: str, files: list[Path], changes: int = 0) -> int:
    """Run a target on files, or on its corpus, and for the compiled core on changes; return the number of inputs."""
    inputs = [path.read_bytes() for path in files] or [*seeds(target), *kept(target).values()]
    if target in CORE:
        return fuzz_core.replay(CORE[target], inputs, changes)
    run = TARGETS[target]()
    for data in inputs:
        run(data)
    return len(inputs)


def _mutator(target: str) -> Callable[[bytes, int, int], bytes]:
    """Change bytes as libFuzzer does half the time, otherwise keep JSON and JPEG well-formed."""
    import atheris
    import numpy as np
    from damage.streams import mutate_stream
    from damage.structure import change_json

    def mutate(data: bytes, max_size: int, seed: int) -> bytes:
        rng = np.random.default_rng(seed)
        if rng.random() < 0.5:
            return bytes(atheris.Mutate(data, len(data)))
        try:
            if target != "metadata":
                return mutate_stream(rng, data)[1][:max_size]
            document = json.loads(data)
            change_json(rng, document)
            return json.dumps(document).encode()[:max_size]
        except (ValueError, LookupError, TypeError, AttributeError, OverflowError, RecursionError):  # out of shape
            return bytes(atheris.Mutate(data, len(data)))

    return mutate


def fuzz(target: str, options: list[str]) -> None:
    """Hand this process to libFuzzer; does not return."""
    import atheris

    with atheris.instrument_imports(include=["rrip_format"]):
        run = TARGETS[target]()
    for data in seeds(target):
        run(data)  # what is done once, which would be taken for a hang
    own = {"custom_mutator": _mutator(target)} if target in {"metadata", "tile", "jpeg"} else {}
    usual = [f"-artifact_prefix={target}.", "-timeout=10", "-rss_limit_mb=2048", "-max_len=20000"]
    again = f"{sys.executable} {__file__} {target} --libfuzzer"  # how a merge starts its helpers, through a shell
    atheris.Setup([again, *usual, *options], run, **own)
    atheris.Fuzz()


def _child(target: str, *options: str) -> int:
    """Hand another process to libFuzzer; return its exit code."""
    if target in CORE:
        return fuzz_core.libfuzzer(CORE[target], options)
    return subprocess.run([sys.executable, __file__, target, "--libfuzzer", *options], check=False).returncode


def _start(target: str, folder: str) -> str:
    """Return a new folder with all inputs of a target."""
    start = tempfile.mkdtemp(prefix=f"{target}-", dir=folder)
    for number, data in enumerate((*seeds(target), *kept(target).values())):
        Path(start, str(number)).write_bytes(data)
    return start


def run_and_keep(target: str, seconds: int) -> int:
    """Fuzz one target; findings stay in a folder that is named."""
    start = _start(target, tempfile.gettempdir())
    code = _child(target, f"-max_total_time={seconds}", "-print_final_stats=1", start)
    print(f"{target}: {'a finding' if code else 'nothing found'}; inputs are in {start}", flush=True)
    return code


def merge(target: str, folder: str) -> int:
    """Keep the smallest set of inputs, of the corpus and a folder, with the same coverage."""
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch, "merged")
        out.mkdir()
        code = _child(target, "-merge=1", str(out), _start(target, scratch), folder)
        if not code:
            sound = seeds(target)
            keep(target, [data for path in out.iterdir() if (data := path.read_bytes()) not in sound])
        return code


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"of {', '.join(ALL)}; all if none is given")
    parser.add_argument("--seconds", type=int, default=60, help="for each target")
    parser.add_argument("--merge", metavar="FOLDER", help="of one target: keep what reaches something new")
    parser.add_argument("--replay", nargs="*", type=Path, metavar="FILE")
    parser.add_argument(
        "--changes", type=int, default=0, help="with --replay, of the core: so many changed inputs, too"
    )
    parser.add_argument(
        "--libfuzzer", nargs=argparse.REMAINDER, help="of one target: options of libFuzzer, as they are"
    )
    given = parser.parse_args()
    targets = given.targets or list(ALL)
    if unknown := set(targets) - set(ALL):
        parser.error(f"unknown target {', '.join(sorted(unknown))}, expected some of {', '.join(ALL)}")
    if (given.merge or given.libfuzzer is not None) and len(targets) != 1:
        parser.error("name one target")
    if given.replay is not None:
        for target in targets:
            print(f"{target}: {replay(target, given.replay, given.changes)} inputs, nothing found", flush=True)
        return 0
    if given.libfuzzer is not None:
        if targets[0] in CORE:
            return _child(targets[0], *given.libfuzzer)
        fuzz(targets[0], given.libfuzzer)
    if given.merge:
        return merge(targets[0], given.merge)
    found = [target for target in targets if run_and_keep(target, given.seconds)]
    print(f"findings in {', '.join(found)}" if found else "nothing found")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
