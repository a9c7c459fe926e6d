"""Layer 0: types, units, errors, configuration, registries and safe writing."""
