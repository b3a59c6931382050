"""Stored tiles to pixels and back, one family at a time (spec sections 5 and 6)."""
