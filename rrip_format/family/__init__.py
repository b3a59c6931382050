"""Decode stored tiles to pixels and encode pixels to stored tiles, one family at a time (spec sections 5 and 6)."""
