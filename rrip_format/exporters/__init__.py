"""Other formats out: pyramidal TIFF, OME-TIFF and Deep Zoom."""
