"""Plan and run conversions."""
