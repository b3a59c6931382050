"""One protocol of containers, and its three bindings: Zarr in a folder or a zip archive, and BigTIFF."""
