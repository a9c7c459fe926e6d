"""Layer 2: manifests, readers, checks and splits."""
