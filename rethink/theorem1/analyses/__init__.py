"""Theorem 1 and Corollary 1 on real images."""
