"""Validate, repair and compare containers."""
