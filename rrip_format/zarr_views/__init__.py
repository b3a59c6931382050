"""Zarr-shaped access: codecs, the store adapter, kerchunk references and the fsspec protocol."""
