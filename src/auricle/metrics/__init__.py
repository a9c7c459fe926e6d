"""Layer 1: clip metrics with confidence intervals."""
