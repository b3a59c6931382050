"""Read and write containers: Zarr in a folder or a zip archive, and BigTIFF, behind one interface."""
