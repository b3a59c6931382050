"""Measure what ``--quality source`` gives: sizes beside the source, and quality beside JPEG of the source's quality.

    python tools/benchmarks/source_quality.py SLIDE …

For each slide that is stored as JPEG, one container at its own quality and one at the default are made. The margins are
those of ``calibrate_quality.py --slide``: on tissue beside the sample, against a JPEG 4:2:0 pyramid of the source's
quality on a grid that is shifted by 4 px, because a slide comes back from its own grid almost as it was. Exit code 1 if
a container is worse in anything.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from calibrate_quality import METRICS, container, jpeg_pyramid, sample_and_others

from rrip_format import convert
from rrip_format.conversion.lossy import own_quality
from rrip_format.sources import open_source
from rrip_format.sources.compressions import find_compressions
from rrip_format.tuning.calibration import keep_promise
from rrip_format.tuning.settings import DEFAULT_QUALITY, Settings


def sizes(path: str, effort: str) -> tuple[int, dict[int, int]]:
    """Print what a slide is, and the bytes of its containers; its own quality, and bytes by quality."""
    found: dict[int, int] = {}
    with open_source(path) as source, tempfile.TemporaryDirectory() as folder:
        own = own_quality(source)
        history, raw = find_compressions(source), 3 * source.info.width * source.info.height
        print(f"{Path(path).name}: {', then '.join(map(str, history or ()))}")
        level_0 = raw / history[-1].ratio if history and history[-1].ratio else float("nan")
        print(f"  source file {source.info.size_bytes:>12} bytes, its level 0 {level_0:>12.0f}")
        for quality in dict.fromkeys((own, DEFAULT_QUALITY)):
            done = convert(source, Path(folder) / f"{quality}.rrip.tif", Settings(quality=quality, effort=effort))
            found[quality] = done.total_bytes
            said = "source" if quality == own else str(quality)
            of_file, of_level = done.total_bytes / (source.info.size_bytes or 1), done.total_bytes / level_0
            print(
                f"  --quality {said:<6} ({quality}) {done.total_bytes:>10} bytes, {of_file:.0%} of the file, "
                f"{of_level:.0%} of its level 0"
            )
    return own, found


def margins(path: str, own: int, effort: str) -> bool:
    """Print how much better a container at the source's own quality is than JPEG of that; whether in everything."""
    settings = Settings(effort=effort)
    sample, tested, for_jpeg = sample_and_others(path, settings)
    with ThreadPoolExecutor(1) as executor:
        found, fits = keep_promise(sample, replace(settings, quality=own), executor)
    jpeg, rrip = jpeg_pyramid(for_jpeg, own, settings.tile), container(tested, found, fits)
    apart = {metric: rrip.scores[metric] - jpeg.scores[metric] for metric in METRICS}
    print(f"  against JPEG of quality {own}: {', '.join(f'{name} {value:+.4g}' for name, value in apart.items())}")
    print(f"  at {rrip.size / jpeg.size:.0%} of its bytes, levels 0 to 2")
    return min(apart.values()) >= 0


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("slides", nargs="+", metavar="SLIDE")
    parser.add_argument("--effort", default="default")
    options = parser.parse_args(arguments)
    kept = True
    for path in options.slides:
        own, _ = sizes(path, options.effort)
        kept &= margins(path, own, options.effort)
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
