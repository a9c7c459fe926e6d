"""Training: loader, loop, losses, optimisation, cross-validation. Imports no torch here."""
