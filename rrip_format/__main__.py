"""``python -m rrip_format`` is the command ``rrip``."""

from .cli import main

main()
