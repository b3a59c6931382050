"""histolab in a program that is run by ``python -m rrip_format.openslide``."""

import subprocess
import sys
from pathlib import Path

unchanged = Path(__file__).with_name("histolab_.py")
command = [sys.executable, "-m", "rrip_format.openslide", unchanged, sys.argv[1]]
sys.exit(subprocess.run(command, check=False).returncode)
