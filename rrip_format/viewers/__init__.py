"""The interfaces of other programs: OpenSlide's API and napari."""
