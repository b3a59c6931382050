"""Make the conformance set in ``spec/vectors``; ``tools/conformance/make_vectors.py`` is the command."""
