"""Callbacks: what is measured while training, and what of it is kept."""
