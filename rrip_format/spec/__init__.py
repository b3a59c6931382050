"""Bytes and JSON of the specification, without any I/O."""
