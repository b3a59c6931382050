"""Run a program that was written for OpenSlide with RRIP containers: ``python -m rrip_format.openslide script.py …``.

The program and every Python process that it starts has :func:`rrip_format.patch_openslide`. What follows is what
``python`` takes: a script, ``-m module``, ``-c code``.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from .extras import load_module

__all__ = ["main"]

_STARTUP = Path(__file__).parent / "viewers" / "_startup"


def main() -> int:
    """Start Python with the arguments of this process and the patch; its exit code."""
    if len(sys.argv) < 2:
        print("usage: python -m rrip_format.openslide (SCRIPT | -m MODULE | -c CODE) [ARGUMENT …]", file=sys.stderr)
        return 2
    load_module("openslide", "openslide", "python -m rrip_format.openslide")
    paths = [str(_STARTUP), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    command = [sys.executable, *sys.argv[1:]]
    if os.name == "posix":
        os.execve(sys.executable, command, environment)  # noqa: S606  (the arguments are those of this process)
    return subprocess.run(command, env=environment, check=False).returncode  # noqa: S603


if __name__ == "__main__":
    sys.exit(main())
