"""Read the pixels of an open slide; :func:`rrip_format.open` is implemented here."""
