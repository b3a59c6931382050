"""How the conformance set in ``spec/vectors`` is made; ``tools/conformance/make_vectors.py`` is the command."""
