"""Thread pools and bounded caches."""
