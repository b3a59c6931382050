"""Bytes and JSON as the specification defines them, without I/O."""
