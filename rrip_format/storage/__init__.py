"""Bytes from files and URLs; staging, journal and flushing of what is written."""
