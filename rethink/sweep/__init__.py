"""Sweeps: which runs an experiment has, which of them are missing, and who runs them."""
