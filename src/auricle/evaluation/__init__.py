"""Layer 3: predictions against references, to result files."""
