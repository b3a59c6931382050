"""The compiled core and its thin Python face.

``src/rrip.h`` is the contract of the C library, :mod:`rrip_format.core.library` opens it, and each other module here
wraps one part of it in functions of arrays and bytes.
"""
