"""A second decoder of RRIP, written from ``spec/rrip.md`` alone.

It is here to be read beside the specification and to contradict the package ``rrip_format`` if the two ever differ.
So it imports nothing of that package, has its own JPEG decoder, and prefers the words of the specification to speed.
One module for each part of the page: :mod:`plain.dct` (section 5.1), :mod:`plain.jpeg` (6.1), :mod:`plain.pixels`
(5.2 to 5.5), :mod:`plain.slide` (5.7), :mod:`plain.tile` (6 and 7), :mod:`plain.metadata` (4, 8 and 11),
:mod:`plain.canonical` (8.5), :mod:`plain.zarr_binding` (9), :mod:`plain.tiff_binding` (10), :mod:`plain.errors` (12).
"""
