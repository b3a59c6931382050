"""How the conformance set in ``spec/vectors`` is made; ``tools/make_vectors.py`` is the command."""
