"""The compiled core, and Python functions that call it with arrays and bytes.

``src/rrip.h`` documents the C library, :mod:`rrip_format.core.library` loads it, and each other module wraps a part of
it.
"""
