"""Choose what the encoder may choose: quantiser steps, taps and coefficients, on a sample of the slide."""
