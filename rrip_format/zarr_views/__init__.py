"""Access through Zarr: codecs, the store, the mapping, kerchunk references and the fsspec protocol."""
