"""Training: loader, loop, losses, optimisation, cross-validation."""
