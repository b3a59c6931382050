"""What the encoder chooses: steps, taps and coefficients, found on a sample of the slide."""
