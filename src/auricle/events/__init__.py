"""Layer 1: frame scores to events; label formats in and out."""
