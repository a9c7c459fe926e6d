"""Layer 3: pictures from result files."""
