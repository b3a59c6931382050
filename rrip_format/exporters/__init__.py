"""Export containers to other formats: pyramidal TIFF, OME-TIFF and Deep Zoom."""
