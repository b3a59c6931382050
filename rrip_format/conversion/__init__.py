"""Plan a conversion, and run it."""
