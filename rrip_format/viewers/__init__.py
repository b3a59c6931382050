"""Interfaces for other programs: OpenSlide's API and napari."""
