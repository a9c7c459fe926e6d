"""Layer 1: probe, decode, resample and normalise sound files."""
