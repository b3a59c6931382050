"""The compiled core and its thin Python face; ``src/rrip.h`` is the contract."""
