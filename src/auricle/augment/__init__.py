"""Augmentation: `Batch` to `Batch`, drawn from an explicit generator."""
